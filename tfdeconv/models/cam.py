"""CAM: a VGG-16 image classifier with one map per class, which shows where the class is.

Reference:
    Bolei Zhou, Aditya Khosla, Agata Lapedriza, Aude Oliva, Antonio Torralba. Learning Deep Features
    for Discriminative Localization. CVPR 2016. Section 2; VGGnet-GAP of section 3.
    Maxime Oquab, Leon Bottou, Ivan Laptev, Josef Sivic. Is Object Localization for Free? CVPR 2015
    (maximum pooling).
"""

import keras
from keras import layers

from tfdeconv.layers import Logits
from tfdeconv.models.base import ClassNames, InputShape, SegmentationModel, Weights, begin
from tfdeconv.models.blocks import Initializer, conv_unit, scaled
from tfdeconv.models.vgg16 import vgg16_stage

# Section 3: the last 3x3 convolution has 1024 units.
CAM_FILTERS = 1024
POOLINGS = ("average", "maximum")
# Stride -> the last stage that is followed by a pooling. Section 3: 14x14 maps of 224x224 pixels.
LAST_POOLED = {8: 3, 16: 4}
MAPS = "cam"


@keras.saving.register_keras_serializable(package="tfdeconv")
class CAM(SegmentationModel):
    """An image classifier whose last maps, one per class, show where objects are.

    VGG-16 without its fully connected layers, then `conv6`, 3x3 with 1024 channels, then a linear
    layer of every pixel, `cam`, and its global pooling. The mean of these maps is the linear layer
    of the mean of `conv6` (equations 1 and 2), so with average pooling this is the paper's network;
    with maximum pooling it is that of Oquab et al. It is trained on image labels alone;
    `class_activation_maps` returns the maps.

    Args:
        num_classes: Number of classes, 2 to 255, the background included as in every network of
            the package. The background is in all images: it has no score and no map.
        input_shape: `(height, width, 3)`. With the default, `(None, None, 3)`, the network takes
            images of every size.
        class_names: None, or the names of the classes in the order of the labels, the background
            first. Those of the scores are saved with the model.
        kernel_initializer: Keras initializer of the kernels, those of the maps excepted.
        batch_norm: Whether to normalise between every convolution and its ReLU. The paper, which
            starts from ImageNet's weights, does not; from scratch, the network learns faster with
            it.
        pooling: "average" or "maximum".
        stride: 16, as in the paper, or 8: `pool4` is left out and stage 5 has dilation 2 in return.

    All other arguments and errors: see `SegmentationModel`.

    Output shape:
        `(batch, num_classes - 1)`, float32 scores before softmax or sigmoid; score 0 is that of
        label 1.

    Example:

    >>> CAM(num_classes=9, input_shape=(64, 64, 3), width=1 / 32).output_shape
    (None, 8)
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
        pooling: str = "average",
        stride: int = 16,
        name: str = "cam",
    ) -> None:
        arguments = dict(locals())
        if pooling not in POOLINGS:
            raise ValueError(f"`pooling` must be one of {POOLINGS}. Received: pooling={pooling!r}")
        if stride not in LAST_POOLED:
            raise ValueError(
                f"`stride` must be one of {tuple(LAST_POOLED)}. Received: stride={stride}"
            )
        inputs, x = begin(num_classes, class_names, input_shape)
        for stage in range(1, 6):
            dilation = 2 if stage > LAST_POOLED[stride] + 1 else 1
            x = vgg16_stage(x, stage, width, kernel_initializer, batch_norm, dilation)
            if stage <= LAST_POOLED[stride]:
                x = layers.MaxPooling2D(
                    2, padding="same", data_format="channels_last", name=f"pool{stage}"
                )(x)
        encoder = [x]
        norm, filters = "bn6" if batch_norm else None, scaled(CAM_FILTERS, width)
        x = conv_unit(x, filters, 3, "conv6", kernel_initializer, norm, "relu6")
        decoder = [x]
        x = conv_unit(x, num_classes - 1, 1, MAPS, "glorot_uniform")
        pool = layers.GlobalAveragePooling2D if pooling == "average" else layers.GlobalMaxPooling2D
        x = pool(data_format="channels_last", name="pool6")(x)
        x = Logits(class_names and class_names[1:], name="scores")(x)
        super().__init__(inputs, x, encoder, decoder, arguments)


def class_activation_maps(model: keras.Model) -> keras.Model:
    """Returns the maps that a `CAM` pools, as a model that shares its weights.

    Args:
        model: A `CAM`, trained or not.

    Returns:
        A `keras.Model` from the same images to `(batch, rows, columns, num_classes - 1)`, a row
        for every `stride` pixels: the class activation map M_c of equation 2 for every class, with
        the bias of its score.

    Raises:
        ValueError: when the model is not a `CAM`.

    Example:

    >>> model = CAM(num_classes=9, input_shape=(64, 80, 3), width=1 / 32)
    >>> class_activation_maps(model).output_shape
    (None, 4, 5, 8)
    """
    if not isinstance(model, CAM):
        raise ValueError(f"`model` must be made by `CAM`. Received: {model.name}")
    return keras.Model(model.input, model.get_layer(MAPS).output, name=f"{model.name}_maps")
