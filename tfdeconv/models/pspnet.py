"""PSPNet: a dilated ResNet whose last map is joined by its averages over 1, 4, 9 and 36 bins.

Reference:
    Hengshuang Zhao, Jianping Shi, Xiaojuan Qi, Xiaogang Wang, Jiaya Jia. Pyramid Scene Parsing
    Network. CVPR 2017. Section 3; `pspnet101_VOC2012_473.prototxt` of its release.
"""

import keras
from keras import layers

from tfdeconv.layers import AdaptiveAveragePool, BilinearUpsample, Crop, Logits, Resize
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer, conv_unit, scaled
from tfdeconv.models.resnet import UNITS, pspnet_resnet

# Bins a side of the levels of the pyramid, in the order in which the release joins them.
BINS = (6, 3, 2, 1)
FILTERS = 512
AUXILIARY_FILTERS = 256
STRIDE = 8


@keras.saving.register_keras_serializable(package="tfdeconv")
class PSPNet(SegmentationModel):
    """The pyramid scene parsing network.

    The last map of a ResNet of output stride 8 is averaged over 1x1, 2x2, 3x3 and 6x6 bins. Each
    average is convolved, resized to the map and concatenated with it; a 3x3 convolution and the
    scores follow, upsampled by 8. Layers have the names of the release with `_` in place of `/`:
    65,708,501 weights for ResNet-101 and 21 classes, 46,716,373 for ResNet-50, without the
    statistics of batch normalisation.

    The release fixes its averages to maps of 60x60 or 90x90. Here bins are PyTorch's for a map of
    any size (`tfdeconv.layers.AdaptiveAveragePool`), which are the same for those sizes. Images of
    8 n + 1 pixels a side (473, 713) fit the strides exactly.

    Args:
        input_shape: `(height, width, 3)`. With the default, `(None, None, 3)`, the network takes
            images of every size from 1x1 on.
        dropout: Dropout rate before the scores.
        depth: Layers of the ResNet, 50 or 101.
        auxiliary: Whether to add the scores of the last unit of stage 4 (`conv4_23`) as a second
            output, for the paper's auxiliary loss of weight 0.4 (section 3.3). Compile with a list
            of two losses and `loss_weights=[1, 0.4]`. After training,
            `model.with_outputs(model.outputs[0])` is the network without it.

    All other arguments, shapes and errors: see `SegmentationModel`. With `auxiliary` the output is
    a list of two scores.

    Example:

    >>> PSPNet(num_classes=3, input_shape=(50, 70, 3), width=1 / 32, depth=50).output_shape
    (None, 50, 70, 3)
    """

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (None, None, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        kernel_initializer: Initializer = "he_normal",
        dropout: float = 0.1,
        depth: int = 101,
        auxiliary: bool = False,
        name: str = "pspnet",
    ) -> None:
        arguments = dict(locals())
        if depth not in UNITS:
            raise ValueError(f"`depth` must be one of {sorted(UNITS)}. Received: depth={depth}")

        def convolve(x: Tensor, count: int, size: int, name: str) -> Tensor:
            filters, norm, relu = scaled(count, width), f"{name}_bn", f"{name}_relu"
            return conv_unit(x, filters, size, name, kernel_initializer, norm, relu, use_bias=False)

        def score(x: Tensor, name: str) -> Tensor:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
            x = conv_unit(x, num_classes, 1, name, kernel_initializer)
            return Crop(0, name=f"{name}_crop")(
                BilinearUpsample(STRIDE, name=f"{name}_interp")(x), inputs
            )

        inputs, x = begin(num_classes, class_names, input_shape)
        conv4, conv5 = pspnet_resnet(x, depth, width, kernel_initializer)
        encoder = [conv5, inputs]

        # === Pyramid pooling ===
        levels = [conv5]
        for bins in BINS:
            level = f"conv5_3_pool{bins}"
            x = AdaptiveAveragePool(bins, name=level)(conv5)
            x = convolve(x, FILTERS, 1, f"{level}_conv")
            levels.append(Resize(name=f"{level}_interp")(x, conv5))
        x = layers.Concatenate(name="conv5_3_concat")(levels)
        x = convolve(x, FILTERS, 3, "conv5_4")
        decoder = [x, inputs]

        outputs = Logits(class_names, name="scores")(score(x, "conv6"))
        if auxiliary:
            second = score(convolve(conv4, AUXILIARY_FILTERS, 3, "aux_conv"), "aux_score")
            outputs = [outputs, Logits(class_names, name="auxiliary")(second)]
        super().__init__(inputs, outputs, encoder, decoder, arguments)
