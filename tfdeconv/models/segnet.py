"""SegNet: VGG-16 without its fully connected layers, mirrored by unpooling with its switches.

Reference:
    Vijay Badrinarayanan, Alex Kendall, Roberto Cipolla. SegNet: A Deep Convolutional Encoder-
    Decoder Architecture for Image Segmentation. arXiv 1511.00561; TPAMI 2017. Section 3.
"""

import os

import keras
from keras import layers

from tfdeconv.layers import MaxPoolWithArgmax, Unpool
from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, fresh, normalised, scaled

# Output channels of the convolutions of every stage: `num_output` of segnet_train.prototxt. The
# decoder's are in the order of their use, but for the last, conv1_1_D, which gives the scores.
ENCODER_FILTERS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
DECODER_FILTERS = ((64,), (128, 64), (256, 256, 128), (512, 512, 256), (512, 512, 512))


def SegNet(
    num_classes: int = 21,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    width: float = 1.0,
    weights: str | os.PathLike[str] | None = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    name: str = "segnet",
) -> keras.Model:
    """Builds SegNet, the nearest relative of DeconvNet: what is left of it without `fc6` and `fc7`.

    Thirteen convolutions and five poolings, then five unpoolings (`upsample5`, ..., `upsample1`)
    that put every value back where the maximum of its window stood, each followed by convolutions.
    Batch normalisation and ReLU follow every convolution but the last. Layer for layer the network
    of the release, with its layer names and biases: 29,455,125 weights for 21 classes, statistics
    of batch normalisation not counted, an eighth of DeconvNet's.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`; with the default, `(None, None, 3)`, the network takes
            images of every size: windows that are cut off by the border are pooled and come back.
            The paper's is (360, 480, 3).
        width: Factor on the number of channels, the paper's being 1.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels; the release's is He's, too.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`. The mean of ImageNet is subtracted, which the release
        leaves to its first batch normalisation.

    Raises:
        ValueError: when an argument is out of its range.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> model = SegNet(num_classes=3, input_shape=(45, 60, 3), width=1 / 16)
    >>> model.output_shape
    (None, 45, 60, 3)

    Reference:
        Section 3 and Figure 2 of the paper; `segnet_train.prototxt` of its release.
    """

    def convolve(x: keras.KerasTensor, count: int, suffix: str) -> keras.KerasTensor:
        convolution = layers.Conv2D(
            scaled(count, width),
            3,
            padding="same",
            kernel_initializer=fresh(kernel_initializer),
            data_format="channels_last",
            name=f"conv{suffix}",
        )
        return normalised(convolution, x, f"conv{suffix}_bn", f"relu{suffix}")

    inputs, x = arguments.begin(num_classes, class_names, input_shape)
    switches = []
    for stage, filters in enumerate(ENCODER_FILTERS, start=1):
        for index, count in enumerate(filters, start=1):
            x = convolve(x, count, f"{stage}_{index}")
        before = x
        x, argmax = MaxPoolWithArgmax(2, name=f"pool{stage}")(before)
        switches.append((stage, argmax, before))
    for stage, argmax, before in reversed(switches):
        x = Unpool(2, name=f"upsample{stage}")(x, argmax, before)
        last = len(ENCODER_FILTERS[stage - 1])
        for index, count in enumerate(DECODER_FILTERS[stage - 1]):
            x = convolve(x, count, f"{stage}_{last - index}_D")
    x = layers.Conv2D(
        num_classes,
        3,
        padding="same",
        kernel_initializer=fresh(kernel_initializer),
        data_format="channels_last",
        name="conv1_1_D",
    )(x)
    return arguments.finish(inputs, x, class_names, weights, name)
