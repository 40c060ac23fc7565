"""Evaluation over a whole data set: against counting by hand, and what goes wrong."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.segmentation.networks import COLOURS, colour_network, painted
from tfdeconv import images, labels
from tfdeconv.boxes import Proposals
from tfdeconv.data.voc import Split, read_split
from tfdeconv.errors import UserError
from tfdeconv.metrics import confusion_matrix, mean_iou
from tfdeconv.segmentation.evaluate import Evaluation, evaluate
from tfdeconv.segmentation.segmenter import Segmenter

SIZES = {"wide": (30, 44), "tall": (41, 25), "tiny": (1, 3)}


@pytest.fixture
def split(tmp_path: Path) -> Split:
    root = tmp_path / "data"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("ground\nred\ngreen\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("\n".join(SIZES))
    for name, size in SIZES.items():
        image, truth = painted(*size)
        truth[:, :1] = 255
        (root / f"JPEGImages/{name}.png").write_bytes(images.encode_png(image))
        (root / f"SegmentationClass/{name}.png").write_bytes(labels.encode_png(truth))
    return read_split(root, "val")


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(colour_network(), boxes=3, proposals="grid")


def test_counts_every_image_at_its_own_size(split: Split, segmenter: Segmenter, tmp_path) -> None:
    evaluation = evaluate(segmenter, split, out=tmp_path / "new" / "out")
    confusion = np.zeros((3, 3), np.int64)
    for name, size in SIZES.items():
        image = images.read_image(split.image_path(name))
        found, truth = segmenter.segment(image), images.read_labels(split.label_path(name))
        assert found.shape == truth.shape == size
        confusion += confusion_matrix(truth, found, 3)
        written = images.read_labels(tmp_path / "new" / "out" / f"{name}.png")
        np.testing.assert_array_equal(written, found)
    np.testing.assert_array_equal(evaluation.confusion, confusion)
    assert evaluation.images == 3 and evaluation.class_names == ("ground", "red", "green")
    assert evaluation.confusion.sum() == 30 * 43 + 41 * 24 + 2
    # Of the whole data set, not the mean over images.
    assert evaluation.mean_iou == mean_iou(confusion) > 0.5


def test_given_proposals_are_used(split: Split, segmenter: Segmenter) -> None:
    none = Proposals(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    alone = evaluate(Segmenter(segmenter.model, boxes=0), split)
    given = evaluate(segmenter, split, dict.fromkeys(SIZES, none))
    np.testing.assert_array_equal(given.confusion, alone.confusion)
    with pytest.raises(
        UserError, match=r"`proposals` must have boxes .*none for 2 of them, such as 'tall'"
    ):
        evaluate(segmenter, split, {"wide": none})


def test_json_and_table() -> None:
    evaluation = Evaluation(np.array([[6, 2, 0], [0, 2, 0], [0, 0, 0]]), ("a", "bb", "c"), 4)
    result = json.loads(json.dumps(evaluation.as_json(), allow_nan=False))
    assert result == {
        "mean_iou": 0.625,
        "iou": {"a": 0.75, "bb": 0.5, "c": None},
        "pixel_accuracy": 0.8,
        "images": 4,
        "confusion": [[6, 2, 0], [0, 2, 0], [0, 0, 0]],
    }
    assert evaluation.table().splitlines() == [
        "a               75.0",
        "bb              50.0",
        "c                  -",
        "mean IoU        62.5",
        "pixel accuracy  80.0",
    ]


def test_nothing_judged(split: Split, segmenter: Segmenter) -> None:
    void = np.full(SIZES["tiny"], 255, np.uint8)
    split.label_path("tiny").write_bytes(labels.encode_png(void))
    evaluation = evaluate(segmenter, replace(split, ids=("tiny",)))
    assert evaluation.as_json()["mean_iou"] is None
    assert "mean IoU           -" in evaluation.table()


def test_classes_that_the_model_does_not_have(split: Split, segmenter: Segmenter) -> None:
    truth = np.full(SIZES["wide"], 3, np.uint8)
    split.label_path("wide").write_bytes(labels.encode_png(truth))
    with pytest.raises(UserError, match=r"wide.png` must hold class numbers 0 to 2 .*Received: 3"):
        evaluate(segmenter, split)


@pytest.mark.parametrize("names", [("ground", "green", "red"), ("ground", "red"), None])
def test_classes_of_model_and_data_must_agree(split: Split, names) -> None:
    if names is None:
        inputs = keras.Input((16, 16, 3))
        model = keras.Model(inputs, keras.layers.Conv2D(21, 1)(inputs))
        received = "the model's 21 classes. Received: 3"
    else:
        model = colour_network(class_names=("ground", "red", "green"))
        split = replace(split, class_names=names)
        received = rf"3 classes \(ground, red, green\)\. Received: .*{', '.join(names)}"
    with pytest.raises(UserError, match=f"`.*data` must have {received}|{received}"):
        evaluate(Segmenter(model), split)


def test_a_model_without_names_takes_those_of_the_data(split: Split) -> None:
    evaluation = evaluate(Segmenter(colour_network(class_names=None), boxes=0), split)
    assert list(evaluation.iou) == ["ground", "red", "green"]


def break_image(split: Split) -> str:
    path = split.image_path("tall")
    path.write_bytes(path.read_bytes()[:-30])
    return r"tall\.png"


def remove_labels(split: Split) -> str:
    split.label_path("tall").unlink()
    return r"SegmentationClass/tall\.png"


def resize_labels(split: Split) -> str:
    split.label_path("tall").write_bytes(labels.encode_png(np.zeros((41, 24), np.uint8)))
    return r"tall\.png` must be as large as its photograph"


def colour_labels(split: Split) -> str:
    split.label_path("tall").write_bytes(images.encode_png(COLOURS[np.zeros((41, 25), np.uint8)]))
    return r"tall\.png` must be a palette or 8-bit gray PNG"


@pytest.mark.parametrize("damage", [break_image, remove_labels, resize_labels, colour_labels])
def test_broken_files_are_named(split: Split, segmenter: Segmenter, damage) -> None:
    message = damage(split)
    with pytest.raises(UserError, match=message):
        evaluate(segmenter, split)


def test_an_output_folder_that_cannot_be_written_is_told_first(split: Split, tmp_path) -> None:
    class Unused(Segmenter):
        def segment_all(self, *args):
            raise AssertionError("the network ran")

    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot write `.*file/out`"):
        evaluate(Unused(colour_network()), split, out=tmp_path / "file" / "out")
