"""Windows cut in the graph against loops over pixels and against OpenCV."""

import resource

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.data.small import crop_labels
from tests.reference import windows as reference
from tfdeconv.data import crops

WINDOWS = {
    "inside": (3, 4, 10, 11),
    "whole image": (0, 0, 13, 17),
    "leaves top left": (-5, -3, 6, 8),
    "leaves bottom right": (6, 9, 21, 24),
    "covers the image": (-9, -7, 22, 24),
    "one pixel": (5, 6, 6, 7),
    "outside above": (-9, 2, -2, 9),
    "outside right": (2, 17, 9, 24),
    "far away": (900, -900, 905, -895),
    "not square": (2, -4, 12, 20),
}
IMAGE = np.random.default_rng(0).integers(0, 256, (13, 17, 3)).astype(np.uint8)
LABELS = np.random.default_rng(1).integers(0, 21, (13, 17)).astype(np.uint8)


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize("size", [1, 7, 8])
def test_crops_equal_loops_over_pixels(window, size):
    crop = crops.crop_image(tf.constant(IMAGE), tf.constant(window), size)
    np.testing.assert_allclose(crop, reference.crop_image(IMAGE, window, size), atol=1e-3)
    cut = crop_labels(tf.constant(LABELS), tf.constant(window), size)
    np.testing.assert_array_equal(cut, reference.crop_labels(LABELS, window, size))


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
def test_large_windows_are_sampled_to_the_same_pixels(window, monkeypatch):
    copied = crops.crop_image(tf.constant(IMAGE), tf.constant(window), 7)
    monkeypatch.setattr(crops, "_MAX_FRAME", 0)
    sampled = crops.crop_image(tf.constant(IMAGE), tf.constant(window), 7)
    np.testing.assert_allclose(sampled, copied, atol=2e-2)


