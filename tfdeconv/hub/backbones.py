"""KerasHub backbones: the networks without their heads."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import keras_hub

from tfdeconv.models import DeconvNet, FCN8s, SegmentationModel, SegNet


class NetworkBackbone(keras_hub.models.Backbone):
    """A network of `tfdeconv.models` without its head: the base of the backbones.

    Args:
        image_shape: `(height, width, 3)`; height and width may be None. By default that of the
            network.
        width: Factor on the number of channels. The published network has 1.
        dtype: None or a policy of Keras.
        **kwargs: `name`, `trainable`, and the arguments of the network in `options`.

    Raises:
        ValueError: when an argument is out of range.
        TypeError: for an unknown argument.
    """

    network_cls: type[Any]
    options: tuple[str, ...] = ()

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] | None = None,
        width: float = 1.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        known = ("image_shape", "width", *self.options, "dtype", "name", "trainable")
        refuse_unknown(type(self), kwargs, known)
        arguments = {name: kwargs.pop(name) for name in self.options if name in kwargs}
        if image_shape is not None:
            arguments["input_shape"] = image_shape
        for name, value in arguments.items():
            arguments[name] = tuple(value) if isinstance(value, list) else value

        # === Functional Model ===
        with layers_in(dtype):
            network = self.network_cls(num_classes=2, width=width, **arguments)
        outputs = self._outputs(network)
        super().__init__(inputs=network.input, outputs=outputs, dtype=dtype, **kwargs)

        # === Config ===
        self.image_shape = network.arguments["input_shape"]
        self.width = width
        for name in self.options:
            setattr(self, name, network.arguments[name])

    def _outputs(self, network: SegmentationModel) -> Any:
        return network.decoder_outputs[0]

    def default_lora_layer_names(self) -> list[str]:
        """Returns the convolutions; Keras has no LoRA for deconvolutions, which stay frozen."""
        return [layer.name for layer in self.layers if isinstance(layer, keras.layers.Conv2D)]

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal backbone, without its weights."""
        own = {name: getattr(self, name) for name in ("image_shape", "width", *self.options)}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNetBackbone(NetworkBackbone):
    """DeconvNet up to the map that `seg-score-voc` scores, as large as the image.

    Args:
        image_shape: `(height, width, 3)`, multiples of 32. With `(None, None, 3)` the network takes
            every multiple of 32 from the size of `fc6` on.
        width: Factor on the number of channels. The paper's network has 1.
        fc6_kernel: Side, or height and width, of the kernel of `fc6`. By default the last map,
            input/32, or 7 where the input is open. A preset keeps it, so that it opens for other
            sizes: `from_preset(directory, image_shape=(None, None, 3))`.
        dtype: None or a policy of Keras.
        **kwargs: `name` and `trainable`.

    Input shape:
        `(batch, height, width, 3)` RGB in [0, 255].

    Output shape:
        `(batch, height, width, 64 * width)`.

    Raises:
        ValueError: when an argument is out of range.
        TypeError: for an unknown argument.

    Example:

    >>> from tfdeconv.hub import DeconvNetBackbone
    >>> DeconvNetBackbone(image_shape=(32, 64, 3), width=1 / 32).output_shape
    (None, 32, 64, 2)
    """

    network_cls = DeconvNet
    options = ("fc6_kernel",)


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNetBackbone(NetworkBackbone):
    """SegNet up to the map that `conv1_1_D` scores, `(batch, height, width, 64 * width)`.

    It takes images of every size. Arguments and errors: see `DeconvNetBackbone`, which has one more
    (`fc6_kernel`).

    Example:

    >>> from tfdeconv.hub import SegNetBackbone
    >>> SegNetBackbone(width=1 / 32).output_shape
    (None, None, None, 2)
    """

    network_cls = SegNet


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNBackbone(NetworkBackbone):
    """VGG-16 as FCN takes it, up to what it scores.

    The output is a dictionary of `pool3`, `pool4` and `fc7`, one vector for 8x8, 16x16 and 32x32
    pixels. It takes images of every size.

    Args:
        dropout: Dropout rate of `fc6` and `fc7`, 0.5 by default.
        batch_norm: Whether to normalise between every convolution and its ReLU.

    All other arguments and errors: see `DeconvNetBackbone`.

    Example:

    >>> from tfdeconv.hub import FCNBackbone
    >>> sorted(FCNBackbone(width=1 / 32).output)
    ['fc7', 'pool3', 'pool4']
    """

    network_cls = FCN8s
    options = ("dropout", "batch_norm")

    def _outputs(self, network: SegmentationModel) -> Any:
        fc7, pool4, pool3, _ = network.encoder_outputs
        return {"pool3": pool3, "pool4": pool4, "fc7": fc7}


@contextlib.contextmanager
def layers_in(dtype: Any) -> Iterator[None]:
    """Makes layers that are built inside follow a policy; Keras keeps it thread by thread.

    Args:
        dtype: A name, a `keras.DTypePolicy` or a map of them by layer; None for Keras's own.
    """
    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(keras.dtype_policies.get(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def refuse_unknown(kind: type, kwargs: dict[str, Any], known: tuple[str, ...]) -> None:
    """Refuses arguments that a class does not have, which Keras's functional models ignore.

    Raises:
        TypeError: for any that is not among `known`.
    """
    unknown = [name for name in kwargs if name not in known]
    if unknown:
        hint = " Give `image_shape`" if "input_shape" in unknown and "image_shape" in known else ""
        raise TypeError(
            f"`{kind.__name__}` must be given arguments that it has: {', '.join(known)}. "
            f"Received: {', '.join(unknown)}.{hint}"
        )
