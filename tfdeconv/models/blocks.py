"""Units that networks are drawn with: functions from tensors to tensors.

Names of layers are the caller's, because weights are loaded by name.
"""

from typing import TypeAlias

import keras
from keras import layers

from tfdeconv.layers import BatchNormalization

# The release adds 1e-9 to the variance; TensorFlow's fused kernel takes no less than 1.001e-5.
BATCH_NORM_EPSILON = 1.001e-5
# Statistics of the last ten or so batches: short trainings must not carry those of the first.
BATCH_NORM_MOMENTUM = 0.9

Initializer: TypeAlias = str | keras.initializers.Initializer
Size: TypeAlias = int | tuple[int, int]


def scaled(count: int, width: float) -> int:
    """Returns a number of channels times the factor of a network, at least 1."""
    return max(1, round(width * count))


def conv_unit(
    x: keras.KerasTensor,
    filters: int,
    size: Size,
    name: str,
    kernel_initializer: Initializer,
    bn_name: str | None = None,
    relu_name: str | None = None,
    strides: int = 1,
    dilation: int = 1,
    use_bias: bool = True,
    padding: str = "same",
) -> keras.KerasTensor:
    """Applies a convolution, with batch normalisation and ReLU where they have a name.

    With strides the first window is centred on the first pixel, as Caffe and PyTorch place it with
    padding `size // 2`; TensorFlow's "same" moves windows of stride 2 by a pixel where the side is
    even.

    Args:
        x: `(batch, height, width, channels)` tensor.
        filters: Output channels.
        size: Side of the kernel, or height and width; odd with "same".
        name: Name of the convolution.
        kernel_initializer: Keras initializer of the kernel.
        bn_name: Name of the batch normalisation, None for none.
        relu_name: Name of the ReLU, None for none.
        strides: Step of the windows.
        dilation: Distance of the taps of the kernel; 1 where there are strides.
        use_bias: Whether the convolution has a bias.
        padding: "same" or "valid".

    Returns:
        `(batch, ceil(height / strides), ceil(width / strides), filters)` tensor.
    """
    if strides > 1 and isinstance(size, int) and size > 1:
        x = layers.ZeroPadding2D(size // 2, data_format="channels_last", name=f"{name}_pad")(x)
        padding = "valid"
    x = layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        use_bias=use_bias,
        kernel_initializer=_fresh(kernel_initializer),
        data_format="channels_last",
        name=name,
    )(x)
    return _normalised(x, bn_name, relu_name)


def deconv_unit(
    x: keras.KerasTensor,
    filters: int,
    size: Size,
    name: str,
    kernel_initializer: Initializer,
    bn_name: str | None = None,
    relu_name: str | None = None,
    strides: int = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    """Applies a transposed convolution, with batch normalisation and ReLU where they have a name.

    Arguments are those of `conv_unit`.
    """
    x = layers.Conv2DTranspose(
        filters,
        size,
        strides=strides,
        padding=padding,
        kernel_initializer=_fresh(kernel_initializer),
        data_format="channels_last",
        name=name,
    )(x)
    return _normalised(x, bn_name, relu_name)


def caffe_pool(x: keras.KerasTensor, name: str, strides: int = 2) -> keras.KerasTensor:
    """Applies the 3x3 max pooling of DeepLab and ResNet, with windows where Caffe has them.

    Windows are centred on every `strides`-th pixel from the first on; with stride 2, one more
    follows the last pixel of an even side.

    Args:
        x: `(batch, height, width, channels)` tensor, not negative: the border is filled with zeros.
        name: Name of the pooling.
        strides: 1 or 2.

    Returns:
        `(batch, height // 2 + 1, width // 2 + 1, channels)` tensor, the size of `x` for stride 1.
    """
    if strides == 1:
        return layers.MaxPooling2D(3, 1, padding="same", data_format="channels_last", name=name)(x)
    x = layers.ZeroPadding2D(((1, 2), (1, 2)), data_format="channels_last", name=f"{name}_pad")(x)
    return layers.MaxPooling2D(3, strides, data_format="channels_last", name=name)(x)


def _fresh(initializer: Initializer) -> Initializer:
    # An instance that is used twice draws the same numbers again.
    return initializer if isinstance(initializer, str) else initializer.clone()


def _normalised(
    x: keras.KerasTensor, bn_name: str | None, relu_name: str | None
) -> keras.KerasTensor:
    if bn_name is not None:
        x = BatchNormalization(
            momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=bn_name
        )(x)
    return x if relu_name is None else layers.ReLU(name=relu_name)(x)
