"""DeepLab: VGG-16 or ResNet-101 whose last stages see farther instead of less finely.

Reference:
    Liang-Chieh Chen, George Papandreou, Iasonas Kokkinos, Kevin Murphy, Alan L. Yuille. Semantic
    Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs. ICLR 2015
    (LargeFOV); DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs. arXiv 1606.00915, TPAMI 2018 (ASPP).
"""

import os
from typing import TypeAlias

import keras
from keras import layers

from tfdeconv.layers import BilinearUpsample, Crop
from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, caffe_pool, conv_unit, scaled
from tfdeconv.models.resnet import resnet
from tfdeconv.models.vgg16 import STAGE_FILTERS

FC_FILTERS = 1024
LARGE_FOV = 12
ASPP_DILATIONS = (6, 12, 18, 24)
STRIDE = 8
# The release draws the kernels of the scores with this deviation, their biases are zero.
SCORE_DEVIATION = 0.01
BACKBONES = ("vgg16", "resnet101")

Weights = str | os.PathLike[str] | None
InputShape = tuple[int | None, int | None, int]
Tensor: TypeAlias = keras.KerasTensor


def DeepLabLargeFOV(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    batch_norm: bool = False,
    dropout: float = 0.5,
    name: str = "deeplab_largefov",
) -> keras.Model:
    """Builds DeepLab-LargeFOV: atrous VGG-16 with a 3x3 `fc6` of dilation 12.

    The first three poolings halve the map, `pool4` and `pool5` keep it; `conv5_*` are dilated by 2
    in return. Poolings are 3x3, so that what they give stands on every 8th pixel. `fc6` and `fc7`
    have 1024 channels. The scores are enlarged eightfold, bilinearly. Layer for layer, with its
    names, the network of the release: 20,505,429 weights for 21 classes. The paper's
    DeepLab-CRF-LargeFOV smoothes its result with `tfdeconv.DenseCRF`.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`; with the default, `(None, None, 3)`, the network takes
            images of every size. Sides of 8 n + 1 pixels (321, 513) fit its strides exactly.
        width: Factor on the number of channels, the paper's being 1.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels, but for those of the scores.
        batch_norm: Whether to normalise between every convolution and its ReLU. The paper, which
            starts from ImageNet's weights, does not; from scratch, networks learn sooner with it.
        dropout: Share of the outputs of `fc6` and `fc7` that training drops.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`.

    Raises:
        ValueError: when an argument is out of its range.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> DeepLabLargeFOV(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)

    Reference:
        `DeepLab-LargeFOV/test.prototxt` of the release, its average `pool5a` included.
    """
    network = _Vgg16(width, kernel_initializer, batch_norm, dropout)
    inputs, x = arguments.begin(num_classes, class_names, input_shape)
    x = network.encode(x)
    # Caffe counts the zeros around the map, Keras's own padding does not.
    x = layers.ZeroPadding2D(1, data_format="channels_last", name="pool5a_pad")(x)
    x = layers.AveragePooling2D(3, 1, data_format="channels_last", name="pool5a")(x)
    x = _score(network.fully_connected(x, LARGE_FOV), num_classes, 1, "fc8_voc12")
    return arguments.finish(inputs, _enlarge(x, inputs), class_names, weights, name)


