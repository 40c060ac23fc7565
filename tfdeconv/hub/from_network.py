"""From a network of `tfdeconv.models`, trained here or imported, to a KerasHub task."""

from collections.abc import Sequence
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.hub.deconvnet import DeconvNetImageSegmenter
from tfdeconv.hub.fcn import STRIDES, FCNImageSegmenter
from tfdeconv.hub.segnet import SegNetImageSegmenter
from tfdeconv.layers import Preprocess
from tfdeconv.models import class_names
from tfdeconv.models import palette as model_palette

# By the layer that gives the scores.
_TASKS: dict[str, Any] = {
    "seg-score-voc": DeconvNetImageSegmenter,
    "conv1_1_D": SegNetImageSegmenter,
    "score_fr": FCNImageSegmenter,
}
# Layers with the most channels of their network, and how many: rounding matters least there.
_WIDEST = {"fc6": 4096, "conv5_1": 512}
_FIRST_NORM = "bn1_1"


def from_network(
    model: keras.Model, palette: Sequence[Sequence[int]] | None = None, **kwargs: Any
) -> Any:
    """Returns a KerasHub task with a copy of the weights of a network, and its preprocessor.

    Args:
        model: A DeconvNet, SegNet or FCN of `tfdeconv.models`, of any width; for example what
            `tfdeconv.load_model` returns of a run folder. It stays as it is.
        palette: None for the colours of the network, or else of PASCAL VOC; or one RGB triple in
            [0, 255] a class.
        **kwargs: `name` and `compile` of the task.

    Returns:
        A `DeconvNetImageSegmenter`, `SegNetImageSegmenter` or `FCNImageSegmenter`, whose
        preprocessor resizes images to the size of `model`, if that has one. `save_to_preset`
        writes it with class names and palette.

    Raises:
        UserError: when `model` is another network, or subtracts another mean from its images, as
            one that `load_segnet_h5` filled.

    Example:

    >>> from tfdeconv.hub import from_network
    >>> from tfdeconv.models import DeconvNet
    >>> task = from_network(DeconvNet(2, (32, 32, 3), width=1 / 32, class_names=("sky", "cloud")))
    >>> task.class_names, task.preprocessor.image_size
    (('sky', 'cloud'), (32, 32))
    """
    names = {layer.name for layer in model.layers}
    colours = model_palette(model) if palette is None else palette
    task = _empty_task(model, names, {"palette": colours, **kwargs})
    if _shapes(task) != _shapes(model):
        raise _unknown(model)
    if _means(task) != _means(model):
        raise UserError(
            "A network must subtract ImageNet's mean to become a KerasHub task. Received: "
            f"{model.name!r} with the mean {_means(model)}. Save it as a .keras file."
        )
    for name in _shapes(task):
        task.get_layer(name).set_weights(model.get_layer(name).get_weights())
    return task


def _empty_task(model: keras.Model, names: set[str], options: dict[str, Any]) -> Any:
    kind = next((kind for head, kind in _TASKS.items() if head in names), None)
    widest = next((name for name in _WIDEST if name in names), None)
    if kind is None or widest is None:
        raise _unknown(model)
    backbone: dict[str, Any] = {}
    if kind is DeconvNetImageSegmenter:
        backbone = {"fc6_kernel": model.get_layer("fc6").kernel_size}
    elif kind is FCNImageSegmenter:
        rate = model.get_layer("drop6").rate
        backbone = {"dropout": rate, "batch_norm": _FIRST_NORM in names}
        skips = ("score_pool3" in names) + ("score_pool4" in names)
        options = {"stride": STRIDES[len(STRIDES) - 1 - skips], **options}
    shape = model.input_shape[1:]
    width = model.get_layer(widest).filters / _WIDEST[widest]
    convert = kind.preprocessor_cls.image_converter_cls
    return kind(
        kind.backbone_cls(image_shape=shape, width=width, **backbone),
        num_classes=model.output_shape[-1],
        preprocessor=kind.preprocessor_cls(convert(None if None in shape else shape[:2])),
        class_names=class_names(model),
        **options,
    )


def _shapes(model: keras.Model) -> dict[str, list[tuple[int, ...]]]:
    weighted = (layer for layer in model.layers if layer.weights)
    return {layer.name: [tuple(w.shape) for w in layer.weights] for layer in weighted}


def _means(model: keras.Model) -> list[tuple[float, ...]]:
    return [layer.mean for layer in model.layers if isinstance(layer, Preprocess)]


def _unknown(model: keras.Model) -> UserError:
    return UserError(
        "A network must be a DeconvNet, SegNet or FCN of `tfdeconv.models` to become a KerasHub "
        f"task. Received: {model.name!r}, input {model.input_shape}, output {model.output_shape}."
    )
