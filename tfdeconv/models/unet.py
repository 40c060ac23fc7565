"""U-Net: every step up takes the map of the same size of the way down, by concatenation.

Reference:
    Olaf Ronneberger, Philipp Fischer, Thomas Brox. U-Net: Convolutional Networks for Biomedical
    Image Segmentation. MICCAI 2015. Section 2 and Figure 1.
"""

from functools import partial

import keras
from keras import layers

from tfdeconv.layers import Crop, Logits, MirrorPad
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer, conv_unit, deconv_unit, scaled

# Output channels of the two convolutions of a level, from the image's own size down: Figure 1.
FILTERS = (64, 128, 256, 512, 1024)
DEEPEST = len(FILTERS) - 1
STRIDE = 2**DEEPEST
# Without padding: what the network takes off every side of its input (572 to 388 pixels), and the
# sizes whose maps can be halved four times, 12 more than a multiple of 16.
MARGIN = 92
REMAINDER = 12
# By how much the map of the way down is larger than that of the way up, on every side and level.
SKIP_CROPS = (88, 40, 16, 4)


@keras.saving.register_keras_serializable(package="tfdeconv")
class UNet(SegmentationModel):
    """U-Net.

    Four times two 3x3 convolutions and a pooling, two convolutions at the bottom, and four times an
    up-convolution (2x2, stride 2), the concatenation with the map of the way down, and two
    convolutions. Layers have the names of the release. 31,033,045 weights for 21 classes.

    Args:
        input_shape: `(height, width, 3)`. With the default, `(None, None, 3)`, the network takes
            all multiples of 16 with "same", and every size with "valid".
        padding: "same", zero padding, or "valid" as in the paper: convolutions without padding, of
            which 572x572 pixels give scores of the central 388x388. So that all pixels get scores,
            the model extends the image by 92 pixels on every side by reflection, as the paper's
            overlap-tile strategy does, and by up to 15 more at the bottom and right. For 388x388
            pixels it is exactly the network of Figure 1. Weights of one kind fit the other.
        batch_norm: Whether to normalise between every convolution and its ReLU. The paper does not;
            from scratch, the network learns faster with it.
        dropout: Dropout rate of the two deepest levels of the way down (`dropout_d3c` and
            `dropout_d4c` of the release).

    All other arguments, shapes and errors: see `SegmentationModel`.

    Example:

    >>> UNet(num_classes=3, input_shape=(48, 64, 3), width=1 / 16).output_shape
    (None, 48, 64, 3)

    Reference:
        Figure 1 of the paper; layer names of `phseg_v5-train.prototxt`.
    """

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (None, None, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        kernel_initializer: Initializer = "he_normal",
        padding: str = "same",
        batch_norm: bool = False,
        dropout: float = 0.5,
        name: str = "unet",
    ) -> None:
        arguments = dict(locals())
        if padding not in ("same", "valid"):
            raise ValueError(f'`padding` must be "same" or "valid". Received: padding={padding!r}')
        convolve = partial(
            _convolve, width=width, initializer=kernel_initializer, batch_norm=batch_norm
        )
        multiple = STRIDE if padding == "same" else 1
        inputs, x = begin(num_classes, class_names, input_shape, multiple)
        # What the scores are cropped to.
        image = [inputs] if padding == "valid" else []
        if padding == "valid":
            x = MirrorPad(MARGIN, STRIDE, REMAINDER, name="mirror")(x)

        # === Way down ===
        skips = []
        for level in range(len(FILTERS)):
            x = convolve(x, level, f"conv_d{level}a-b", f"d{level}b", padding=padding)
            x = convolve(x, level, f"conv_d{level}b-c", f"d{level}c", padding=padding)
            if level >= DEEPEST - 1:
                x = layers.Dropout(dropout, name=f"dropout_d{level}c")(x)
            if level < DEEPEST:
                skips.append(x)
                pool = f"pool_d{level}c-{level + 1}a"
                x = layers.MaxPooling2D(2, data_format="channels_last", name=pool)(x)
        encoder = [x, *skips, *image]

        # === Way up ===
        source = f"d{DEEPEST}c"
        for level in reversed(range(DEEPEST)):
            x = convolve(x, level, f"upconv_{source}_u{level}a", f"u{level}a", upsample=True)
            skip = skips[level]
            if padding == "valid":
                skip = Crop(SKIP_CROPS[level], name=f"crop_d{level}c-d{level}cc")(skip, x)
            x = layers.Concatenate(name=f"concat_d{level}cc_u{level}a-b")([x, skip])
            x = convolve(x, level, f"conv_u{level}b-c", f"u{level}c", padding=padding)
            x = convolve(x, level, f"conv_u{level}c-d", f"u{level}d", padding=padding)
            source = f"u{level}d"
        decoder = [x, *image]

        x = conv_unit(x, num_classes, 1, "conv_u0d-score", kernel_initializer)
        if padding == "valid":
            x = Crop(0, name="crop_score")(x, inputs)
        x = Logits(class_names, name="scores")(x)
        super().__init__(inputs, x, encoder, decoder, arguments)


def _convolve(
    x: Tensor,
    level: int,
    name: str,
    result: str,
    width: float,
    initializer: Initializer,
    batch_norm: bool,
    padding: str = "valid",
    upsample: bool = False,
) -> Tensor:
    # The release names a convolution by the maps before and after it, the rest by its result.
    filters, bn_name = scaled(FILTERS[level], width), f"bn_{result}" if batch_norm else None
    if upsample:
        return deconv_unit(x, filters, 2, name, initializer, bn_name, f"relu_{result}", 2, padding)
    return conv_unit(x, filters, 3, name, initializer, bn_name, f"relu_{result}", padding=padding)
