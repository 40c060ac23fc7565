"""FCN: VGG-16 over the full image, its scores upsampled to the image's size.

Reference:
    Jonathan Long, Evan Shelhamer, Trevor Darrell. Fully Convolutional Networks for Semantic
    Segmentation. CVPR 2015. Section 4; `voc-fcn32s`, `voc-fcn16s` and `voc-fcn8s` of its release.
"""

from typing import Any

import keras
from keras import layers

from tfdeconv.layers import Bilinear, Crop, Logits
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Tensor, Weights, begin
from tfdeconv.models.blocks import Initializer
from tfdeconv.models.vgg16 import vgg16

# deploy.prototxt: pad of conv1_1. What it adds is cut off again at the end.
PADDING = 100


class _FCN(SegmentationModel):
    """The three networks, which differ in how many poolings refine the scores."""

    # Upsampling factor, name and crop offset of the last layer, and name, crop offset and upsampled
    # map of every skip connection before it.
    stride, _last, _offset = 32, "upscore", 19
    _skips: tuple[tuple[str, int, str], ...] = ()

    def __init__(
        self,
        num_classes: int = 21,
        input_shape: InputShape = (None, None, 3),
        width: float = 1.0,
        weights: Weights = None,
        class_names: ClassNames = None,
        kernel_initializer: Initializer = "he_normal",
        dropout: float = 0.5,
        batch_norm: bool = False,
        name: str | None = None,
    ) -> None:
        arguments = dict(locals())
        arguments["name"] = name or type(self).__name__.lower()
        inputs, x = begin(num_classes, class_names, input_shape)
        features = vgg16(x, width, PADDING, dropout, kernel_initializer, batch_norm)
        encoder = [features["fc7"], *(features[skip] for skip, _, _ in self._skips), inputs]
        x = _score(features["fc7"], num_classes, "score_fr")
        for skip, offset, upsampled in self._skips:
            # The weights of 2014 have a bias of upscore2, those of the current release do not. A
            # bias that starts at zero takes both.
            x = _upsample(x, factor=2, name=upsampled, use_bias=upsampled == "upscore2")
            finer = _score(features[skip], num_classes, f"score_{skip}")
            finer = Crop(offset, name=f"score_{skip}c")(finer, x)
            x = layers.Add(name=f"fuse_{skip}")([x, finer])
        x = _upsample(x, self.stride, self._last, trainable=False)
        x = Crop(self._offset, name="score")(x, inputs)
        x = Logits(class_names, name="scores")(x)
        # The head scores what the encoder gives: there is no decoder.
        super().__init__(inputs, x, encoder, encoder, arguments)


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCN8s(_FCN):
    """FCN-8s, the network that DeconvNet is compared and combined with.

    VGG-16 without its classifier runs over the image, padded by 100 pixels on each side. The scores
    of `fc7` are upsampled by 2 and added to those of `pool4`, upsampled by 2 and added to those of
    `pool3`, and upsampled by 8; the padding is cut off. Layers have the names of the release. The
    padding is part of the published network and has a fixed cost: an image of 128x128 pixels takes
    as long as one of 326x326 would without it.

    Deconvolutions start as bilinear interpolation. As in the paper (section 4.3) the last one is
    fixed and the others are trained. Scores start at zero, as in the paper.

    Args:
        input_shape: `(height, width, 3)`. With the default, `(None, None, 3)`, the network takes
            images of every size from 1x1 on.
        width: Factor on the number of channels, those of the scores excepted.
        kernel_initializer: Keras initializer of the kernels of VGG-16.
        dropout: Dropout rate of `fc6` and `fc7`.
        batch_norm: Whether to normalise between every convolution of VGG-16 and its ReLU, with the
            layer names of DeconvNet. The paper does not; from scratch, the network learns faster
            with it.

    All other arguments, shapes and errors: see `SegmentationModel`.

    Example:

    >>> model = FCN8s(num_classes=3, width=1 / 32)
    >>> import numpy as np
    >>> model(np.zeros((1, 37, 50, 3), np.uint8)).shape
    TensorShape([1, 37, 50, 3])
    """

    stride, _last, _offset = 8, "upscore8", 31
    _skips = (("pool4", 5, "upscore2"), ("pool3", 9, "upscore_pool4"))


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCN16s(_FCN):
    """FCN-16s: FCN-32s whose scores are refined by those of `pool4`.

    Arguments, shapes and errors: see `FCN8s`.

    Example:

    >>> FCN16s(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)
    """

    stride, _last, _offset = 16, "upscore16", 27
    _skips = (("pool4", 5, "upscore2"),)


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCN32s(_FCN):
    """FCN-32s: the scores of `fc7`, one for 32x32 pixels, upsampled bilinearly.

    Arguments, shapes and errors: see `FCN8s`.

    Example:

    >>> FCN32s(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)
    """


BY_STRIDE: dict[int, type[Any]] = {8: FCN8s, 16: FCN16s, 32: FCN32s}


def _score(x: Tensor, num_classes: int, name: str) -> Tensor:
    return layers.Conv2D(
        num_classes, 1, kernel_initializer="zeros", data_format="channels_last", name=name
    )(x)


def _upsample(
    x: Tensor, factor: int, name: str, use_bias: bool = False, trainable: bool = True
) -> Tensor:
    return layers.Conv2DTranspose(
        x.shape[-1],
        2 * factor,
        strides=factor,
        use_bias=use_bias,
        kernel_initializer=Bilinear(noise=0.0),
        trainable=trainable,
        data_format="channels_last",
        name=name,
    )(x)
