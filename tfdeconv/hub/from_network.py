"""From a network of `tfdeconv.models`, trained here or imported, to a KerasHub task."""

from collections.abc import Sequence
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.hub.segmenters import (
    DeconvNetImageSegmenter,
    FCNImageSegmenter,
    NetworkImageSegmenter,
    SegNetImageSegmenter,
)
from tfdeconv.layers import Preprocess
from tfdeconv.models import DeconvNet, SegNet, class_names, fcn
from tfdeconv.models import palette as model_palette

_TASKS: dict[type[Any], type[NetworkImageSegmenter]] = {
    DeconvNet: DeconvNetImageSegmenter,
    SegNet: SegNetImageSegmenter,
    **dict.fromkeys(fcn.BY_STRIDE.values(), FCNImageSegmenter),
}


def from_network(
    model: keras.Model, palette: Sequence[Sequence[int]] | None = None, **kwargs: Any
) -> NetworkImageSegmenter:
    """Returns a KerasHub task with a copy of the weights of a network, and its preprocessor.

    Args:
        model: A DeconvNet, SegNet or FCN of `tfdeconv.models`, of any width; for example what
            `tfdeconv.load_model` returns of a run folder. It stays as it is.
        palette: None for the colours of the network, or else of PASCAL VOC; or one RGB triple in
            [0, 255] per class.
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
    kind = _TASKS.get(type(model))
    if kind is None:
        raise UserError(
            "A network must be a DeconvNet, SegNet or FCN of `tfdeconv.models` to become a KerasHub"
            f" task. Received: {model.name!r}, input {model.input_shape}, output "
            f"{model.output_shape}."
        )
    arguments, shape = model.arguments, model.input_shape[1:]
    options = {name: arguments[name] for name in kind.backbone_cls.options}
    if kind is FCNImageSegmenter:
        kwargs["stride"] = model.stride
    convert = kind.preprocessor_cls.image_converter_cls
    task = kind(
        kind.backbone_cls(image_shape=shape, width=arguments["width"], **options),
        num_classes=model.output_shape[-1],
        preprocessor=kind.preprocessor_cls(convert(None if None in shape else shape[:2])),
        class_names=class_names(model),
        palette=model_palette(model) if palette is None else palette,
        **kwargs,
    )
    if _means(task) != _means(model):
        raise UserError(
            "A network must subtract ImageNet's mean to become a KerasHub task. Received: "
            f"{model.name!r} with the mean {_means(model)}. Save it as a .keras file."
        )
    for layer in task.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return task


def _means(model: keras.Model) -> list[tuple[float, ...]]:
    return [layer.mean for layer in model.layers if isinstance(layer, Preprocess)]
