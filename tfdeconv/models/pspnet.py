"""PSPNet: a dilated ResNet whose last map is joined by its averages over 1, 4, 9 and 36 bins.

Reference:
    Hengshuang Zhao, Jianping Shi, Xiaojuan Qi, Xiaogang Wang, Jiaya Jia. Pyramid Scene Parsing
    Network. CVPR 2017. Section 3; `pspnet101_VOC2012_473.prototxt` of its release.
"""

import os

import keras
from keras import layers

from tfdeconv.layers import AdaptiveAveragePool, BilinearUpsample, Crop, Logits, Resize
from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, conv_unit, fresh, scaled
from tfdeconv.models.resnet import check_depth, pspnet_resnet

# Bins a side of the levels of the pyramid, in the order in which the release joins them.
BINS = (6, 3, 2, 1)
FILTERS = 512
AUXILIARY_FILTERS = 256
STRIDE = 8


def PSPNet(
    num_classes: int = 21,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    width: float = 1.0,
    weights: str | os.PathLike[str] | None = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    dropout: float = 0.1,
    depth: int = 101,
    auxiliary: bool = False,
    name: str = "pspnet",
) -> keras.Model:
    """Builds the pyramid scene parsing network.

    A ResNet of output stride 8 looks at the image; its last map is averaged over the whole, over
    2x2, 3x3 and 6x6 bins, each average is convolved, stretched to the map again and joined to it; a
    3x3 convolution and the scores follow, enlarged eightfold. Layers bear the names of the release
    with `_` in place of `/`: 65,708,501 weights for ResNet-101 and 21 classes, 46,716,373 for
    ResNet-50, statistics of batch normalisation not counted.

    The release fixes its averages to maps of 60x60 or 90x90; here bins are PyTorch's for a map of
    any size (`tfdeconv.layers.AdaptiveAveragePool`), which for those sizes are the same. Images of
    8 n + 1 pixels a side (473, 713) fit the strides exactly; any other size is right, too.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`; with the default, `(None, None, 3)`, the network takes
            images of every size from 1x1 on.
        width: Factor on the number of channels, the paper's being 1.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels.
        dropout: Share of the channels' values before the scores that training drops.
        depth: Layers of the ResNet, 50 or 101.
        auxiliary: Whether to add the scores of the last unit of stage 4 (`conv4_23`) as a second
            output, for the paper's auxiliary loss of weight 0.4 (section 3.3). Compile with a list
            of two losses and `loss_weights=[1, 0.4]`; trained, `keras.Model(model.input,
            model.outputs[0])` is the network without it.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`; with `auxiliary` to a list of two such scores.

    Raises:
        ValueError: when an argument is out of its range.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> PSPNet(num_classes=3, input_shape=(50, 70, 3), width=1 / 32, depth=50).output_shape
    (None, 50, 70, 3)
    """
    check_depth(depth)

    inputs, x = arguments.begin(num_classes, class_names, input_shape)
    features = pspnet_resnet(x, depth, width, kernel_initializer)

    def convolve(x: keras.KerasTensor, count: int, size: int, name: str) -> keras.KerasTensor:
        norm, relu = f"{name}_bn", f"{name}_relu"
        return conv_unit(x, scaled(count, width), size, name, kernel_initializer, norm, relu)

    def scores(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        x = layers.Conv2D(
            num_classes,
            1,
            kernel_initializer=fresh(kernel_initializer),
            data_format="channels_last",
            name=name,
        )(x)
        return Crop(0, name=f"{name}_crop")(
            BilinearUpsample(STRIDE, name=f"{name}_interp")(x), inputs
        )

    # === Pyramid pooling ===
    levels = [features.conv5]
    for bins in BINS:
        level = f"conv5_3_pool{bins}"
        x = AdaptiveAveragePool(bins, name=level)(features.conv5)
        x = convolve(x, FILTERS, 1, f"{level}_conv")
        levels.append(Resize(name=f"{level}_interp")(x, features.conv5))
    x = layers.Concatenate(name="conv5_3_concat")(levels)

    x = scores(convolve(x, FILTERS, 3, "conv5_4"), "conv6")
    if not auxiliary:
        return arguments.finish(inputs, x, class_names, weights, name)
    second = scores(convolve(features.conv4, AUXILIARY_FILTERS, 3, "aux_conv"), "aux_score")
    outputs = [Logits(class_names, name="scores")(x), Logits(class_names, name="auxiliary")(second)]
    model = keras.Model(inputs, outputs, name=name)
    if weights is not None:
        arguments.load_weights(model, weights)
    return model
