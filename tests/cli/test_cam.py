"""The command `cam`: what it trains, measures and writes."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.segmentation.networks import painted
from tests.weak.test_localise import colour_classifier
from tfdeconv import images, labels
from tfdeconv.cli import cam
from tfdeconv.data.voc import read_split
from tfdeconv.errors import UserError
from tfdeconv.weak import pseudo_labels, train


def parse(*words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cam.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cam") / "data"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("ground\nred\ngreen\n")
    for split, name, size in (("train", "a", (60, 88)), ("val", "b", (70, 60))):
        image, truth = painted(*size)
        (root / f"JPEGImages/{name}.png").write_bytes(images.encode_png(image))
        (root / f"SegmentationClass/{name}.png").write_bytes(labels.encode_png(truth))
        (root / f"ImageSets/Segmentation/{split}.txt").write_text(f"{name}\n")
    return root


def test_both_poolings_are_trained_and_measured(data, tmp_path, monkeypatch, capsys) -> None:
    asked = []

    def trained(split, out, pooling, recipe, seed):
        asked.append((split.name, out.name, pooling, recipe.steps, recipe.width, seed))
        return colour_classifier()

    monkeypatch.setattr(train, "train_classifier", trained)
    out = tmp_path / "cam"
    cam.run(parse(data, "--out", out, "--steps", 7, "--seed", 2, "--input-size", 64))
    assert asked == [
        ("train", "average", "average", 7, 0.125, 2),
        ("train", "maximum", "maximum", 7, 0.125, 2),
    ]
    numbers = json.loads((out / "cam.json").read_text())
    boxes = {"known": 1.0, "first": 0.5, "classified": 0.5, "part": numbers["average"]["part"]}
    assert numbers["average"] == {**boxes, "judged": 2} and 0 <= boxes["part"] <= 1
    assert numbers["pseudo_labels"]["mean_iou"] > 0.8
    # One row for every class of the one image: the photograph and two panels.
    assert images.read_image(out / "cam.png").shape == (8 + 2 * 290 + 44, 8 + 3 * 214, 3)
    guessed = images.read_labels(read_split(out / "pseudo", "train").label_path("a"))
    assert {0, 1, 2} <= set(np.unique(guessed).tolist()) <= {0, 1, 2, 255}
    lines = capsys.readouterr().out.splitlines()
    assert "average  box right, class known 100.0%" in lines[2] and lines[2].endswith("of 2")
    assert lines[-1] == f"{out / 'cam.png'}: both poolings, side by side"


def test_before_training_it_is_told_what_would_fail_after(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(train, "train_classifier", lambda *_: pytest.fail("trained"))
    copy = shutil.copytree(data, tmp_path / "cam/pseudo")
    with pytest.raises(UserError, match="must be another folder than that of the data"):
        cam.run(parse(copy, "--out", tmp_path / "cam"))
    empty = labels.encode_png(np.zeros((70, 60), np.uint8))
    (copy / "SegmentationClass/b.png").write_bytes(empty)
    with pytest.raises(UserError, match=r"must have images with objects. Received: none in 'val'"):
        cam.run(parse(copy, "--out", tmp_path / "other"))


def test_labels_that_are_all_in_doubt_have_no_iou(data, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(train, "train_classifier", lambda *_: colour_classifier())
    monkeypatch.setattr(
        pseudo_labels, "pseudo_labels", lambda heats, *_: np.full((60, 88), 255, np.uint8)
    )
    with np.errstate(invalid="ignore"):
        cam.run(parse(data, "--out", tmp_path, "--input-size", 64))
    numbers = json.loads((tmp_path / "cam.json").read_text(), parse_constant=pytest.fail)
    assert numbers["pseudo_labels"] == {"mean_iou": None}


@pytest.mark.large
def test_for_real_and_again(data, tmp_path, capsys) -> None:
    words = (data, "--out", tmp_path / "cam", "--steps", 4, "--input-size", 32, "--width", 0.04)
    cam.run(parse(*words, "--batch-size", 2))
    first = (tmp_path / "cam/cam.json").read_text()
    cam.run(parse(*words, "--batch-size", 2))
    assert (tmp_path / "cam/cam.json").read_text() == first
    assert (tmp_path / "cam/maximum/model.keras").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--steps", 0), "must be at least 1"), (("--input-size", 8), "must be at least 32")],
)
def test_wrong_usage(words, message, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("data", "--out", "x", *words)
    assert message in capsys.readouterr().err