@pytest.mark.parametrize("side", [1, 37, 101, 249, 251, 333])
def test_crops_equal_opencv(side):
    generator = np.random.default_rng(side)
    image = generator.integers(0, 256, (side, side, 3)).astype(np.uint8)
    labels = generator.integers(0, 256, (side, side)).astype(np.uint8)
    window = tf.constant([0, 0, side, side])
    crop = crops.crop_image(tf.constant(image), window, 250)
    expected = cv2.resize(image, (250, 250), interpolation=cv2.INTER_LINEAR)
    assert np.abs(crop.numpy() - expected).max() <= 1
    # Odd sides have no pixel exactly between two, where OpenCV's versions differ.
    expected = cv2.resize(labels, (250, 250), interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(crop_labels(tf.constant(labels), window, 250), expected)


def test_many_windows_inside_tf_data_equal_single_ones():
    windows = np.array(list(WINDOWS.values()), np.int32)
    dataset = tf.data.Dataset.from_tensors((IMAGE, windows)).map(
        lambda image, boxes: crops.crop_images(image, boxes, 7)
    )
    (many,) = list(dataset)
    for crop, window in zip(many, windows, strict=True):
        np.testing.assert_array_equal(crop, crops.crop_image(tf.constant(IMAGE), window, 7))


def test_no_windows_give_no_crops():
    assert crops.crop_images(tf.constant(IMAGE), tf.zeros((0, 4), tf.int32), 7).shape == (
        0,
        7,
        7,
        3,
    )


def test_a_window_larger_than_a_large_image_is_cut_without_copying_it():
    image = tf.zeros((10_000, 8_000, 1), tf.uint8) + 100
    crop = crops.crop_image(image, tf.constant([-1000, -2000, 11_000, 10_000]), 12)
    np.testing.assert_allclose(crop[1:11, 2:10], 100.0, atol=1e-3)
    assert not crop[0].numpy().any() and not crop[:, :2].numpy().any()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_panorama_one_pixel_wide_is_cut_in_the_memory_of_the_crop(axis):
    image = np.zeros((1, 6_000_000, 3), np.uint8)
    image[:, 3_000_000:] = 200
    window = (0, 0, 1, 6_000_000)
    if axis == 0:
        image, window = image.transpose(1, 0, 2), (0, 0, 6_000_000, 1)
    image = tf.constant(image)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    crop = crops.crop_image(image, tf.constant(window), 224)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = crop[:, 0, 0] if axis == 0 else crop[0, :, 0]
    np.testing.assert_array_equal(line, [0.0] * 112 + [200.0] * 112)
    assert after - before < 100_000  # kilobytes; rows of it in float32 would be 16 gigabytes


def test_isolating_keeps_one_object_and_the_void():
    labels = np.array([[5, 5, 255, 5], [0, 255, 9, 9]], np.uint8)
    objects = np.array([[1, 1, 65535, 2], [0, 65535, 3, 65535]], np.uint16)
    isolated = crops.isolate_object(labels, objects, 1)
    assert isolated.numpy().tolist() == [[5, 5, 255, 0], [0, 255, 0, 255]]
    np.testing.assert_array_equal(isolated, reference.isolate_object(labels, objects, 1))
    np.testing.assert_array_equal(crops.isolate_object(labels, objects, 0), labels)


def test_several_maps_are_isolated_at_once():
    generator = np.random.default_rng(2)
    labels = generator.choice(np.array([0, 1, 2, 255], np.uint8), (3, 4, 5))
    objects = generator.choice(np.array([0, 1, 300, 65535], np.uint16), (3, 4, 5))
    isolated = crops.isolate_object(labels, objects, tf.constant([300, 0, 1]))
    for index, object_id in ((0, 300), (2, 1)):
        expected = reference.isolate_object(labels[index], objects[index], object_id)
        np.testing.assert_array_equal(isolated[index], expected)
    np.testing.assert_array_equal(isolated[1], labels[1])


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ([10, 10, 20, 15], [9, 7, 21, 19]),  # 12 wide about the centre (15, 12.5)
        ([0, 0, 1, 1], [0, 0, 1, 1]),  # 1.2 rounds to the pixel itself
        ([5, 5, 5, 5], [5, 5, 6, 6]),  # no area: one pixel
        ([0, 0, 100, 10], [-10, -55, 110, 65]),  # leaves the image
    ],
)
def test_squares(box, square):
    assert crops.enlarge_to_square([box]).numpy().tolist() == [square]


def test_squares_keep_the_centre_to_half_a_pixel():
    given = np.random.default_rng(1).uniform(-50, 300, (200, 4)).astype(np.float32)
    given = np.concatenate([np.minimum(given[:, :2], given[:, 2:]), given.max(1, keepdims=True)], 1)
    given = np.concatenate([given, given[:, 2:] + 1], 1)[:, :4]
    squares = crops.enlarge_to_square(given).numpy()
    assert squares.dtype == np.int32
    assert (squares[:, 2] - squares[:, 0] == squares[:, 3] - squares[:, 1]).all()
    centres = (squares[:, :2] + squares[:, 2:]) / 2 - (given[:, :2] + given[:, 2:]) / 2
    assert np.abs(centres).max() <= 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2.0**40])
def test_squares_refuse_what_is_no_pixel(bad):
    with pytest.raises(tf.errors.InvalidArgumentError, match="finite and below"):
        crops.enlarge_to_square(np.array([[0, 0, bad, 5]]))


def test_squares_are_what_plain_numbers_say():
    rng = np.random.default_rng(0)
    boxes = rng.uniform(-50, 300, (2000, 4))
    boxes[:500] = np.round(boxes[:500])
    boxes[500:1000] = np.round(boxes[500:1000] * 2) / 2
    boxes[:, 2:] = boxes[:, :2] + np.abs(boxes[:, 2:])
    for given in (boxes, boxes.astype(np.float32)):
        expected = [reference.enlarge_to_square(box) for box in given]
        assert crops.enlarge_to_square(given).numpy().tolist() == expected
