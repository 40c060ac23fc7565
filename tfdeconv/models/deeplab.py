"""DeepLab: VGG-16 or ResNet-101 whose last stages are dilated instead of strided.

Reference:
    Liang-Chieh Chen, George Papandreou, Iasonas Kokkinos, Kevin Murphy, Alan L. Yuille. Semantic
    Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs. ICLR 2015
    (LargeFOV); DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs. arXiv 1606.00915, TPAMI 2018 (ASPP).
"""

import keras
from keras import layers

from tfdeconv.layers import BilinearUpsample, Crop, Logits
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer, caffe_pool, conv_unit, scaled
from tfdeconv.models.resnet import resnet
from tfdeconv.models.vgg16 import vgg16_stage

FC_FILTERS = 1024
LARGE_FOV = 12
ASPP_DILATIONS = (6, 12, 18, 24)
STRIDE = 8
# Standard deviation of the kernels of the scores in the release; their biases are zero.
SCORE_DEVIATION = 0.01
BACKBONES = ("vgg16", "resnet101")


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeepLabLargeFOV(SegmentationModel):
    """DeepLab-LargeFOV: atrous VGG-16 with a 3x3 `fc6` of dilation 12.

    The first three poolings halve the map, `pool4` and `pool5` keep it, and `conv5_*` have dilation
    2 in return. Poolings are 3x3, centred on every 8th pixel. `fc6` and `fc7` have 1024 channels.
    The scores are upsampled by 8, bilinearly. Layers and names are those of the release: 20,505,429
    weights for 21 classes. The paper's DeepLab-CRF-LargeFOV smooths its result with
    `tfdeconv.DenseCRF`.

    Args:
        input_shape: `(height, width, 3)`. With the default, `(None, None, 3)`, the network takes
            images of every size. Sides of 8 n + 1 pixels (321, 513) fit its strides exactly.
        kernel_initializer: Keras initializer of the kernels, those of the scores excepted.
        batch_norm: Whether to normalise between every convolution and its ReLU. The paper, which
            starts from ImageNet's weights, does not; from scratch, the network learns faster with
            it.
        dropout: Dropout rate of `fc6` and `fc7`.

    All other arguments, shapes and errors: see `SegmentationModel`.

    Example:

    >>> DeepLabLargeFOV(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)

    Reference:
        `DeepLab-LargeFOV/test.prototxt` of the release, its average `pool5a` included.
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
        dropout: float = 0.5,
        name: str = "deeplab_largefov",
    ) -> None:
        arguments = dict(locals())
        network = _Vgg16(width, kernel_initializer, batch_norm, dropout)
        inputs, x = begin(num_classes, class_names, input_shape)
        x = network.encode(x)
        # Caffe counts the zeros around the map, Keras's own padding does not.
        x = layers.ZeroPadding2D(1, data_format="channels_last", name="pool5a_pad")(x)
        x = layers.AveragePooling2D(3, 1, data_format="channels_last", name="pool5a")(x)
        x = network.fully_connected(x, LARGE_FOV)
        encoder = [x, inputs]
        x = _upsample(_score(x, num_classes, 1, "fc8_voc12"), inputs)
        x = Logits(class_names, name="scores")(x)
        super().__init__(inputs, x, encoder, encoder, arguments)


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeepLabASPP(SegmentationModel):
    """DeepLab-ASPP (version 2): scores of four fields of view, dilations 6, 12, 18 and 24.

    On VGG-16 every branch is an `fc6` of its dilation, an `fc7` and an `fc8` (`fc6_1` to
    `fc8_voc12_4`): 37,877,652 weights for 21 classes. On ResNet-101, dilated to output stride 8, it
    is a 3x3 convolution to the scores (`fc1_voc12_c0` to `fc1_voc12_c3`): 44,048,532 weights,
    without the statistics of batch normalisation. The sum of the branches is upsampled by 8. The
    release runs its ResNet at three scales and takes the maximum; this is one of them.

    Args:
        backbone: "vgg16" or "resnet101". `batch_norm` and `dropout` are for VGG-16 alone: the
            ResNet always normalises and has no dropout.

    All other arguments, shapes and errors: see `DeepLabLargeFOV`.

    Example:

    >>> DeepLabASPP(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)

    Reference:
        Section 3.2 and figure 7 of arXiv 1606.00915.
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
        dropout: float = 0.5,
        backbone: str = "vgg16",
        name: str = "deeplab_aspp",
    ) -> None:
        arguments = dict(locals())
        if backbone not in BACKBONES:
            raise ValueError(
                f"`backbone` must be one of {BACKBONES}. Received: backbone={backbone!r}"
            )
        inputs, x = begin(num_classes, class_names, input_shape)
        scores = []
        if backbone == "vgg16":
            network = _Vgg16(width, kernel_initializer, batch_norm, dropout)
            x = network.encode(x)
            encoder, decoder = [x, inputs], []
            for index, dilation in enumerate(ASPP_DILATIONS, start=1):
                branch = network.fully_connected(x, dilation, suffix=f"_{index}")
                decoder.append(branch)
                scores.append(_score(branch, num_classes, 1, f"fc8_voc12_{index}"))
            decoder.append(inputs)
            x = layers.Add(name="fc8_voc12")(scores)
        else:
            _, x = resnet(x, 101, width, kernel_initializer)
            encoder = decoder = [x, inputs]
            for index, dilation in enumerate(ASPP_DILATIONS):
                scores.append(_score(x, num_classes, 3, f"fc1_voc12_c{index}", dilation))
            x = layers.Add(name="fc1_voc12")(scores)
        x = Logits(class_names, name="scores")(_upsample(x, inputs))
        super().__init__(inputs, x, encoder, decoder, arguments)


class _Vgg16:
    """The parts of atrous VGG-16, of one width, initializer and choice of normalisation."""

    def __init__(
        self, width: float, kernel_initializer: Initializer, batch_norm: bool, dropout: float
    ) -> None:
        self._width, self._initializer = width, kernel_initializer
        self._batch_norm, self._dropout = batch_norm, dropout

    def encode(self, x: Tensor) -> Tensor:
        """Applies `conv1_1` to `pool5`."""
        for stage in range(1, 6):
            dilation = 2 if stage == 5 else 1
            x = vgg16_stage(x, stage, self._width, self._initializer, self._batch_norm, dilation)
            x = caffe_pool(x, f"pool{stage}", strides=2 if stage < 4 else 1)
        return x

    def fully_connected(self, x: Tensor, dilation: int, suffix: str = "") -> Tensor:
        """Applies `fc6` and `fc7` with their dropout."""
        for number, size, spread in (("6", 3, dilation), ("7", 1, 1)):
            name = number + suffix
            x = conv_unit(
                x,
                scaled(FC_FILTERS, self._width),
                size,
                f"fc{name}",
                self._initializer,
                f"bnfc{name}" if self._batch_norm else None,
                f"relu{name}",
                dilation=spread,
            )
            x = layers.Dropout(self._dropout, name=f"drop{name}")(x)
        return x


def _score(x: Tensor, num_classes: int, size: int, name: str, dilation: int = 1) -> Tensor:
    initializer = keras.initializers.RandomNormal(stddev=SCORE_DEVIATION)
    return conv_unit(x, num_classes, size, name, initializer, dilation=dilation)


def _upsample(x: Tensor, inputs: Tensor) -> Tensor:
    return Crop(0, name="interp_crop")(BilinearUpsample(STRIDE, name="interp")(x), inputs)
