"""The goldens: a small model for every public layer, network, loss and metric.

`test_conformance.py` holds what they promise and fails when a public name is missing here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from tfdeconv import layers, models
from tfdeconv.metrics import MeanIoU
from tfdeconv.training.losses import CrossEntropy

CLASSES = ("ground", "tree", "sky")


class Golden(NamedTuple):
    """A small model made of a public name, and an input for it."""

    build: Callable[[], keras.Model]
    shape: tuple[int, ...]
    dtype: str = "float32"


def layer_model(
    shape: tuple[int, ...], apply: Callable[[Any], Any], dtype: str = "float32"
) -> keras.Model:
    inputs = keras.Input(shape, name="x", dtype=dtype)
    return keras.Model(inputs, apply(inputs))


def deconvolve(x: Any) -> Any:
    return keras.layers.Conv2DTranspose(4, 3, kernel_initializer=layers.Bilinear(noise=0.5))(x)


def unpool(x: Any) -> Any:
    pooled, argmax = layers.MaxPoolWithArgmax((3, 2))(x)
    return layers.Unpool((3, 2))(pooled, argmax, x)


def crop(x: Any) -> Any:
    return layers.Crop(1)(x, keras.layers.MaxPooling2D(2)(x))


def fcn(name: str) -> Golden:
    return Golden(
        lambda: models.build(name, num_classes=3, width=1 / 64, class_names=CLASSES), (1, 7, 20, 3)
    )


def deconvnet(**options: Any) -> keras.Model:
    return models.DeconvNet(3, (32, 64, 3), width=1 / 32, class_names=CLASSES, **options)


LAYERS = {
    "BatchNormalization": Golden(
        lambda: layer_model((4, 5, 3), layers.BatchNormalization(epsilon=0.5)), (2, 4, 5, 3)
    ),
    "Bilinear": Golden(lambda: layer_model((4, 5, 3), deconvolve), (2, 4, 5, 3)),
    "Crop": Golden(lambda: layer_model((None, None, 2), crop), (2, 5, 7, 2)),
    "DenseMap": Golden(
        lambda: layer_model((2, 3, 4), layers.DenseMap(3, 1, 2, activation="relu")), (2, 2, 3, 4)
    ),
    "MaxPoolWithArgmax": Golden(
        lambda: layer_model((5, 7, 2), layers.MaxPoolWithArgmax((3, 2))), (2, 5, 7, 2)
    ),
    "Preprocess": Golden(
        lambda: layer_model((4, 5, 3), layers.Preprocess(), "uint8"), (2, 4, 5, 3), "uint8"
    ),
    "RequireSize": Golden(
        lambda: layer_model((None, None, 3), layers.RequireSize(4, (4, 8))), (2, 8, 12, 3)
    ),
    "Scores": Golden(lambda: layer_model((4, 5, 3), layers.Scores(CLASSES)), (2, 4, 5, 3)),
    "Unpool": Golden(lambda: layer_model((5, 7, 2), unpool), (2, 5, 7, 2)),
}
NETWORKS = {
    "deconvnet": Golden(deconvnet, (2, 32, 64, 3)),
    "fcn8s": fcn("fcn8s"),
    "fcn16s": fcn("fcn16s"),
    "fcn32s": fcn("fcn32s"),
}
# Compiled into a network: what `--resume` opens again.
LOSSES_AND_METRICS: dict[str, Callable[[], Any]] = {
    "CrossEntropy": lambda: CrossEntropy(ignore_label=7, name="loss_of_mine"),
    "MeanIoU": lambda: MeanIoU(3, ignore_label=7, name="iou_of_mine"),
}
GOLDENS = LAYERS | NETWORKS
