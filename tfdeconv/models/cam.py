"""CAM: a VGG-16 that classifies images by maps of where it sees each class.

Reference:
    Bolei Zhou, Aditya Khosla, Agata Lapedriza, Aude Oliva, Antonio Torralba. Learning Deep Features
    for Discriminative Localization. CVPR 2016. Section 2; VGGnet-GAP of section 3.
    Maxime Oquab, Leon Bottou, Ivan Laptev, Josef Sivic. Is Object Localization for Free? CVPR 2015
    (maximum pooling).
"""

import os
from typing import TypeAlias

import keras
from keras import layers

from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, conv_unit, scaled
from tfdeconv.models.vgg16 import STAGE_FILTERS

# Section 3: the 3x3 convolution that the network ends in has 1024 units.
CAM_FILTERS = 1024
POOLINGS = ("average", "maximum")
# Stride -> the last stage that is followed by a pooling. Section 3: 14x14 maps of 224x224 pixels.
LAST_POOLED = {8: 3, 16: 4}
MAPS = "cam"

Weights = str | os.PathLike[str] | None
InputShape = tuple[int | None, int | None, int]
Tensor: TypeAlias = keras.KerasTensor


def CAM(
    num_classes: int = 21,
    input_shape: InputShape = (None, None, 3),
    width: float = 1.0,
    weights: Weights = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    batch_norm: bool = False,
    pooling: str = "average",
    stride: int = 16,
    name: str = "cam",
) -> keras.Model:
    """Builds a classifier of whole images whose last maps, one a class, show where objects are.

    VGG-16 without its fully connected layers, then `conv6`, 3x3 with 1024 channels, then a linear
    layer of every pixel, `cam`, and its global pooling. The mean of these maps is the linear layer
    of the mean of `conv6` (equations 1 and 2), so that with average pooling this is the paper's
    network; with maximum pooling it is that of Oquab et al., whose maps are the scores themselves.
    It is trained from the classes of images alone; `class_activation_maps` shows the maps.

    Args:
        num_classes: Number of classes, at least 2, the background included as in every network of
            the package. The background is in all images: it has no score and no map.
        input_shape: `(height, width, 3)`; with the default, `(None, None, 3)`, the network takes
            images of every size.
        width: Factor on the number of channels, the paper's being 1.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels, the background first; those
            of the scores are saved with the model.
        kernel_initializer: Keras initialiser of the kernels, but for those of the maps.
        batch_norm: Whether to normalise between every convolution and its ReLU. The paper, which
            starts from ImageNet's weights, does not; from scratch, networks learn sooner with it.
        pooling: "average" or "maximum".
        stride: 16, as in the paper, or 8: `pool4` is left out and stage 5 dilated by 2 in return.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax or sigmoid,
        `(batch, num_classes - 1)`; score 0 is that of label 1.

    Raises:
        ValueError: when an argument is out of its range.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> CAM(num_classes=9, input_shape=(64, 64, 3), width=1 / 32).output_shape
    (None, 8)
    """
    if pooling not in POOLINGS:
        raise ValueError(f"`pooling` must be one of {POOLINGS}. Received: pooling={pooling!r}")
    if stride not in LAST_POOLED:
        raise ValueError(f"`stride` must be one of {tuple(LAST_POOLED)}. Received: stride={stride}")
    inputs, x = arguments.begin(num_classes, class_names, input_shape)
    x = _encode(x, width, LAST_POOLED[stride], kernel_initializer, batch_norm)
    norm = "bn6" if batch_norm else None
    filters = scaled(CAM_FILTERS, width)
    x = conv_unit(x, filters, 3, "conv6", kernel_initializer, norm, "relu6", use_bias=True)
    x = layers.Conv2D(
        num_classes - 1,
        1,
        kernel_initializer="glorot_uniform",
        data_format="channels_last",
        name=MAPS,
    )(x)
    pool = layers.GlobalAveragePooling2D if pooling == "average" else layers.GlobalMaxPooling2D
    x = pool(data_format="channels_last", name="pool6")(x)
    return arguments.finish(inputs, x, class_names and class_names[1:], weights, name)


def class_activation_maps(model: keras.Model) -> keras.Model:
    """Returns the maps that a `CAM` pools, as a model that shares its weights.

    Args:
        model: From `CAM`, trained or not.

    Returns:
        A `keras.Model` from the same images to `(batch, rows, columns, num_classes - 1)`, a row
        for every `stride` pixels: the class activation map M_c of equation 2 for every class, with
        the bias of its score.

    Raises:
        ValueError: when the model is no `CAM`.

    Example:

    >>> model = CAM(num_classes=9, input_shape=(64, 80, 3), width=1 / 32)
    >>> class_activation_maps(model).output_shape
    (None, 4, 5, 8)
    """
    if MAPS not in [layer.name for layer in model.layers]:
        raise ValueError(f"`model` must be made by `CAM`. Received: {model.name}")
    return keras.Model(model.inputs[0], model.get_layer(MAPS).output, name=f"{model.name}_maps")


def _encode(
    x: Tensor, width: float, last_pooled: int, initializer: Initializer, batch_norm: bool
) -> Tensor:
    for stage, filters in enumerate(STAGE_FILTERS, start=1):
        for index, count in enumerate(filters, start=1):
            suffix = f"{stage}_{index}"
            x = conv_unit(
                x,
                scaled(count, width),
                3,
                f"conv{suffix}",
                initializer,
                bn_name=f"bn{suffix}" if batch_norm else None,
                relu_name=f"relu{suffix}",
                dilation=2 if stage > last_pooled + 1 else 1,
                use_bias=True,
            )
        if stage <= last_pooled:
            x = layers.MaxPooling2D(
                2, padding="same", data_format="channels_last", name=f"pool{stage}"
            )(x)
    return x
