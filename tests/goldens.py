"""The goldens: a small model for every public layer, network, loss and metric.

`test_conformance.py` holds what they promise and fails when a public name is missing here.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import keras
import pytest

from tfdeconv import layers, models
from tfdeconv.metrics import MeanIoU
from tfdeconv.training import losses

CLASSES = ("ground", "tree", "sky")
# Hundreds of layers: saved, exported and converted they take a minute each. And variants.
LARGE = {"deeplab_aspp_resnet101", "frrn_a", "frrn_b", "pspnet50", "pspnet101"}
LARGE |= {"deeplab_aspp", "fcn16s", "fcn32s"}


class Golden(NamedTuple):
    """A small model made of a public name, and an input for it."""

    build: Callable[[], keras.Model]
    shape: tuple[int, ...]
    dtype: str = "float32"


def cases(names: Iterable[str], large: Collection[str] = LARGE) -> list[Any]:
    """Parameters of a test over goldens, the large ones marked so."""
    return [pytest.param(n, marks=pytest.mark.large) if n in large else n for n in names]


def selected(
    request: pytest.FixtureRequest, names: Iterable[str], test: str | None = None
) -> list[str]:
    """Those of `names` that a file's tests, or one of them, are run for, and DeconvNet."""
    items = [item for item in request.session.items if item.path == request.path]
    items = [item for item in items if test is None or item.originalname == test]
    asked = {item.callspec.params.get("name") for item in items if hasattr(item, "callspec")}
    return [name for name in names if name in asked | {"deconvnet"}]


def layer_model(
    shape: tuple[int, ...], apply: Callable[[Any], Any], dtype: str = "float32"
) -> keras.Model:
    inputs = keras.Input(shape, name="x", dtype=dtype)
    return keras.Model(inputs, apply(inputs))


def deconvolve(x: Any) -> Any:
    return keras.layers.Conv2DTranspose(
        4, 3, kernel_initializer=layers.Bilinear(noise=0.5), data_format="channels_last"
    )(x)


def unpool(x: Any) -> Any:
    pooled, argmax = layers.MaxPoolWithArgmax((3, 2))(x)
    return layers.Unpool((3, 2))(pooled, argmax, x)


def crop(x: Any) -> Any:
    return layers.Crop(1)(x, keras.layers.MaxPooling2D(2, data_format="channels_last")(x))


def resize(x: Any) -> Any:
    return layers.Resize()(keras.layers.MaxPooling2D(2, data_format="channels_last")(x), x)


def fcn(name: str) -> Golden:
    return Golden(
        lambda: models.build(name, num_classes=3, width=1 / 64, class_names=CLASSES), (1, 7, 20, 3)
    )


def network(name: str, shape: tuple[int, ...], **options: Any) -> Golden:
    return Golden(
        lambda: models.build(name, num_classes=3, width=1 / 32, class_names=CLASSES, **options),
        shape,
    )


def deconvnet(**options: Any) -> keras.Model:
    return models.DeconvNet(3, (32, 64, 3), width=1 / 32, class_names=CLASSES, **options)


LAYERS = {
    "AdaptiveAveragePool": Golden(
        lambda: layer_model((None, None, 2), layers.AdaptiveAveragePool((2, 3))), (2, 5, 7, 2)
    ),
    "BatchNormalization": Golden(
        lambda: layer_model((4, 5, 3), layers.BatchNormalization(epsilon=0.5)), (2, 4, 5, 3)
    ),
    "Bilinear": Golden(lambda: layer_model((4, 5, 3), deconvolve), (2, 4, 5, 3)),
    "BilinearUpsample": Golden(
        lambda: layer_model((None, None, 2), layers.BilinearUpsample(3)), (2, 5, 7, 2)
    ),
    "Crop": Golden(lambda: layer_model((None, None, 2), crop), (2, 5, 7, 2)),
    "DenseMap": Golden(
        lambda: layer_model((2, 3, 4), layers.DenseMap(3, 1, 2, activation="relu")), (2, 2, 3, 4)
    ),
    "Logits": Golden(lambda: layer_model((4, 5, 3), layers.Logits(CLASSES)), (2, 4, 5, 3)),
    "MaxPoolWithArgmax": Golden(
        lambda: layer_model((5, 7, 2), layers.MaxPoolWithArgmax((3, 2))), (2, 5, 7, 2)
    ),
    "MirrorPad": Golden(lambda: layer_model((None, 7, 2), layers.MirrorPad(3, 4, 1)), (2, 5, 7, 2)),
    "Preprocess": Golden(
        lambda: layer_model((4, 5, 3), layers.Preprocess(), "uint8"), (2, 4, 5, 3), "uint8"
    ),
    "RequireSize": Golden(
        lambda: layer_model((None, None, 3), layers.RequireSize(4, (4, 8))), (2, 8, 12, 3)
    ),
    "Resize": Golden(lambda: layer_model((None, None, 2), resize), (2, 5, 7, 2)),
    "Unpool": Golden(lambda: layer_model((5, 7, 2), unpool), (2, 5, 7, 2)),
}
NETWORKS = {
    "deconvnet": Golden(deconvnet, (2, 32, 64, 3)),
    "deep_contextual": network("deep_contextual", (2, 16, 24, 3)),
    "deeplab_aspp": network("deeplab_aspp", (1, 9, 20, 3)),
    "deeplab_aspp_resnet101": network("deeplab_aspp_resnet101", (1, 9, 20, 3)),
    "deeplab_largefov": network("deeplab_largefov", (1, 9, 20, 3), batch_norm=True),
    "fcn8s": fcn("fcn8s"),
    "fcn16s": fcn("fcn16s"),
    "fcn32s": fcn("fcn32s"),
    "frrn_a": network("frrn_a", (1, 16, 32, 3)),
    "frrn_b": network("frrn_b", (1, 32, 64, 3)),
    "fusionnet": network("fusionnet", (2, 16, 32, 3)),
    "pspnet50": network("pspnet50", (1, 9, 20, 3)),
    "pspnet101": network("pspnet101", (1, 9, 20, 3)),
    "segnet": network("segnet", (2, 17, 22, 3)),
    "unet": network("unet", (1, 7, 20, 3), padding="valid"),
}
# Scores of whole images, not of pixels.
CLASSIFIERS = {
    "CAM": Golden(
        lambda: models.CAM(4, width=1 / 32, class_names=("nothing", *CLASSES), batch_norm=True),
        (2, 20, 33, 3),
    ),
}
# Compiled into a network: what `--resume` opens again.
LOSSES_AND_METRICS: dict[str, Callable[[], Any]] = {
    "CrossEntropy": lambda: losses.CrossEntropy(7, "loss_of_mine", class_weights=(1.0, 2.0, 0.5)),
    "Dice": lambda: losses.Dice(ignore_label=7),
    "Focal": lambda: losses.Focal(0.5, (1.0, 2.0, 0.5), ignore_label=7),
    "Jaccard": lambda: losses.Jaccard(ignore_label=7),
    "LovaszSoftmax": lambda: losses.LovaszSoftmax(ignore_label=7),
    "MeanIoU": lambda: MeanIoU(3, ignore_label=7, name="iou_of_mine"),
    "Tversky": lambda: losses.Tversky(0.2, 0.9, ignore_label=7),
}
GOLDENS = LAYERS | NETWORKS | CLASSIFIERS
# An export takes seconds, and the layers of these three are those of nearly all networks.
LARGE_EXPORTS = LARGE | set(NETWORKS) - {"deconvnet", "fcn8s", "unet"}
