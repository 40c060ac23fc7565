"""SegNet: VGG-16 without its fully connected layers, mirrored by unpooling with its switches.

Reference:
    Vijay Badrinarayanan, Alex Kendall, Roberto Cipolla. SegNet: A Deep Convolutional Encoder-
    Decoder Architecture for Image Segmentation. arXiv 1511.00561; TPAMI 2017. Section 3.
"""

import keras

from tfdeconv.layers import Logits, MaxPoolWithArgmax, Unpool
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer, conv_unit, scaled

# Output channels of the convolutions of every stage: `num_output` of segnet_train.prototxt. The
# decoder's are in the order of their use, without the last, conv1_1_D, which gives the scores.
ENCODER_FILTERS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
DECODER_FILTERS = ((64,), (128, 64), (256, 256, 128), (512, 512, 256), (512, 512, 512))


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNet(SegmentationModel):
    """SegNet, which is DeconvNet without `fc6` and `fc7` and with half of its decoder.

    Thirteen convolutions and five poolings, then five unpoolings (`upsample5`, ..., `upsample1`)
    that put every value back where the maximum of its window was, each followed by convolutions.
    Batch normalisation and ReLU follow every convolution but the last. Layers, their names and
    biases are those of the release: 29,455,125 weights for 21 classes, without the statistics of
    batch normalisation. The mean of ImageNet is subtracted, which the release leaves to its first
    batch normalisation.

    Args:
        input_shape: `(height, width, 3)`. With the default, `(None, None, 3)`, the network takes
            images of every size. The paper's is (360, 480, 3).

    All other arguments, shapes and errors: see `SegmentationModel`.

    Example:

    >>> model = SegNet(num_classes=3, input_shape=(45, 60, 3), width=1 / 16)
    >>> model.output_shape
    (None, 45, 60, 3)

    Reference:
        Section 3 and Figure 2 of the paper; `segnet_train.prototxt` of its release.
    """

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (None, None, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        kernel_initializer: Initializer = "he_normal",
        name: str = "segnet",
    ) -> None:
        arguments = dict(locals())

        def convolve(x: Tensor, count: int, suffix: str) -> Tensor:
            return conv_unit(
                x,
                scaled(count, width),
                3,
                f"conv{suffix}",
                kernel_initializer,
                f"conv{suffix}_bn",
                f"relu{suffix}",
            )

        inputs, x = begin(num_classes, class_names, input_shape)
        switches = []
        for stage, filters in enumerate(ENCODER_FILTERS, start=1):
            for index, count in enumerate(filters, start=1):
                x = convolve(x, count, f"{stage}_{index}")
            before = x
            x, argmax = MaxPoolWithArgmax(2, name=f"pool{stage}")(before)
            switches.append((stage, argmax, before))
        encoder = [x, *(tensor for _, *pair in switches for tensor in pair)]
        for stage, argmax, before in reversed(switches):
            x = Unpool(2, name=f"upsample{stage}")(x, argmax, before)
            last = len(ENCODER_FILTERS[stage - 1])
            for index, count in enumerate(DECODER_FILTERS[stage - 1]):
                x = convolve(x, count, f"{stage}_{last - index}_D")
        decoder = [x]
        x = conv_unit(x, num_classes, 3, "conv1_1_D", kernel_initializer)
        x = Logits(class_names, name="scores")(x)
        super().__init__(inputs, x, encoder, decoder, arguments)
