"""One geometry for images and labels, in arrays that the eye can check."""

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="keras-hub is not installed")

import tensorflow as tf

from tfdeconv import hub

IMAGE = np.full((2, 4, 3), 9, "uint8")
LABELS = np.array([[1, 1, 2, 255], [1, 1, 2, 255]], "uint8")


def prepare(size, **geometry):
    return hub.DeconvNetImageSegmenterPreprocessor(
        hub.DeconvNetImageConverter(image_size=size, **geometry)
    )


def test_padding_is_black_and_void():
    image, labels = prepare((4, 4))(IMAGE, LABELS)
    assert np.asarray(image)[..., 0].tolist() == [[0] * 4, [9] * 4, [9] * 4, [0] * 4]
    assert np.asarray(labels).tolist() == [[255] * 4, [1, 1, 2, 255], [1, 1, 2, 255], [255] * 4]


def test_stretching_and_cropping():
    _, stretched = prepare((2, 2), pad_to_aspect_ratio=False)(IMAGE, LABELS)
    assert np.asarray(stretched).tolist() == [[1, 255], [1, 255]]
    crop = {"pad_to_aspect_ratio": False, "crop_to_aspect_ratio": True}
    _, cropped = prepare((2, 2), **crop)(IMAGE, LABELS)
    assert np.asarray(cropped).tolist() == [[1, 2], [1, 2]]


def test_labels_are_never_mixed():
    labels = np.random.default_rng(0).choice([0, 3, 200, 255], (2, 37, 50)).astype("int32")
    images = np.zeros((2, 37, 50, 3), "float32")
    for size in ((64, 64), (11, 13)):
        _, resized = prepare(size)(images, labels)
        assert resized.shape == (2, *size)
        assert set(np.unique(np.asarray(resized))) == {0, 3, 200, 255}


def test_channels_batches_lists_and_data_sets_give_the_same():
    layer = prepare((4, 4))
    one = np.asarray(layer(IMAGE, LABELS)[1])
    for images, labels in (
        (IMAGE[None], LABELS[None]),
        (IMAGE[None], LABELS[None, ..., None]),
        ([IMAGE.tolist()], [LABELS.tolist()]),
    ):
        np.testing.assert_array_equal(layer(images, labels)[1][0], one)
    data = tf.data.Dataset.from_tensors((IMAGE, LABELS)).map(layer)
    np.testing.assert_array_equal(next(iter(data))[1], one)


def test_what_needs_no_resizing_passes():
    for layer in (prepare(None), hub.DeconvNetImageSegmenterPreprocessor()):
        image, labels, weights = layer(IMAGE, LABELS, np.ones(1))
        np.testing.assert_array_equal(image, IMAGE)
        np.testing.assert_array_equal(labels, LABELS)
        assert np.asarray(weights).tolist() == [1.0]
    assert tuple(prepare((4, 4))(IMAGE).shape) == (4, 4, 3)


def test_one_hot_labels_are_told():
    with pytest.raises(ValueError, match=r"`y` must be label maps.*One-hot labels: take their arg"):
        prepare((4, 4))(IMAGE[None], np.zeros((1, 2, 4, 21)))
