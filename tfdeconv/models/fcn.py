"""FCN: VGG-16 over the whole image, its scores enlarged to the image's own size.

Reference:
    Jonathan Long, Evan Shelhamer, Trevor Darrell. Fully Convolutional Networks for Semantic
    Segmentation. CVPR 2015. Section 4; `voc-fcn32s`, `voc-fcn16s` and `voc-fcn8s` of its release.
"""

import os

import keras
from keras import layers

from tfdeconv.layers import Bilinear, Crop
from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer
from tfdeconv.models.vgg16 import vgg16

# deploy.prototxt: pad of conv1_1. What it adds is cut off again at the end.
PADDING = 100

Weights = str | os.PathLike[str] | None
InputShape = tuple[int | None, int | None, int]


def FCN32s(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    dropout: float = 0.5,
    batch_norm: bool = False,
    name: str = "fcn32s",
) -> keras.Model:
    """Builds FCN-32s: the scores of `fc7`, one for 32x32 pixels, enlarged bilinearly.

    Arguments, result and errors are those of `FCN8s`.

    Example:

    >>> FCN32s(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)
    """
    inputs, x, _ = _scored_features(
        num_classes, input_shape, width, class_names, kernel_initializer, dropout, batch_norm
    )
    x = _enlarge_to_image(x, inputs, factor=32, offset=19, name="upscore")
    return arguments.finish(inputs, x, class_names, weights, name)


def FCN16s(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    dropout: float = 0.5,
    batch_norm: bool = False,
    name: str = "fcn16s",
) -> keras.Model:
    """Builds FCN-16s: FCN-32s whose scores are refined by those of `pool4`.

    Arguments, result and errors are those of `FCN8s`.

    Example:

    >>> FCN16s(num_classes=3, input_shape=(50, 70, 3), width=1 / 32).output_shape
    (None, 50, 70, 3)
    """
    inputs, x, skips = _scored_features(
        num_classes, input_shape, width, class_names, kernel_initializer, dropout, batch_norm
    )
    x = _fuse(x, skips["pool4"], offset=5, enlarged="upscore2", skip="pool4")
    x = _enlarge_to_image(x, inputs, factor=16, offset=27, name="upscore16")
    return arguments.finish(inputs, x, class_names, weights, name)


def FCN8s(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    dropout: float = 0.5,
    batch_norm: bool = False,
    name: str = "fcn8s",
) -> keras.Model:
    """Builds FCN-8s, the network that DeconvNet is compared and combined with.

    VGG-16 without its classifier runs over the image, padded by 100 pixels on each side. The scores
    of `fc7` are doubled and added to those of `pool4`, doubled and added to those of `pool3`, and
    enlarged eightfold; what belongs to the padding is cut off. Layers bear the names of the
    release. The padding is the published network's and costs the same for every image: one of
    128x128 pixels takes as long as one of 326x326 without it.

    Deconvolutions start as bilinear interpolation. As in the paper (section 4.3) the last one stays
    so and the others learn. The scores start at zero, as they do there.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`; with the default, `(None, None, 3)`, the network takes
            images of every size from 1x1 on.
        width: Factor on the number of channels, the paper's being 1. The scores keep theirs.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels of VGG-16.
        dropout: Share of the outputs of `fc6` and `fc7` that training drops.
        batch_norm: Whether to normalise between every convolution of VGG-16 and its ReLU, by layers
            of DeconvNet's names. The paper does not; trained from scratch, the network learns
            sooner with it.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`.

    Raises:
        ValueError: when an argument is out of its range.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> model = FCN8s(num_classes=3, width=1 / 32)
    >>> import numpy as np
    >>> model(np.zeros((1, 37, 50, 3), np.uint8)).shape
    TensorShape([1, 37, 50, 3])
    """
    inputs, x, skips = _scored_features(
        num_classes, input_shape, width, class_names, kernel_initializer, dropout, batch_norm
    )
    x = _fuse(x, skips["pool4"], offset=5, enlarged="upscore2", skip="pool4")
    x = _fuse(x, skips["pool3"], offset=9, enlarged="upscore_pool4", skip="pool3")
    x = _enlarge_to_image(x, inputs, factor=8, offset=31, name="upscore8")
    return arguments.finish(inputs, x, class_names, weights, name)


def _scored_features(
    num_classes: int,
    input_shape: InputShape,
    width: float,
    class_names: tuple[str, ...] | None,
    kernel_initializer: Initializer,
    dropout: float,
    batch_norm: bool,
) -> tuple[keras.KerasTensor, keras.KerasTensor, dict[str, keras.KerasTensor]]:
    inputs, x = arguments.begin(num_classes, class_names, input_shape)
    features = vgg16(x, width, PADDING, dropout, kernel_initializer, batch_norm)
    scores = layers.Conv2D(
        num_classes, 1, kernel_initializer="zeros", data_format="channels_last", name="score_fr"
    )
    return inputs, scores(features.fc7), {"pool4": features.pool4, "pool3": features.pool3}


def _fuse(
    x: keras.KerasTensor, features: keras.KerasTensor, offset: int, enlarged: str, skip: str
) -> keras.KerasTensor:
    # The weights of 2014 come with a bias of upscore2, those of the current release without one:
    # with a bias that starts at zero both can be loaded.
    x = _enlarge(x, factor=2, name=enlarged, use_bias=enlarged == "upscore2")
    scores = layers.Conv2D(
        x.shape[-1],
        1,
        kernel_initializer="zeros",
        data_format="channels_last",
        name=f"score_{skip}",
    )
    finer = Crop(offset, name=f"score_{skip}c")(scores(features), x)
    return layers.Add(name=f"fuse_{skip}")([x, finer])


def _enlarge_to_image(
    x: keras.KerasTensor, image: keras.KerasTensor, factor: int, offset: int, name: str
) -> keras.KerasTensor:
    return Crop(offset, name="score")(_enlarge(x, factor, name, trainable=False), image)


def _enlarge(
    x: keras.KerasTensor, factor: int, name: str, use_bias: bool = False, trainable: bool = True
) -> keras.KerasTensor:
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
