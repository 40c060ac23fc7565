"""Deep Contextual Network: scores of three depths of VGG-16, each upsampled and classified, summed.

Reference:
    Hao Chen, Xiaojuan Qi, Jie-Zhi Cheng, Pheng-Ann Heng. Deep Contextual Networks for Neuronal
    Structure Segmentation. AAAI 2016.
"""

import keras
from keras import layers

from tfdeconv.layers import Logits
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer, conv_unit, deconv_unit
from tfdeconv.models.vgg16 import vgg16_stage

# Of VGG-16, ten convolutions with poolings between the stages.
STAGES = 4
STRIDE = 2 ** (STAGES - 1)


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeepContextual(SegmentationModel):
    """The Deep Contextual Network.

    Ten convolutions and three poolings, named as in VGG-16, form the encoder. From the second,
    third and fourth stage a deconvolution (kernel 2k, stride k = 2, 4, 8) leads back to the size of
    the image, where a 3x3 and a 1x1 convolution classify every pixel (`c1`, `c2`, `c3`). The three
    scores are summed. 16 convolutions, 3 poolings and 3 deconvolutions as in the paper: 10,788,267
    weights for 21 classes.

    As in public re-implementations, a deconvolution has one channel per class and takes the map
    before the pooling. A ReLU follows all layers but `c1`, `c2` and `c3`, which start at zero as
    FCN's scores do.

    Args:
        input_shape: `(height, width, 3)`, multiples of 8. With the default, `(None, None, 3)`, the
            network takes all of them. The paper's is 480x480, gray.
        width: Factor on the number of channels, except where there is one per class.
        kernel_initializer: Keras initializer of the kernels. The paper starts its encoder from
            weights that were trained on photographs.
        batch_norm: Whether to normalise between every convolution or deconvolution and its ReLU.
            The paper does not.
        auxiliary: Whether to add the scores of the three auxiliary classifiers as outputs, `c1`,
            `c2` and `c3`, for their losses in training as in the paper. They are the summands, so
            models with and without them have the same weights.

    All other arguments, shapes and errors: see `SegmentationModel`. With `auxiliary` the output is
    a list of four scores, the sum first.

    Example:

    >>> DeepContextual(num_classes=3, input_shape=(48, 64, 3), width=1 / 16).output_shape
    (None, 48, 64, 3)

    Reference:
        Section "Deep Contextual Network" and Figure 2 of the paper.
    """

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (None, None, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        kernel_initializer: Initializer = "he_normal",
        batch_norm: bool = False,
        auxiliary: bool = False,
        name: str = "deep_contextual",
    ) -> None:
        arguments = dict(locals())
        inputs, x = begin(num_classes, class_names, input_shape, STRIDE)
        encoder: list[Tensor] = []
        decoder: list[Tensor] = []
        scores: list[Tensor] = []
        for depth in range(STAGES):
            if depth > 0:
                x = layers.MaxPooling2D(2, data_format="channels_last", name=f"pool{depth}")(x)
            x = vgg16_stage(x, depth + 1, width, kernel_initializer, batch_norm)
            if depth == 0:
                continue
            encoder.insert(0, x)
            decoder.append(_enlarged(x, depth, num_classes, kernel_initializer, batch_norm))
            # Float32 whatever the policy: these are scores, and they are summed.
            score = layers.Conv2D(
                num_classes,
                1,
                kernel_initializer="zeros",
                dtype="float32",
                data_format="channels_last",
                name=f"c{depth}",
            )
            scores.append(score(decoder[-1]))
        x = layers.Add(dtype="float32", name="fusion")(scores)
        x = Logits(class_names, name="scores")(x)
        outputs = [x, *scores] if auxiliary else x
        super().__init__(inputs, outputs, encoder, decoder, arguments)


def _enlarged(
    x: Tensor, depth: int, num_classes: int, initializer: Initializer, batch_norm: bool
) -> Tensor:
    norms = [f"bn_deconv{depth}", f"bn_c{depth}"] if batch_norm else [None, None]
    name, relu, factor = f"deconv{depth}", f"relu_deconv{depth}", 2**depth
    x = deconv_unit(x, num_classes, 2 * factor, name, initializer, norms[0], relu, strides=factor)
    return conv_unit(x, num_classes, 3, f"conv_c{depth}", initializer, norms[1], f"relu_c{depth}")
