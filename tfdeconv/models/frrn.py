"""FRRN-A and FRRN-B: a stream at the resolution of the image and a pooled one, in parallel.

Reference:
    Tobias Pohlen, Alexander Hermans, Markus Mathias, Bastian Leibe. Full-Resolution Residual
    Networks for Semantic Segmentation in Street Scenes. CVPR 2017. Figures 2 and 3, Table 1.
"""

import keras
from keras import layers

from tfdeconv.layers import BilinearUpsample, Logits
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer, conv_unit, scaled

# Table 1: scale -> channels and number of the full-resolution residual units, on the way down
# (after a pooling each) and on the way up (after an unpooling each).
DOWN = {2: (96, 3), 4: (192, 4), 8: (384, 2), 16: (384, 2)}
UP = {8: (192, 2), 4: (192, 2), 2: (96, 2)}
FILTERS = 48
RESIDUAL_FILTERS = 32
RESIDUAL_UNITS = 3


class _FRRN(SegmentationModel):
    """Both networks, which differ in the scales of their units."""

    _default_name = "frrn_a"
    _down, _up = DOWN, UP

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (None, None, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        kernel_initializer: Initializer = "he_uniform",
        name: str | None = None,
    ) -> None:
        arguments = dict(locals())
        arguments["name"] = name or self._default_name
        units = _Units(width, kernel_initializer)
        inputs, x = begin(num_classes, class_names, input_shape, max(self._down))
        x = units.convolve(x, units.filters, 5, "conv1")
        for index in range(1, RESIDUAL_UNITS + 1):
            x = units.residual(x, f"ru{index}")

        # === The two streams ===
        stream = conv_unit(
            x,
            units.stream_filters,
            1,
            "split",
            kernel_initializer,
            "split_bn",
            use_bias=False,
        )
        for scale, (filters, count) in self._down.items():
            x = layers.MaxPooling2D(2, data_format="channels_last", name=f"pool{scale}")(x)
            for index in range(1, count + 1):
                x, stream = units.full(x, stream, scale, filters, f"frru{scale}_{index}")
        encoder = [x, stream]
        for scale, (filters, count) in self._up.items():
            x = BilinearUpsample(2, name=f"unpool{scale}")(x)
            for index in range(1, count + 1):
                x, stream = units.full(x, stream, scale, filters, f"frru{scale}_up_{index}")
        x = BilinearUpsample(2, name="unpool1")(x)
        x = layers.Concatenate(name="join")([x, stream])

        for index in range(1, RESIDUAL_UNITS + 1):
            x = units.residual(x, f"ru_up{index}")
        decoder = [x]
        x = conv_unit(x, num_classes, 1, "score", kernel_initializer)
        x = Logits(class_names, name="scores")(x)
        super().__init__(inputs, x, encoder, decoder, arguments)


@keras.saving.register_keras_serializable(package="tfdeconv")
class FRRNA(_FRRN):
    """FRRN-A, which the paper trains on images of 256x512 pixels.

    After a 5x5 convolution and three residual units (`ru1`, ...) the network splits. The residual
    stream keeps the size of the image and 32 channels, and is changed by sums alone. The pooling
    stream goes down to a 16th and up again. Each of its units, `frru<scale>_<number>` on the way
    down and `frru<scale>_up_<number>` on the way up, concatenates it with the pooled residual
    stream and adds its result to the residual stream. Three residual units over both streams end
    the network: 17,746,901 weights for 21 classes, without the statistics of batch normalisation.

    Details that the paper's figures leave open follow the release: convolutions before a
    normalisation have no bias; a unit that changes the number of channels has a 1x1 convolution in
    its shortcut; the pooling stream is upsampled bilinearly, what a unit adds to the residual
    stream by repetition. ImageNet's mean is subtracted from images, which are not scaled.

    Args:
        input_shape: `(height, width, 3)`, multiples of 16 (FRRN-B: 32). With the default,
            `(None, None, 3)`, the network takes all of them.

    All other arguments, shapes and errors: see `SegmentationModel`.

    Example:

    >>> FRRNA(num_classes=3, input_shape=(32, 48, 3), width=1 / 16).output_shape
    (None, 32, 48, 3)

    Reference:
        `FRRNABuilder` and `FRRNBBuilder` of the release's `dltools/architectures.py`.
    """


@keras.saving.register_keras_serializable(package="tfdeconv")
class FRRNB(_FRRN):
    """FRRN-B: FRRN-A with one more pooling, which the paper trains on 512x1024 pixels.

    Arguments, shapes and errors: see `FRRNA`. Sides are multiples of 32. 24,755,797 weights for 21
    classes.

    Example:

    >>> FRRNB(num_classes=3, input_shape=(32, 64, 3), width=1 / 16).output_shape
    (None, 32, 64, 3)
    """

    _default_name = "frrn_b"
    _down, _up = DOWN | {32: (384, 2)}, {16: (192, 2)} | UP


class _Units:
    """The units of a network, of one width and initializer."""

    def __init__(self, width: float, initializer: Initializer) -> None:
        self.filters = scaled(FILTERS, width)
        self.stream_filters = scaled(RESIDUAL_FILTERS, width)
        self._width, self._initializer = width, initializer

    def convolve(self, x: Tensor, filters: int, size: int, name: str, relu: bool = True) -> Tensor:
        """Applies a convolution, its normalisation and perhaps ReLU."""
        relu_name = f"{name}_relu" if relu else None
        return conv_unit(
            x, filters, size, name, self._initializer, f"{name}_bn", relu_name, use_bias=False
        )

    def residual(self, x: Tensor, name: str) -> Tensor:
        """Figure 2a of the paper: two convolutions and the sum with the input, no ReLU after it."""
        shortcut = x
        if x.shape[-1] != self.filters:
            shortcut = conv_unit(
                x, self.filters, 1, f"{name}_proj", self._initializer, use_bias=False
            )
        x = self.convolve(x, self.filters, 3, f"{name}_conv1")
        x = self.convolve(x, self.filters, 3, f"{name}_conv2", relu=False)
        return layers.Add(name=name)([x, shortcut])

    def full(
        self, x: Tensor, stream: Tensor, scale: int, filters: int, name: str
    ) -> tuple[Tensor, Tensor]:
        """Figure 3: a full-resolution residual unit, from both streams to both streams."""
        filters = scaled(filters, self._width)
        pooled = layers.MaxPooling2D(scale, data_format="channels_last", name=f"{name}_pool")(
            stream
        )
        x = layers.Concatenate(name=f"{name}_concat")([x, pooled])
        x = self.convolve(x, filters, 3, f"{name}_conv1")
        x = self.convolve(x, filters, 3, f"{name}_conv2")
        added = conv_unit(x, self.stream_filters, 1, f"{name}_residual", self._initializer)
        added = layers.UpSampling2D(scale, data_format="channels_last", name=f"{name}_unpool")(
            added
        )
        return x, layers.Add(name=name)([stream, added])
