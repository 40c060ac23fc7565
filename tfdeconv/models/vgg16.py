"""VGG-16 as a fully convolutional encoder.

Reference:
    Karen Simonyan, Andrew Zisserman. Very Deep Convolutional Networks for Large-Scale Image
    Recognition. ICLR 2015. Table 1, column D.
"""

from keras import layers

from tfdeconv.models.base import Tensor
from tfdeconv.models.blocks import Initializer, conv_unit, scaled

# Output channels of every convolution, stage 1 to 5: Table 1, column D.
STAGE_FILTERS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FC_FILTERS = 4096


def vgg16_stage(
    x: Tensor,
    stage: int,
    width: float,
    kernel_initializer: Initializer,
    batch_norm: bool,
    dilation: int = 1,
    padding: str = "same",
) -> Tensor:
    """Applies the convolutions of a stage: `conv<stage>_1`, `bn<stage>_1`, `relu<stage>_1`, ...

    Args:
        x: `(batch, height, width, channels)` tensor.
        stage: 1 to 5.
        width: Factor on the number of channels.
        kernel_initializer: Keras initializer of the kernels.
        batch_norm: Whether to normalise between every convolution and its ReLU.
        dilation: Distance of the taps of the kernels.
        padding: That of the first convolution; the others have "same".

    Returns:
        `(batch, height, width, channels')` tensor.
    """
    for index, count in enumerate(STAGE_FILTERS[stage - 1], start=1):
        suffix = f"{stage}_{index}"
        x = conv_unit(
            x,
            scaled(count, width),
            3,
            f"conv{suffix}",
            kernel_initializer,
            f"bn{suffix}" if batch_norm else None,
            f"relu{suffix}",
            dilation=dilation,
            padding=padding if index == 1 else "same",
        )
    return x


def vgg16(
    x: Tensor,
    width: float = 1.0,
    padding: int = 1,
    dropout: float = 0.5,
    kernel_initializer: Initializer = "he_normal",
    batch_norm: bool = False,
) -> dict[str, Tensor]:
    """Applies VGG-16 up to its last hidden layer, with `fc6` and `fc7` as convolutions, as in FCN.

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
    x = layers.ZeroPadding2D(padding, data_format="channels_last", name="padding")(x)
    features = {}
    for stage in range(1, 6):
        border = "valid" if stage == 1 else "same"
        x = vgg16_stage(x, stage, width, kernel_initializer, batch_norm, padding=border)
        x = layers.MaxPooling2D(
            2, padding="same", data_format="channels_last", name=f"pool{stage}"
        )(x)
        features[f"pool{stage}"] = x
    for name, size in (("6", 7), ("7", 1)):
        norm, filters = f"bnfc{name}" if batch_norm else None, scaled(FC_FILTERS, width)
        initializer = kernel_initializer
        x = conv_unit(
            x, filters, size, f"fc{name}", initializer, norm, f"relu{name}", padding="valid"
        )
        x = layers.Dropout(dropout, name=f"drop{name}")(x)
    return {"pool3": features["pool3"], "pool4": features["pool4"], "fc7": x}
