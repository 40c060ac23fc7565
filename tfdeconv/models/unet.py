"""U-Net: every step up is given the map of the same size of the way down, by concatenation.

Reference:
    Olaf Ronneberger, Philipp Fischer, Thomas Brox. U-Net: Convolutional Networks for Biomedical
    Image Segmentation. MICCAI 2015. Section 2 and Figure 1.
"""

import os
from functools import partial

import keras
from keras import layers

from tfdeconv.layers import Crop, MirrorPad
from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, fresh, normalised, scaled

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


def UNet(
    num_classes: int = 21,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    width: float = 1.0,
    weights: str | os.PathLike[str] | None = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    padding: str = "same",
    batch_norm: bool = False,
    dropout: float = 0.5,
    name: str = "unet",
) -> keras.Model:
    """Builds U-Net.

    Four times two 3x3 convolutions and a pooling, two convolutions at the bottom, and four times an
    up-convolution (2x2, stride 2), the concatenation with the map of the way down, and two
    convolutions. Layers bear the names of the release. 31,033,045 weights for 21 classes.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`; with the default, `(None, None, 3)`, the network takes
            with "same" all multiples of 16, and with "valid" every size.
        width: Factor on the number of channels, the paper's being 1.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels; the paper's is He's, too.
        padding: "same", the padding with zeros that most users of U-Net take, or "valid", the
            paper's. Its convolutions have none: from 572x572 pixels come scores of the middle
            388x388. So that the scores are those of the whole image, the model continues it by 92
            pixels on every side by its mirror image, as the paper's overlap-tile strategy does, and
            up to 15 more below and to the right. Shown 388x388 pixels, it is the network of
            Figure 1 to the pixel. The weights of one kind fit the other.
        batch_norm: Whether to normalise between every convolution and its ReLU. The paper does not;
            trained from scratch, the network learns sooner with it.
        dropout: Share of the outputs of the two deepest levels of the way down that training drops
            (`dropout_d3c` and `dropout_d4c` of the release).
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`.

    Raises:
        ValueError: when an argument is out of its range; the message names the nearest right one.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> UNet(num_classes=3, input_shape=(48, 64, 3), width=1 / 16).output_shape
    (None, 48, 64, 3)

    Reference:
        Figure 1 of the paper; layer names of `phseg_v5-train.prototxt`.
    """
    if padding not in ("same", "valid"):
        raise ValueError(f'`padding` must be "same" or "valid". Received: padding={padding!r}')

    convolve = partial(
        _convolve, width=width, initializer=kernel_initializer, batch_norm=batch_norm
    )
    multiple = STRIDE if padding == "same" else 1
    inputs, x = arguments.begin(num_classes, class_names, input_shape, multiple)
    if padding == "valid":
        x = MirrorPad(MARGIN, STRIDE, REMAINDER, name="mirror")(x)
    skips = []
    for level in range(len(FILTERS)):
        x = convolve(x, level, f"conv_d{level}a-b", f"d{level}b", padding=padding)
        x = convolve(x, level, f"conv_d{level}b-c", f"d{level}c", padding=padding)
        if level >= DEEPEST - 1:
            x = layers.Dropout(dropout, name=f"dropout_d{level}c")(x)
        if level < DEEPEST:
            skips.append(x)
            x = layers.MaxPooling2D(
                2, data_format="channels_last", name=f"pool_d{level}c-{level + 1}a"
            )(x)
    source = f"d{DEEPEST}c"
    for level in reversed(range(DEEPEST)):
        x = convolve(x, level, f"upconv_{source}_u{level}a", f"u{level}a", enlarge=True)
        skip = skips[level]
        if padding == "valid":
            skip = Crop(SKIP_CROPS[level], name=f"crop_d{level}c-d{level}cc")(skip, x)
        x = layers.Concatenate(name=f"concat_d{level}cc_u{level}a-b")([x, skip])
        x = convolve(x, level, f"conv_u{level}b-c", f"u{level}c", padding=padding)
        x = convolve(x, level, f"conv_u{level}c-d", f"u{level}d", padding=padding)
        source = f"u{level}d"
    x = layers.Conv2D(
        num_classes,
        1,
        kernel_initializer=fresh(kernel_initializer),
        data_format="channels_last",
        name="conv_u0d-score",
    )(x)
    if padding == "valid":
        x = Crop(0, name="crop_score")(x, inputs)
    return arguments.finish(inputs, x, class_names, weights, name)


def _convolve(
    x: keras.KerasTensor,
    level: int,
    name: str,
    reached: str,
    width: float,
    initializer: Initializer,
    batch_norm: bool,
    padding: str = "valid",
    enlarge: bool = False,
) -> keras.KerasTensor:
    # The release names a convolution by the maps that it stands between, the rest by its result.
    kind, size, strides = (layers.Conv2DTranspose, 2, 2) if enlarge else (layers.Conv2D, 3, 1)
    convolution = kind(
        scaled(FILTERS[level], width),
        size,
        strides=strides,
        padding=padding,
        kernel_initializer=fresh(initializer),
        data_format="channels_last",
        name=name,
    )
    bn_name = f"bn_{reached}" if batch_norm else None
    return normalised(convolution, x, bn_name, f"relu_{reached}")
