"""What requests must be: each mistake is told with the element of the batch that has it."""

import numpy as np
import pytest
import tensorflow as tf

from tfdeconv.export import requests, signatures

BOXES = np.array([[[0, 0, 8, 8], [1, 1, 5, 5]]] * 3, np.float32)


def boxes_with(values: list[float]) -> np.ndarray:
    boxes = BOXES.copy()
    boxes[2, 1] = values
    return boxes


ALL = [2, 2, 2]
WRONG_BOXES = {
    "nan": (boxes_with([0, np.nan, 4, 4]), ALL, r"`boxes\[2\]` must be finite.*\[0 nan 4 4\]"),
    "infinite": (boxes_with([0, 0, np.inf, 4]), ALL, r"`boxes\[2\]` must be finite"),
    "huge": (boxes_with([0, 0, 2**29, 4]), ALL, r"`boxes\[2\]` must be finite"),
    "flat": (boxes_with([3, 0, 3, 4]), ALL, r"`boxes\[2\]` must .* top < bottom"),
    "inverted": (boxes_with([0, 5, 3, 4]), ALL, r"`boxes\[2\]` must .* left < right"),
    "count": (BOXES, [2, 3, 0], r"`counts\[1\]` must be from -1 to .*\[3\] \[for\] \[2\]"),
    "negative": (BOXES, [2, 1, -2], r"`counts\[2\]` must be from -1"),
    "few counts": (BOXES, [2, 1], r"`counts\[2\]` must be given for each image.*\[2\].*\[3\]"),
    "many counts": (BOXES, [0] * 4, r"`counts\[3\]` must be given for each image, and for no oth"),
    "few boxes": (BOXES[:1], ALL, r"`boxes\[1\]` must be given for each image"),
    "too many": (np.zeros((3, 1001, 4), np.float32), ALL, r"`boxes\[0\]` must be at most 1000"),
}


@pytest.fixture(scope="module")
def check_boxes():
    """In a graph of unknown sizes, as it is served."""
    specs = tf.TensorSpec((None,), tf.string), *signatures._BOXES
    return tf.function(requests.require_boxes, input_signature=specs)


@pytest.mark.parametrize("name", WRONG_BOXES)
def test_wrong_boxes_and_counts_are_named(check_boxes, name: str) -> None:
    boxes, counts, message = WRONG_BOXES[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        check_boxes(np.array([b"a", b"b", b"c"]), boxes, np.array(counts, np.int32))


@pytest.mark.parametrize("counts", [[2, 2, 1], [0, 0, 0], [-1, 2, -1]])
def test_boxes_that_do_not_count_may_be_anything(check_boxes, counts: list[int]) -> None:
    images = tf.constant([b"a", b"b", b"c"])
    boxes, _ = check_boxes(images, boxes_with([np.nan] * 4), tf.constant(counts))
    assert boxes.shape == (3, 2, 4)


def test_no_boxes_at_all_are_right(check_boxes) -> None:
    images, nothing = tf.constant([b"a", b"b"]), tf.zeros((2, 0, 4))
    boxes, counts = check_boxes(images, nothing, tf.constant([0, -1]))
    assert boxes.shape == (2, 0, 4) and counts.numpy().tolist() == [0, -1]


def test_wrong_crops_are_named() -> None:
    crops = np.zeros((3, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(requests.require_crops(tf.constant(crops)), crops)
    for value in (np.nan, np.inf, -np.inf):
        crops[1, 2, 3, 0] = value
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"`crops\[1\]` must be finite"):
            requests.require_crops(tf.constant(crops))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`crops\[0\]` .* an empty batch"):
        requests.require_crops(tf.constant(crops[:0]))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 5, 5, 3), r"`images\[0\]` must be given. Received: an empty batch"),
        ((2, 0, 5, 3), r"`images\[0\]` must have 1 to 30 pixels.*\[0 5\]"),
        ((2, 7, 5, 3), r"`images\[0\]` must have 1 to 30 pixels.*\[7 5\]"),
    ],
)
def test_wrong_images_are_named(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        requests.require_images(tf.zeros(shape, tf.uint8), max_pixels=30)
