"""Deep Contextual Network: scores of three depths of VGG-16, each enlarged and classified, summed.

Reference:
    Hao Chen, Xiaojuan Qi, Jie-Zhi Cheng, Pheng-Ann Heng. Deep Contextual Networks for Neuronal
    Structure Segmentation. AAAI 2016.
"""

import os
from functools import partial

import keras
from keras import layers

from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, fresh, normalised, scaled
from tfdeconv.models.vgg16 import STAGE_FILTERS

# The first ten of VGG-16's convolutions, in four stages with poolings between them.
ENCODER_FILTERS = STAGE_FILTERS[:4]
STRIDE = 2 ** (len(ENCODER_FILTERS) - 1)


def DeepContextual(
    num_classes: int = 21,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    width: float = 1.0,
    weights: str | os.PathLike[str] | None = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    batch_norm: bool = False,
    auxiliary: bool = False,
    name: str = "deep_contextual",
) -> keras.Model:
    """Builds the Deep Contextual Network.

    Ten convolutions and three poolings, named as in VGG-16, lead down; from the second, third and
    fourth stage a deconvolution (kernel 2k, stride k = 2, 4, 8) leads back to the size of the
    image, where a 3x3 and a 1x1 convolution classify every pixel (`c1`, `c2`, `c3`). The three
    scores are summed, so that what is near and what is far both speak. In all the paper's 16
    convolutions, 3 poolings and 3 deconvolutions: 10,788,267 weights for 21 classes.

    That a deconvolution gives one channel for each class, and that it takes the map before the
    pooling, is as in public re-implementations. A ReLU follows all layers but `c1`, `c2` and `c3`,
    which give scores; these start at zero, as FCN's do.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`, multiples of 8; with the default, `(None, None, 3)`, the
            network takes all of them. The paper's is 480x480, gray.
        width: Factor on the number of channels, the paper's being 1. Those that count the classes
            keep theirs.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels. The paper starts its way down from
            weights that were trained on photographs.
        batch_norm: Whether to normalise between every convolution or deconvolution and its ReLU.
            The paper does not.
        auxiliary: Whether the model also gives the scores of the three auxiliary classifiers,
            for a training that adds their losses to that of the sum, as the paper's does. They are
            the summands, so a model with and one without them have the same weights.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`; with `auxiliary` to a list of four of them, the sum
        first, then `c1`, `c2` and `c3`.

    Raises:
        ValueError: when an argument is out of its range; the message names the nearest right one.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> DeepContextual(num_classes=3, input_shape=(48, 64, 3), width=1 / 16).output_shape
    (None, 48, 64, 3)

    Reference:
        Section "Deep Contextual Network" and Figure 2 of the paper.
    """
    convolve = partial(_convolve, kernel_initializer=kernel_initializer, batch_norm=batch_norm)

    def classify(x: keras.KerasTensor, depth: int) -> keras.KerasTensor:
        x = convolve(x, num_classes, f"deconv{depth}", f"_deconv{depth}", enlarge=2**depth)
        x = convolve(x, num_classes, f"conv_c{depth}", f"_c{depth}")
        # Float32 whatever the policy: these are scores, and they are summed.
        return layers.Conv2D(
            num_classes,
            1,
            kernel_initializer="zeros",
            dtype="float32",
            data_format="channels_last",
            name=f"c{depth}",
        )(x)

    inputs, x = arguments.begin(num_classes, class_names, input_shape, STRIDE)
    contexts = []
    for depth, filters in enumerate(ENCODER_FILTERS):
        if depth > 0:
            x = layers.MaxPooling2D(2, data_format="channels_last", name=f"pool{depth}")(x)
        for index, count in enumerate(filters, start=1):
            suffix = f"{depth + 1}_{index}"
            x = convolve(x, scaled(count, width), f"conv{suffix}", suffix)
        if depth > 0:
            contexts.append(classify(x, depth))
    fused = layers.Add(dtype="float32", name="fusion")(contexts)
    model = arguments.finish(inputs, fused, class_names, weights, name)
    if auxiliary:
        return keras.Model(model.input, [model.output, *contexts], name=name)
    return model


def _convolve(
    x: keras.KerasTensor,
    filters: int,
    name: str,
    suffix: str,
    kernel_initializer: Initializer,
    batch_norm: bool,
    enlarge: int = 1,
) -> keras.KerasTensor:
    kind, size = (layers.Conv2DTranspose, 2 * enlarge) if enlarge > 1 else (layers.Conv2D, 3)
    convolution = kind(
        filters,
        size,
        strides=enlarge,
        padding="same",
        kernel_initializer=fresh(kernel_initializer),
        data_format="channels_last",
        name=name,
    )
    return normalised(convolution, x, f"bn{suffix}" if batch_norm else None, f"relu{suffix}")
