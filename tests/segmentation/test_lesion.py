"""Measuring a network without its blocks: on a network of which one block does all the work."""

import keras
import numpy as np
import pytest

from tests.segmentation.blocks import residual_network, swapped_split
from tfdeconv import images, metrics
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.segmentation.lesion import lesions, plan


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Split:
    return swapped_split(tmp_path_factory.mktemp("lesion") / "data")


def test_what_each_block_is_worth(split) -> None:
    found, projected = lesions(residual_network(), split)
    assert [one.deleted for one in found] == [(), ("dims",), ("turns",), ("dims", "turns")]
    whole, without_dims, without_turns, without_both = found
    assert whole.mean_iou == without_dims.mean_iou == 1.0 and whole.error == 0.0
    # Red is taken for green and green for red; the ground is right.
    confusion = np.zeros((3, 3), np.int64)
    for image_id in split.ids:
        truth = images.read_labels(split.label_path(image_id))
        swapped = np.array([0, 2, 1], np.uint8)[truth]
        confusion += metrics.confusion_matrix(truth, swapped, 3)
    assert without_turns.mean_iou == without_both.mean_iou == metrics.mean_iou(confusion)
    assert without_turns.pixel_accuracy == metrics.pixel_accuracy(confusion) < 1
    assert projected == ()


def test_the_plan_holds_every_number_and_no_set_twice() -> None:
    blocks = list("abcdef")
    sets = plan(blocks, draws=4, seed=1)
    assert sets == plan(blocks, draws=4, seed=1) != plan(blocks, draws=4, seed=2)
    assert len(set(sets)) == len(sets)
    assert sets[:7] == [(), ("a",), ("b",), ("c",), ("d",), ("e",), ("f",)]
    assert sets[-1] == tuple(blocks)
    for count in range(2, 6):
        assert 1 <= sum(len(one) == count for one in sets) <= 4
    assert all(list(one) == sorted(one) for one in sets)


def test_plans_of_one_and_two_blocks() -> None:
    assert plan(["a"]) == [(), ("a",)]
    assert plan(["a", "b"]) == [(), ("a",), ("b",), ("a", "b")]


def test_what_cannot_be_measured_is_told(split) -> None:
    inputs = keras.Input((None, None, 3))
    plain = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs), name="plain")
    with pytest.raises(UserError, match=r"as pspnet50, .* have. Received: plain without any"):
        lesions(plain, split)
    other = Split(split.root, "val", split.ids, ("ground", "red", "blue"))
    with pytest.raises(UserError, match=r"3 classes \(.*\)\. Received: 3 \(ground, red, blue"):
        lesions(residual_network(), other)
