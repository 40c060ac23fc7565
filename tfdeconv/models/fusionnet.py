"""FusionNet: residual blocks, and long skip connections that are summed instead of concatenated.

Reference:
    Tran Minh Quan, David G. C. Hildebrand, Won-Ki Jeong. FusionNet: A Deep Fully Residual
    Convolutional Neural Network for Image Segmentation in Connectomics. arXiv 1612.05360; Frontiers
    in Computer Science 2021.
"""

from functools import partial

import keras
from keras import layers

from tfdeconv.layers import Logits
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer, conv_unit, deconv_unit, scaled

# Output channels of every step down, the last one being the bridge.
FILTERS = (64, 128, 256, 512, 1024)
STRIDE = 2 ** (len(FILTERS) - 1)


@keras.saving.register_keras_serializable(package="tfdeconv")
class FusionNet(SegmentationModel):
    """FusionNet.

    Four steps down (`down1` to `down4`), a bridge, and four steps up (`up4` to `up1`). Each is a
    convolution, a residual block of three convolutions and another convolution, all 3x3. Steps down
    end with a pooling. Steps up begin with a 3x3 deconvolution of stride 2, whose result is added
    to the map of the way down. Batch normalisation precedes every ReLU; the third convolution of a
    block has no ReLU, nor has the sum. 78,544,341 weights for 21 classes, without the statistics of
    batch normalisation.

    The paper leaves some details open. The kernels of the deconvolutions and of the scores are 3x3
    as in later networks of its first author, and no ReLU follows a sum as in public
    re-implementations.

    Args:
        input_shape: `(height, width, 3)`, multiples of 16. With the default, `(None, None, 3)`, the
            network takes all of them. The paper's is 640x640, gray.

    All other arguments, shapes and errors: see `SegmentationModel`.

    Example:

    >>> FusionNet(num_classes=3, input_shape=(48, 64, 3), width=1 / 16).output_shape
    (None, 48, 64, 3)

    Reference:
        Section 3 and Table 1 of the paper.
    """

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (None, None, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        kernel_initializer: Initializer = "he_normal",
        name: str = "fusionnet",
    ) -> None:
        arguments = dict(locals())
        step = partial(_step, width=width, kernel_initializer=kernel_initializer)

        inputs, x = begin(num_classes, class_names, input_shape, STRIDE)
        skips = []
        for level, filters in enumerate(FILTERS[:-1], start=1):
            x = step(x, f"down{level}", filters)
            skips.append((level, filters, x))
            x = layers.MaxPooling2D(2, data_format="channels_last", name=f"down{level}_pool")(x)
        x = step(x, "bridge", FILTERS[-1])
        encoder = [x, *(skip for *_, skip in skips)]
        for level, filters, skip in reversed(skips):
            name = f"up{level}_deconv"
            x = deconv_unit(
                x,
                scaled(filters, width),
                3,
                name,
                kernel_initializer,
                f"{name}_bn",
                f"{name}_relu",
                strides=2,
            )
            x = layers.Add(name=f"up{level}_merge")([x, skip])
            x = step(x, f"up{level}", filters)
        decoder = [x]
        x = conv_unit(x, num_classes, 3, "score", kernel_initializer)
        x = Logits(class_names, name="scores")(x)
        super().__init__(inputs, x, encoder, decoder, arguments)


def _step(
    x: Tensor, name: str, filters: int, width: float, kernel_initializer: Initializer
) -> Tensor:
    def convolve(x: Tensor, part: str, relu: bool = True) -> Tensor:
        layer, relu_name = f"{name}_{part}", f"{name}_{part}_relu" if relu else None
        count = scaled(filters, width)
        return conv_unit(x, count, 3, layer, kernel_initializer, f"{layer}_bn", relu_name)

    first = convolve(x, "conv1")
    x = convolve(convolve(convolve(first, "res1"), "res2"), "res3", relu=False)
    return convolve(layers.Add(name=f"{name}_res")([first, x]), "conv2")