def DeepLabASPP(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    batch_norm: bool = False,
    dropout: float = 0.5,
    backbone: str = "vgg16",
    name: str = "deeplab_aspp",
) -> keras.Model:
    """Builds DeepLab-ASPP (version 2): scores of four fields of view, dilations 6, 12, 18 and 24.

    On VGG-16 every branch is an `fc6` of its dilation, an `fc7` and an `fc8` (`fc6_1` to
    `fc8_voc12_4`), 37,877,652 weights for 21 classes; on ResNet-101, dilated to output stride 8,
    it is a 3x3 convolution to the scores (`fc1_voc12_c0` to `fc1_voc12_c3`), 44,048,532 weights,
    statistics of batch normalisation not counted. The sum of the branches is enlarged eightfold.
    The release runs its ResNet at three scales and keeps the maximum; this is one of them.

    Arguments, result and errors are those of `DeepLabLargeFOV`, and

    Args:
        backbone: "vgg16" or "resnet101". The ResNet normalises always and drops nothing:
            `batch_norm` and `dropout` are for VGG-16.

    Example:

    >>> DeepLabASPP(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)

    Reference:
        Section 3.2 and figure 7 of arXiv 1606.00915.
    """
    if backbone not in BACKBONES:
        raise ValueError(f"`backbone` must be one of {BACKBONES}. Received: backbone={backbone!r}")
    inputs, x = arguments.begin(num_classes, class_names, input_shape)
    branches = []
    if backbone == "vgg16":
        network = _Vgg16(width, kernel_initializer, batch_norm, dropout)
        x = network.encode(x)
        for index, dilation in enumerate(ASPP_DILATIONS, start=1):
            branch = network.fully_connected(x, dilation, suffix=f"_{index}")
            branches.append(_score(branch, num_classes, 1, f"fc8_voc12_{index}"))
        x = layers.Add(name="fc8_voc12")(branches)
    else:
        x = resnet(x, 101, width, kernel_initializer).conv5
        for index, dilation in enumerate(ASPP_DILATIONS):
            branches.append(_score(x, num_classes, 3, f"fc1_voc12_c{index}", dilation))
        x = layers.Add(name="fc1_voc12")(branches)
    return arguments.finish(inputs, _enlarge(x, inputs), class_names, weights, name)


class _Vgg16:
    """The parts of atrous VGG-16, of one width, initialiser and choice of normalisation."""

    def __init__(
        self, width: float, kernel_initializer: Initializer, batch_norm: bool, dropout: float
    ) -> None:
        self._width, self._initializer = width, kernel_initializer
        self._batch_norm, self._dropout = batch_norm, dropout

    def encode(self, x: Tensor) -> Tensor:
        """Applies `conv1_1` to `pool5`."""
        for stage, filters in enumerate(STAGE_FILTERS, start=1):
            for index, count in enumerate(filters, start=1):
                dilation = 2 if stage == 5 else 1
                x = self._convolve(x, count, 3, "conv", f"{stage}_{index}", dilation)
            x = caffe_pool(x, f"pool{stage}", strides=2 if stage < 4 else 1)
        return x

    def fully_connected(self, x: Tensor, dilation: int, suffix: str = "") -> Tensor:
        """Applies `fc6` and `fc7` with their dropout."""
        for number, size, spread in (("6", 3, dilation), ("7", 1, 1)):
            x = self._convolve(x, FC_FILTERS, size, "fc", number + suffix, spread)
            x = layers.Dropout(self._dropout, name=f"drop{number}{suffix}")(x)
        return x

    def _convolve(
        self, x: Tensor, count: int, size: int, kind: str, suffix: str, dilation: int
    ) -> Tensor:
        norm = f"bn{'fc' if kind == 'fc' else ''}{suffix}" if self._batch_norm else None
        return conv_unit(
            x,
            scaled(count, self._width),
            size,
            f"{kind}{suffix}",
            self._initializer,
            bn_name=norm,
            relu_name=f"relu{suffix}",
            dilation=dilation,
            use_bias=True,
        )


def _score(x: Tensor, num_classes: int, size: int, name: str, dilation: int = 1) -> Tensor:
    initializer = keras.initializers.RandomNormal(stddev=SCORE_DEVIATION)
    return conv_unit(x, num_classes, size, name, initializer, dilation=dilation, use_bias=True)


def _enlarge(x: Tensor, inputs: Tensor) -> Tensor:
    return Crop(0, name="interp_crop")(BilinearUpsample(STRIDE, name="interp")(x), inputs)
