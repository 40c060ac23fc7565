"""The networks, each a functional Keras model, and how saved models are opened.

Importing this package registers every class of tfdeconv that a saved model may hold, except those
of `tfdeconv.hub`. Keras then opens files that name them.
"""

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.models.base import SegmentationModel
from tfdeconv.models.cam import CAM, class_activation_maps
from tfdeconv.models.deconvnet import DeconvNet
from tfdeconv.models.deep_contextual import DeepContextual
from tfdeconv.models.deeplab import DeepLabASPP, DeepLabLargeFOV
from tfdeconv.models.fcn import FCN8s, FCN16s, FCN32s
from tfdeconv.models.frrn import FRRNA, FRRNB
from tfdeconv.models.fusionnet import FusionNet
from tfdeconv.models.pspnet import PSPNet
from tfdeconv.models.saved import (
    class_names,
    load_for_inference,
    load_model,
    palette,
    set_palette,
)
from tfdeconv.models.segnet import SegNet
from tfdeconv.models.unet import UNet

__all__ = [
    "CAM",
    "DeconvNet",
    "DeepContextual",
    "DeepLabASPP",
    "DeepLabLargeFOV",
    "FCN16s",
    "FCN32s",
    "FCN8s",
    "FRRNA",
    "FRRNB",
    "FusionNet",
    "PSPNet",
    "SegNet",
    "SegmentationModel",
    "UNet",
    "build",
    "class_activation_maps",
    "class_names",
    "list_models",
    "load_for_inference",
    "load_model",
    "palette",
    "set_palette",
    "takes",
    "width_of",
]

_NETWORKS: dict[str, Callable[..., SegmentationModel]] = {
    "deconvnet": DeconvNet,
    "deep_contextual": DeepContextual,
    "deeplab_aspp": DeepLabASPP,
    "deeplab_aspp_resnet101": functools.partial(
        DeepLabASPP, backbone="resnet101", name="deeplab_aspp_resnet101"
    ),
    "deeplab_largefov": DeepLabLargeFOV,
    "fcn8s": FCN8s,
    "fcn16s": FCN16s,
    "fcn32s": FCN32s,
    "frrn_a": FRRNA,
    "frrn_b": FRRNB,
    "fusionnet": FusionNet,
    "pspnet50": functools.partial(PSPNet, depth=50, name="pspnet50"),
    "pspnet101": functools.partial(PSPNet, depth=101, name="pspnet101"),
    "segnet": SegNet,
    "unet": UNet,
}
_VGG16_FIRST_FILTERS = 64


def list_models() -> list[str]:
    """Returns the names that `build` takes, in alphabetical order.

    Example:

    >>> [name for name in list_models() if name.startswith("fcn")]
    ['fcn16s', 'fcn32s', 'fcn8s']
    """
    return sorted(_NETWORKS)


def build(name: str, **kwargs: Any) -> SegmentationModel:
    """Builds a network by its name.

    Args:
        name: One of `list_models()`.
        **kwargs: Arguments of the network. Those of `SegmentationModel` are common to all.

    Returns:
        The network, a functional `keras.Model` from RGB images in [0, 255] to scores.

    Raises:
        UserError: for an unknown name; the message suggests the nearest known one.

    Example:

    >>> build("deconvnet", num_classes=2, input_shape=(32, 32, 3), width=1 / 32).output_shape
    (None, 32, 32, 2)
    """
    if name not in _NETWORKS:
        near = difflib.get_close_matches(name, _NETWORKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(
            f"A network must be one of {', '.join(list_models())}. Received: {name!r}.{hint}"
        )
    return _NETWORKS[name](**kwargs)


def takes(name: str, argument: str) -> bool:
    """Returns whether the network `name` has an argument, such as `batch_norm`.

    Example:

    >>> takes("unet", "batch_norm"), takes("frrn_a", "batch_norm")
    (True, False)
    """
    return argument in inspect.signature(_NETWORKS[name]).parameters


def width_of(model: keras.Model) -> float | None:
    """Returns the factor on the channels that a network was built with.

    Args:
        model: A network of this package, or another model whose first convolution is VGG-16's
            `conv1_1`.

    Returns:
        The factor, None for other models.

    Example:

    >>> width_of(build("unet", num_classes=2, width=1 / 8))
    0.125
    """
    if isinstance(model, SegmentationModel):
        return model.arguments["width"]
    first = next((one for one in model.layers if isinstance(one, keras.layers.Conv2D)), None)
    return first.filters / _VGG16_FIRST_FILTERS if first and first.name == "conv1_1" else None


# By name: training is built upon models.
for _module in ("tfdeconv.metrics", "tfdeconv.training", "tfdeconv.training.losses"):
    importlib.import_module(_module)
