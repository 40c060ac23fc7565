"""Stages that networks are drawn with: functions from tensors to tensors.

Every convolution has a bias and is followed by batch normalisation and ReLU, as in the release of
DeconvNet. Names are given by the caller, since weights are loaded by name.
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


def fresh(initializer: Initializer) -> Initializer:
    """Returns a copy of an initialiser for one layer: an instance draws the same numbers again."""
    return initializer if isinstance(initializer, str) else initializer.clone()


def normalised(
    convolution: layers.Layer, x: keras.KerasTensor, bn_name: str, relu_name: str
) -> keras.KerasTensor:
    """Applies a (transposed) convolution, batch normalisation and ReLU.

    Args:
        convolution: The layer to apply first.
        x: `(batch, height, width, channels)` tensor.
        bn_name: Name of the batch normalisation.
        relu_name: Name of the ReLU.

    Returns:
        `(batch, height', width', filters)` tensor.
    """
    x = convolution(x)
    x = BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=bn_name)(
        x
    )
    return layers.ReLU(name=relu_name)(x)


def conv_stage(
    x: keras.KerasTensor, stage: int, filters: list[int], kernel_initializer: Initializer
) -> keras.KerasTensor:
    """Applies the 3x3 convolutions `conv<stage>_1`, `conv<stage>_2`, ... of a VGG-16 stage.

    Args:
        x: `(batch, height, width, channels)` tensor.
        stage: 1 to 5.
        filters: Output channels, one entry a convolution.
        kernel_initializer: Keras initialiser of the kernels.

    Returns:
        `(batch, height, width, filters[-1])` tensor.
    """
    for index, count in enumerate(filters, start=1):
        suffix = f"{stage}_{index}"
        convolution = layers.Conv2D(
            count,
            3,
            padding="same",
            kernel_initializer=fresh(kernel_initializer),
            name=f"conv{suffix}",
        )
        x = normalised(convolution, x, f"bn{suffix}", f"relu{suffix}")
    return x


def deconv_stage(
    x: keras.KerasTensor, stage: int, filters: list[int], kernel_initializer: Initializer
) -> keras.KerasTensor:
    """Applies the 3x3 deconvolutions `deconv<stage>_1`, ... that densify an unpooled map.

    Args:
        x: `(batch, height, width, channels)` tensor.
        stage: 1 to 5.
        filters: Output channels, one entry a deconvolution.
        kernel_initializer: Keras initialiser of the kernels.

    Returns:
        `(batch, height, width, filters[-1])` tensor.
    """
    for index, count in enumerate(filters, start=1):
        suffix = f"{stage}_{index}"
        deconvolution = layers.Conv2DTranspose(
            count,
            3,
            padding="same",
            kernel_initializer=fresh(kernel_initializer),
            name=f"deconv{suffix}",
        )
        x = normalised(deconvolution, x, f"debn{suffix}", f"derelu{suffix}")
    return x
