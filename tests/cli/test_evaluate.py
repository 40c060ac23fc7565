"""The command `evaluate`: arguments reach the library, the table is printed, files are written."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from tests.segmentation.networks import colour_network, open_network, painted
from tfdeconv import boxes, images, labels
from tfdeconv.cli import evaluate, options
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.segmentation.segmenter import Segmenter


def parse(*words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("evaluate")
    data = root / "data"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (data / folder).mkdir(parents=True)
    (data / "classes.txt").write_text("ground\nred\ngreen\n")
    (data / "ImageSets/Segmentation/val.txt").write_text("a\nb\n")
    for name, size in (("a", (30, 44)), ("b", (20, 25))):
        image, truth = painted(*size)
        (data / f"JPEGImages/{name}.png").write_bytes(images.encode_png(image))
        (data / f"SegmentationClass/{name}.png").write_bytes(labels.encode_png(truth))
    colour_network().save(root / "model.keras")
    return root, data


def test_prints_table_and_result_and_writes_files(files, tmp_path, capsys) -> None:
    model, data = files
    result, out = tmp_path / "r" / "result.json", tmp_path / "out"
    words = ("--boxes", 2, "--aggregate", "mean", "--proposals", "grid", "--images", 1)
    evaluate.run(parse(model, data, *words, "--json", result, "--out", out))
    lines = capsys.readouterr().out.splitlines()
    written = json.loads(result.read_text())
    assert [line.split()[0] for line in lines[:4]] == ["ground", "red", "green", "mean"]
    assert lines[3].split()[-1] == f"{100 * written['mean_iou']:.1f}"
    assert lines[-1] == f"{model} on val: mean IoU {written['mean_iou']:.4f}, 1 image"
    assert list(written["iou"]) == ["ground", "red", "green"] and written["images"] == 1
    assert written["mean_iou"] > 0.5 and 0 < written["pixel_accuracy"] <= 1
    assert [path.name for path in out.iterdir()] == ["a.png"]
    assert images.read_labels(out / "a.png").shape == (30, 44)


def test_proposals_from_a_file(files, tmp_path, capsys) -> None:
    model, data = files
    found = boxes.Proposals(np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32))
    boxes.save(tmp_path / "some.npz", {"a": found}, {})
    evaluate.run(parse(model, data, "--proposals", tmp_path / "some.npz", "--images", 1))
    assert "1 image\n" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"`proposals` must have boxes for every image .*'b'"):
        evaluate.run(parse(model, data, "--proposals", tmp_path / "some.npz"))
    with pytest.raises(UserError, match=r"`.*missing.npz` must be a proposal file"):
        evaluate.run(parse(model, data, "--proposals", tmp_path / "missing.npz"))


@pytest.mark.parametrize("mode", ["mean", "product"])
def test_a_second_model_is_combined_with_the_first(files, mode, tmp_path, capsys) -> None:
    model, data = files
    open_network().save(tmp_path / "second.keras")
    words = ("--boxes", 0, "--ensemble", tmp_path / "second.keras", "--ensemble-mode", mode)
    evaluate.run(parse(model, data, *words, "--out", tmp_path / "out"))
    assert "2 images" in capsys.readouterr().out
    segmenter = Segmenter(model, boxes=0, ensemble=open_network(), ensemble_mode=mode)
    expected = segmenter.segment(painted(20, 25)[0])
    np.testing.assert_array_equal(images.read_labels(tmp_path / "out" / "b.png"), expected)
    with pytest.raises(UserError, match="--ensemble-mode requires --ensemble"):
        evaluate.run(parse(model, data, "--ensemble-mode", mode))


def test_crf_refines_the_labels(files, tmp_path) -> None:
    model, data = files
    evaluate.run(parse(model, data, "--boxes", 0, "--crf", "--images", 1, "--out", tmp_path))
    expected = Segmenter(model, boxes=0, crf=DenseCRF()).segment(painted(30, 44)[0])
    np.testing.assert_array_equal(images.read_labels(tmp_path / "a.png"), expected)
    assert np.any(expected != Segmenter(model, boxes=0).segment(painted(30, 44)[0]))


def test_a_network_for_any_size_alone(files, tmp_path, capsys) -> None:
    open_network().save(tmp_path / "open.keras")
    evaluate.run(parse(tmp_path / "open.keras", files[1]))
    assert "mean IoU 1.0000, 2 images" in capsys.readouterr().out


def test_defaults_are_the_library_s(files, monkeypatch, capsys) -> None:
    model, data = files
    seen = {}

    class Stub:
        def __init__(self, model, **options):
            seen.update(options)

    class Result:
        images, mean_iou = 2, 0.5

        def table(self):
            return "table"

    monkeypatch.setattr("tfdeconv.segmentation.segmenter.Segmenter", Stub)
    monkeypatch.setattr("tfdeconv.segmentation.evaluate.evaluate", lambda *rest: Result())
    evaluate.run(parse(model, data))
    assert seen == {}
    assert capsys.readouterr().out.splitlines() == [
        "table",
        f"{model} on val: mean IoU 0.5000, 2 images",
    ]


def test_release_is_one_switch_that_others_override(monkeypatch) -> None:
    monkeypatch.setattr(
        "tfdeconv.segmentation.segmenter.Segmenter", lambda model, **options: options
    )
    chosen, _ = options.open_segmenter(parse("model", "data", "--release", "--crf"))
    assert chosen == {
        "aggregate": "raw_max",
        "ensemble_mode": "product",
        "crf": DenseCRF.release(),
    }
    chosen, _ = options.open_segmenter(parse("model", "data", "--release", "--aggregate", "max"))
    assert chosen == {"aggregate": "max", "ensemble_mode": "product"}


@pytest.mark.parametrize(
    "words",
    [
        ("--boxes", "-1"),
        ("--images", "0"),
        ("--aggregate", "sum"),
        ("--boxes", "x"),
        ("--ensemble-mode", "max"),
    ],
)
def test_wrong_usage(words, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("model", "data", *words)


def test_mistakes_are_user_errors(files, tmp_path) -> None:
    model, data = files
    with pytest.raises(UserError, match=r"test.txt` must exist"):
        evaluate.run(parse(model, data, "--split", "test"))
    with pytest.raises(UserError, match=r"must be a \.keras file or a run folder"):
        evaluate.run(parse(tmp_path, data))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        evaluate.run(parse(tmp_path / "no model", data, "--json", tmp_path / "file" / "x.json"))
