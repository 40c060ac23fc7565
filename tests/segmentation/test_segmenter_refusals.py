"""What a segmenter refuses: networks of another kind, numbers out of range, what is no image."""

import functools

import keras
import numpy as np
import pytest

from tests.segmentation.networks import colour_network
from tfdeconv.errors import UserError
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return colour_network()


@functools.cache
def whole_image_segmenter() -> Segmenter:
    return Segmenter(colour_network(), boxes=0)


def model_of(*sizes: tuple, classes: int = 3, flat: bool = False) -> keras.Model:
    inputs = [keras.Input(size) for size in sizes]
    x = keras.layers.Conv2D(classes, 1)(
        keras.layers.Add()(inputs) if len(inputs) > 1 else inputs[0]
    )
    return keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(x) if flat else x)


@pytest.mark.parametrize(
    ("model", "received"),
    [
        (lambda: model_of((None, 16, 3)), r"inputs \(None, None, 16, 3\)"),
        (lambda: model_of((16, 32, 3)), r"inputs \(None, 16, 32, 3\)"),
        (lambda: model_of((16, 16, 1)), r"inputs \(None, 16, 16, 1\)"),
        (lambda: model_of((16, 16, 3), (16, 16, 3)), r"inputs \[\(None"),
        (lambda: model_of((16, 16, 3), classes=1), r"outputs \(None, 16, 16, 1\)"),
        (lambda: model_of((16, 16, 3), classes=256), r"outputs \(None, 16, 16, 256\)"),
        (lambda: model_of((16, 16, 3), flat=True), r"outputs \(None, 3\)"),
        (lambda: keras.Sequential([keras.layers.Conv2D(3, 1)]), r"inputs None"),
    ],
)
def test_networks_of_another_kind_are_refused(model, received: str) -> None:
    with pytest.raises(UserError, match=rf"`model` must map RGB .*Received: .*{received}"):
        Segmenter(model())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boxes": -1}, "`boxes` must be at least 0 .*boxes=-1"),
        ({"batch_size": 0}, "`batch_size` at least 1.*batch_size=0"),
        ({"aggregate": "sum"}, r"`aggregate` must be one of \('max', 'mean', 'raw_max'\).*'sum'"),
        ({"proposals": "file.npz"}, r"`proposals` must be one of .*'file.npz'"),
    ],
)
def test_other_options_are_refused(network: keras.Model, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segmenter(network, **options)


@pytest.mark.parametrize(
    ("image", "received"),
    [
        (np.zeros((5, 6), np.uint8), r"shape=\(5, 6\)"),
        (np.zeros((5, 6, 4), np.uint8), r"shape=\(5, 6, 4\)"),
        (np.zeros((2, 5, 6, 3), np.uint8), r"shape=\(2, 5, 6, 3\)"),
        (np.zeros((0, 6, 3), np.uint8), r"shape=\(0, 6, 3\)"),
        (np.zeros((5, 6, 3), np.float32), "dtype=float32"),
        ([[[0, 0, 0]]], "dtype=None"),
    ],
)
def test_images_of_another_kind_are_refused(image, received: str) -> None:
    with pytest.raises(ValueError, match=rf"`image` must be .*uint8 RGB.*{received}"):
        whole_image_segmenter().segment(image)


@pytest.mark.parametrize(
    "boxes",
    [np.zeros(4), np.zeros((2, 5)), [[0, 0, np.nan, 5]], [[0, -np.inf, 5, 5]], [[0, 0, 1e9, 1]]],
)
def test_boxes_of_another_kind_are_refused(boxes) -> None:
    with pytest.raises(ValueError, match=r"`boxes` must be an \(n, 4\) array of finite"):
        whole_image_segmenter().segment(np.zeros((9, 9, 3), np.uint8), boxes)


def test_a_network_that_gives_nan_is_refused() -> None:
    network = colour_network()
    network.layers[1].bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(UserError, match="Received: NaN or infinite scores"):
        Segmenter(network).segment(np.zeros((9, 9, 3), np.uint8))
