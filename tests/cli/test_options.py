"""Shared options: numbers are checked, and they reach the segmenter or are refused."""

import argparse

import numpy as np
import pytest

from tests.segmentation.networks import open_network, painted
from tfdeconv import images
from tfdeconv.cli import evaluate, options, segment
from tfdeconv.errors import UserError
from tfdeconv.segmentation.segmenter import Segmenter


def parse(command, *words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def chosen(*words) -> dict:
    return options.segmenter_arguments(parse(evaluate, "model", "data", *words))


def test_options_become_arguments() -> None:
    assert chosen() == {}
    assert chosen("--flip", "--scales", "0.75,1,1.25") == {"flip": True, "scales": (0.75, 1, 1.25)}
    assert chosen("--window", "auto") == {"window": "auto"}
    assert chosen("--window", 512, "--overlap", 0.5) == {"window": 512, "overlap": 0.5}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--window", 0), "must be pixels from 1 to 2048, or auto, not '0'"),
        (("--window", "wide"), "must be pixels from 1 to 2048, or auto, not 'wide'"),
        (("--overlap", 0.95), "must be from 0 to 0.9, not 0.95"),
        (("--overlap", "nan"), "must be from 0 to 0.9, not nan"),
        (("--overlap", "half"), "must be a number, not 'half'"),
        (("--scales", "1,20"), "must be numbers from 0.1 to 4, not 1,20"),
        (("--scales", "1,,2"), "must be a number, not ''"),
    ],
)
def test_wrong_usage(words, message, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        chosen(*words)
    assert message in capsys.readouterr().err


def test_mistakes_are_told_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"--overlap requires --window\..*only --overlap 0\.5"):
        chosen("--overlap", 0.5)
    served = parse(segment, "m", "x.jpg", "--out", "o", "--server", "http://h:1", "--window", 9)
    with pytest.raises(UserError, match="--window is not supported with --server"):
        segment._with_server(served)


def test_a_photograph_in_windows(tmp_path, capsys) -> None:
    open_network().save(tmp_path / "model.keras")
    image, labels = painted(50, 44)
    (tmp_path / "photo.png").write_bytes(images.encode_png(image))
    words = ("--window", 20, "--overlap", 0.4, "--flip", "--scales", "1,1.5")
    out = tmp_path / "out"
    args = parse(segment, tmp_path / "model.keras", tmp_path / "photo.png", "--out", out, *words)
    assert segment.run(args) == 0
    found = images.read_labels(out / "photo.png")
    segmenter = Segmenter(open_network(), window=20, overlap=0.4, flip=True, scales=(1, 1.5))
    np.testing.assert_array_equal(found, segmenter.segment(image))
    assert np.mean(found == labels) > 0.97
    assert capsys.readouterr().out == f"{out}: 1 label map\n"
