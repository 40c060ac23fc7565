"""VGG-16 as a fully convolutional encoder, as FCN takes it.

Reference:
    Karen Simonyan, Andrew Zisserman. Very Deep Convolutional Networks for Large-Scale Image
    Recognition. ICLR 2015. Table 1, column D.
"""

from typing import NamedTuple

import keras
from keras import layers

from tfdeconv.models.blocks import Initializer, fresh, normalised, scaled

# Output channels of every convolution, stage 1 to 5: Table 1, column D.
STAGE_FILTERS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FC_FILTERS = 4096


class Features(NamedTuple):
    """What the encoder knows of an image, from fine to coarse.

    Attributes:
        pool3: `(batch, rows, columns, 256 * width)`, one vector for 8x8 pixels.
        pool4: `(batch, rows, columns, 512 * width)`, one for 16x16 pixels.
        fc7: `(batch, rows, columns, 4096 * width)`, one for 32x32 pixels.
    """

    pool3: keras.KerasTensor
    pool4: keras.KerasTensor
    fc7: keras.KerasTensor


def vgg16(
    x: keras.KerasTensor,
    width: float = 1.0,
    padding: int = 1,
    dropout: float = 0.5,
    kernel_initializer: Initializer = "he_normal",
    batch_norm: bool = False,
) -> Features:
    """Applies VGG-16 up to its last hidden layer, with `fc6` and `fc7` as convolutions.

    Poolings take a last window that is cut off by the border, as Caffe does: a map of 7 rows
    becomes one of 4. `fc6` is 7x7 without padding.

    Args:
        x: `(batch, height, width, 3)` preprocessed images.
        width: Factor on the number of channels.
        padding: Zeros around the image in `conv1_1`; FCN's 100 leaves `fc6` something to see of
            an image of any size.
        dropout: Share of the outputs of `fc6` and `fc7` that training drops.
        kernel_initializer: Keras initialiser of the kernels.
        batch_norm: Whether to normalise between every convolution and its ReLU.

    Returns:
        The `Features`.
    """

    def convolve(
        x: keras.KerasTensor, count: int, size: int, suffix: str, border: str, prefix: str = "conv"
    ) -> keras.KerasTensor:
        convolution = layers.Conv2D(
            scaled(count, width),
            size,
            padding=border,
            kernel_initializer=fresh(kernel_initializer),
            data_format="channels_last",
            name=f"{prefix}{suffix}",
        )
        norm = f"bn{'fc' if prefix == 'fc' else ''}{suffix}" if batch_norm else None
        return normalised(convolution, x, norm, f"relu{suffix}")

    x = layers.ZeroPadding2D(padding, data_format="channels_last", name="padding")(x)
    pooled = []
    for stage, filters in enumerate(STAGE_FILTERS, start=1):
        for index, count in enumerate(filters, start=1):
            first = stage == index == 1
            x = convolve(x, count, 3, f"{stage}_{index}", "valid" if first else "same")
        x = layers.MaxPooling2D(
            2, padding="same", data_format="channels_last", name=f"pool{stage}"
        )(x)
        pooled.append(x)
    for suffix, size in (("6", 7), ("7", 1)):
        x = convolve(x, FC_FILTERS, size, suffix, "valid", prefix="fc")
        x = layers.Dropout(dropout, name=f"drop{suffix}")(x)
    return Features(pooled[2], pooled[3], x)
