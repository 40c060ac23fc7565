"""The networks by name, for commands."""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.models import frrn
from tfdeconv.models.deconvnet import DeconvNet
from tfdeconv.models.deep_contextual import DeepContextual
from tfdeconv.models.deeplab import DeepLabASPP, DeepLabLargeFOV
from tfdeconv.models.fcn import FCN8s, FCN16s, FCN32s
from tfdeconv.models.frrn import FRRNA, FRRNB
from tfdeconv.models.fusionnet import FusionNet
from tfdeconv.models.pspnet import PSPNet
from tfdeconv.models.segnet import SegNet
from tfdeconv.models.unet import UNet

# Channels of the first convolution of VGG-16, ResNet, U-Net and FusionNet.
FIRST_FILTERS = 64
_NETWORKS: dict[str, Callable[..., keras.Model]] = {
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


def list_models() -> list[str]:
    """Returns the names that `build` knows, in alphabetical order.

    Example:

    >>> [name for name in list_models() if name.startswith("fcn")]
    ['fcn16s', 'fcn32s', 'fcn8s']
    """
    return sorted(_NETWORKS)


def build(name: str, **kwargs: Any) -> keras.Model:
    """Builds a network by its name.

    Args:
        name: One of `list_models()`.
        **kwargs: Arguments of the network's function; the same first ones for every network.

    Returns:
        A functional `keras.Model` from RGB in [0, 255] to scores.

    Raises:
        UserError: for an unknown name; the message offers the nearest known one.

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


def width_of(model: keras.Model) -> float | None:
    """Returns the factor on the channels that a network was built with.

    Args:
        model: One that `build` gave, or any other whose first convolution is VGG-16's `conv1_1`.

    Returns:
        The factor, None for a network that this package does not know.

    Example:

    >>> width_of(build("unet", num_classes=2, width=1 / 8))
    0.125
    """
    first = next((one for one in model.layers if isinstance(one, keras.layers.Conv2D)), None)
    if first is None or (first.name != "conv1_1" and model.name not in _NETWORKS):
        return None
    return first.filters / (frrn.FILTERS if model.name in ("frrn_a", "frrn_b") else FIRST_FILTERS)


def takes(name: str, argument: str) -> bool:
    """Returns whether the network `name` has an argument, such as `batch_norm`.

    Example:

    >>> takes("unet", "batch_norm"), takes("frrn_a", "batch_norm")
    (True, False)
    """
    return argument in inspect.signature(_NETWORKS[name]).parameters
