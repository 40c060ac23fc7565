"""FRRN-A and FRRN-B: one stream of the image's own size and one that is pooled, side by side.

Reference:
    Tobias Pohlen, Alexander Hermans, Markus Mathias, Bastian Leibe. Full-Resolution Residual
    Networks for Semantic Segmentation in Street Scenes. CVPR 2017. Figures 2 and 3, Table 1.
"""

import os
from typing import TypeAlias

import keras
from keras import layers

from tfdeconv.layers import BilinearUpsample
from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, conv_unit, fresh, scaled

# Table 1: scale -> channels and number of the full-resolution residual units, on the way down
# (after a pooling each) and on the way up (after an unpooling each).
DOWN = {2: (96, 3), 4: (192, 4), 8: (384, 2), 16: (384, 2)}
UP = {8: (192, 2), 4: (192, 2), 2: (96, 2)}
DOWN_B = DOWN | {32: (384, 2)}
UP_B = {16: (192, 2)} | UP
FILTERS = 48
RESIDUAL_FILTERS = 32
RESIDUAL_UNITS = 3

Weights = str | os.PathLike[str] | None
InputShape = tuple[int | None, int | None, int]
Tensor: TypeAlias = keras.KerasTensor


def FRRNA(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_uniform",
    name: str = "frrn_a",
) -> keras.Model:
    """Builds FRRN-A, which the paper trains on images of 256x512 pixels.

    After a 5x5 convolution and three residual units (`ru1`, ...) the network splits. The residual
    stream keeps the size of the image and 32 channels to the end; nothing but sums happens to it.
    The pooling stream goes down to a 16th and up again. Each of its units, `frru<scale>_<number>`
    on the way down and `frru<scale>_up_<number>` on the way up, joins it with the residual stream,
    pooled, and gives the sum what it finds. Three residual units over both streams end it:
    17,746,901 weights for 21 classes, statistics of batch normalisation not counted.

    The paper's figures leave open what the release settles: convolutions before a normalisation
    have no bias; a unit that changes the number of channels sends its input through a 1x1
    convolution; the pooling stream is unpooled bilinearly, the residual stream's share by
    repetition. Images are centred by ImageNet's mean, but not scaled.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`, multiples of 16 (FRRN-B: 32); with the default,
            `(None, None, 3)`, the network takes images of every such size.
        width: Factor on the number of channels of both streams, the paper's being 1.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`.

    Raises:
        ValueError: when an argument is out of its range; the message names the nearest right one.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> FRRNA(num_classes=3, input_shape=(32, 48, 3), width=1 / 16).output_shape
    (None, 32, 48, 3)

    Reference:
        `FRRNABuilder` and `FRRNBBuilder` of the release's `dltools/architectures.py`.
    """
    network = _Network(width, kernel_initializer)
    inputs, x = arguments.begin(num_classes, class_names, input_shape, max(DOWN))
    x = network.build(x, num_classes, DOWN, UP)
    return arguments.finish(inputs, x, class_names, weights, name)


def FRRNB(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_uniform",
    name: str = "frrn_b",
) -> keras.Model:
    """Builds FRRN-B: FRRN-A with a pooling more, which the paper trains on 512x1024 pixels.

    Arguments, result and errors are those of `FRRNA`; sides are multiples of 32. 24,755,797 weights
    for 21 classes.

    Example:

    >>> FRRNB(num_classes=3, input_shape=(32, 64, 3), width=1 / 16).output_shape
    (None, 32, 64, 3)
    """
    network = _Network(width, kernel_initializer)
    inputs, x = arguments.begin(num_classes, class_names, input_shape, max(DOWN_B))
    x = network.build(x, num_classes, DOWN_B, UP_B)
    return arguments.finish(inputs, x, class_names, weights, name)


class _Network:
    """The parts of both networks, of one width and initialiser."""

    def __init__(self, width: float, kernel_initializer: Initializer) -> None:
        self._filters = scaled(FILTERS, width)
        self._residual_filters = scaled(RESIDUAL_FILTERS, width)
        self._width = width
        self._initializer = kernel_initializer

    def build(
        self,
        x: Tensor,
        num_classes: int,
        down: dict[int, tuple[int, int]],
        up: dict[int, tuple[int, int]],
    ) -> Tensor:
        """Returns the scores."""
        x = self._convolve(x, self._filters, 5, "conv1")
        for index in range(1, RESIDUAL_UNITS + 1):
            x = self._residual_unit(x, f"ru{index}")

        # === The two streams ===
        residual = conv_unit(
            x, self._residual_filters, 1, "split", self._initializer, bn_name="split_bn"
        )
        for scale, (filters, units) in down.items():
            x = layers.MaxPooling2D(2, data_format="channels_last", name=f"pool{scale}")(x)
            for index in range(1, units + 1):
                x, residual = self._full_unit(x, residual, scale, filters, f"frru{scale}_{index}")
        for scale, (filters, units) in up.items():
            x = BilinearUpsample(2, name=f"unpool{scale}")(x)
            for index in range(1, units + 1):
                unit = f"frru{scale}_up_{index}"
                x, residual = self._full_unit(x, residual, scale, filters, unit)
        x = BilinearUpsample(2, name="unpool1")(x)
        x = layers.Concatenate(name="join")([x, residual])

        for index in range(1, RESIDUAL_UNITS + 1):
            x = self._residual_unit(x, f"ru_up{index}")
        return conv_unit(x, num_classes, 1, "score", self._initializer, use_bias=True)

    def _convolve(self, x: Tensor, filters: int, size: int, name: str, relu: bool = True) -> Tensor:
        relu_name = f"{name}_relu" if relu else None
        return conv_unit(x, filters, size, name, self._initializer, f"{name}_bn", relu_name)

    def _residual_unit(self, x: Tensor, name: str) -> Tensor:
        """Figure 2a of the paper: two convolutions and the sum with the input, no ReLU after it."""
        shortcut = x
        if x.shape[-1] != self._filters:
            shortcut = conv_unit(x, self._filters, 1, f"{name}_proj", self._initializer)
        x = self._convolve(x, self._filters, 3, f"{name}_conv1")
        x = self._convolve(x, self._filters, 3, f"{name}_conv2", relu=False)
        return layers.Add(name=name)([x, shortcut])

    def _full_unit(
        self, x: Tensor, residual: Tensor, scale: int, filters: int, name: str
    ) -> tuple[Tensor, Tensor]:
        """Figure 3: from the two streams to what both are after the unit."""
        filters = scaled(filters, self._width)
        seen = layers.MaxPooling2D(scale, data_format="channels_last", name=f"{name}_pool")(
            residual
        )
        x = layers.Concatenate(name=f"{name}_concat")([x, seen])
        x = self._convolve(x, filters, 3, f"{name}_conv1")
        x = self._convolve(x, filters, 3, f"{name}_conv2")
        found = layers.Conv2D(
            self._residual_filters,
            1,
            kernel_initializer=fresh(self._initializer),
            data_format="channels_last",
            name=f"{name}_residual",
        )(x)
        found = layers.UpSampling2D(scale, data_format="channels_last", name=f"{name}_unpool")(
            found
        )
        return x, layers.Add(name=name)([residual, found])
