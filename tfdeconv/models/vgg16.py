"""VGG-16 as a fully convolutional encoder, as FCN takes it.

Reference:
    Karen Simonyan, Andrew Zisserman. Very Deep Convolutional Networks for Large-Scale Image
    Recognition. ICLR 2015. Table 1, column D.
"""

from keras import layers

from tfdeconv.models.base import Tensor
from tfdeconv.models.blocks import Initializer, fresh, normalised, scaled

# Output channels of every convolution, stage 1 to 5: Table 1, column D.
STAGE_FILTERS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FC_FILTERS = 4096


def vgg16(
    x: Tensor,
    width: float = 1.0,
    padding: int = 1,
    dropout: float = 0.5,
    kernel_initializer: Initializer = "he_normal",
    batch_norm: bool = False,
) -> dict[str, Tensor]:
    """Applies VGG-16 up to its last hidden layer, with `fc6` and `fc7` as convolutions.

    Poolings keep a last window that is cut off by the border, as Caffe does: a map of 7 rows
    becomes one of 4. `fc6` is 7x7 without padding.

    Args:
        x: `(batch, height, width, 3)` preprocessed images.
        width: Factor on the number of channels.
        padding: Zeros around the image in `conv1_1`. FCN's 100 make `fc6` fit an image of any size.
        dropout: Dropout rate of `fc6` and `fc7`.
        kernel_initializer: Keras initializer of the kernels.
        batch_norm: Whether to normalise between every convolution and its ReLU.

    Returns:
        Maps by name: `pool3`, 256 * width channels, one vector for 8x8 pixels; `pool4`, 512 *
        width, one for 16x16; `fc7`, 4096 * width, one for 32x32.
    """

    def convolve(
        x: Tensor, count: int, size: int, suffix: str, border: str, prefix: str = "conv"
    ) -> Tensor:
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
    features = {}
    for stage, filters in enumerate(STAGE_FILTERS, start=1):
        for index, count in enumerate(filters, start=1):
            first = stage == index == 1
            x = convolve(x, count, 3, f"{stage}_{index}", "valid" if first else "same")
        x = layers.MaxPooling2D(
            2, padding="same", data_format="channels_last", name=f"pool{stage}"
        )(x)
        features[f"pool{stage}"] = x
    for suffix, size in (("6", 7), ("7", 1)):
        x = convolve(x, FC_FILTERS, size, suffix, "valid", prefix="fc")
        x = layers.Dropout(dropout, name=f"drop{suffix}")(x)
    return {"pool3": features["pool3"], "pool4": features["pool4"], "fc7": x}
