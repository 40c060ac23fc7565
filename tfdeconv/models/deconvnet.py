"""DeconvNet: VGG-16 with its switches, mirrored by unpooling and deconvolution.

Reference:
    Hyeonwoo Noh, Seunghoon Hong, Bohyung Han. Learning Deconvolution Network for Semantic
    Segmentation. ICCV 2015. Section 3 and Table 2.
"""

import os

import keras
from keras import layers

from tfdeconv.layers import Bilinear, MaxPoolWithArgmax, Preprocess, RequireSize, Unpool
from tfdeconv.models import arguments
from tfdeconv.models.blocks import (
    Initializer,
    conv_stage,
    deconv_stage,
    fresh,
    normalised,
    scaled,
)

# Output channels of every (de)convolution, stage 1 to 5: Table 2 of the paper.
ENCODER_FILTERS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
DECODER_FILTERS = ((64, 64), (128, 64), (256, 256, 128), (512, 512, 256), (512, 512, 512))
FC_FILTERS = 4096
STRIDE = 32


def DeconvNet(
    num_classes: int = 21,
    input_shape: tuple[int | None, int | None, int] = (224, 224, 3),
    width: float = 1.0,
    weights: str | os.PathLike[str] | None = None,
    class_names: tuple[str, ...] | None = None,
    fc6_kernel: int | tuple[int, int] | None = None,
    kernel_initializer: Initializer = "he_normal",
    deconv_initializer: Initializer | None = None,
    name: str = "deconvnet",
) -> keras.Model:
    """Builds the deconvolution network of Noh, Hong and Han.

    Thirteen convolutions and five poolings reduce the image to a map of input/32, which `fc6` turns
    into a single vector (a larger input gives a map of vectors); `fc6-deconv` opens it again, and
    five unpoolings put every value back where the maximum of its window stood, each followed by
    deconvolutions that densify the map. Layer for layer the network of the release, with its layer
    names: 251,805,653 weights for 21 classes, of which none is shared between the halves.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`, multiples of 32. The paper's is (224, 224, 3). With
            `(None, None, 3)` the network takes every multiple of 32 from the size of `fc6` on.
        width: Factor on the number of channels, the paper's being 1. Small data trains well at 1/8.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        fc6_kernel: Side (or height and width) of the kernel of `fc6`. By default the whole last
            map, input/32, or the paper's 7 where the input is open.
        kernel_initializer: Keras initialiser of the kernels.
        deconv_initializer: Keras initialiser of the kernels from `fc6-deconv` to the scores. By
            default the 3x3 deconvolutions begin as `tfdeconv.layers.Bilinear()`, from which
            training gets going several times sooner than from random ones, and the other two by
            `kernel_initializer`. The paper draws all from a gaussian; the release's deviation is
            0.01.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`.

    Raises:
        ValueError: when an argument is out of its range; the message names the nearest right one.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> model = DeconvNet(num_classes=3, input_shape=(64, 96, 3), width=1 / 16)
    >>> model.output_shape
    (None, 64, 96, 3)

    Reference:
        Table 2 of the paper; layer names of `DeconvNet_inference_deploy.prototxt`.
    """
    arguments.check_classes(num_classes, class_names)
    kernel = arguments.fc6_kernel(input_shape, fc6_kernel, STRIDE)

    densify_initializer = deconv_initializer or Bilinear()
    deconv_initializer = deconv_initializer or kernel_initializer

    # === Input ===
    inputs = keras.Input(input_shape, name="image")
    x = inputs
    if None in input_shape:
        x = RequireSize(STRIDE, (STRIDE * kernel[0], STRIDE * kernel[1]), name="require_size")(x)
    x = Preprocess(name="preprocess")(x)

    # === Convolution network ===
    switches = []
    for stage, counts in enumerate(ENCODER_FILTERS, start=1):
        filters = [scaled(count, width) for count in counts]
        before = conv_stage(x, stage, filters, kernel_initializer)
        x, argmax = MaxPoolWithArgmax(2, name=f"pool{stage}")(before)
        switches.append((stage, argmax, before))

    # === The bottleneck, a single vector for an input of the nominal size ===
    fc, opened = scaled(FC_FILTERS, width), scaled(DECODER_FILTERS[-1][0], width)
    x = _bottleneck(x, kernel, fc, opened, kernel_initializer, deconv_initializer)

    # === Deconvolution network ===
    for stage, argmax, before in reversed(switches):
        x = Unpool(2, name=f"unpool{stage}")(x, argmax, before)
        filters = [scaled(count, width) for count in DECODER_FILTERS[stage - 1]]
        x = deconv_stage(x, stage, filters, densify_initializer)
    x = layers.Conv2D(
        num_classes,
        1,
        kernel_initializer=fresh(deconv_initializer),
        data_format="channels_last",
        name="seg-score-voc",
    )(x)
    return arguments.finish(inputs, x, class_names, weights, name)


def _bottleneck(
    x: keras.KerasTensor,
    kernel: tuple[int, int],
    fc: int,
    opened: int,
    kernel_initializer: Initializer,
    deconv_initializer: Initializer,
) -> keras.KerasTensor:
    def dense(count: int, size: int | tuple[int, int], name: str) -> layers.Layer:
        return layers.Conv2D(
            count,
            size,
            kernel_initializer=fresh(kernel_initializer),
            data_format="channels_last",
            name=name,
        )

    x = normalised(dense(fc, kernel, "fc6"), x, "bnfc6", "relu6")
    x = normalised(dense(fc, 1, "fc7"), x, "bnfc7", "relu7")
    deconvolution = layers.Conv2DTranspose(
        opened,
        kernel,
        kernel_initializer=fresh(deconv_initializer),
        data_format="channels_last",
        name="fc6-deconv",
    )
    return normalised(deconvolution, x, "fc6-deconv-bn", "fc6-deconv-relu")
