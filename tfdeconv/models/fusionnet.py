"""FusionNet: residual blocks, and long skip connections that are summed instead of concatenated.

Reference:
    Tran Minh Quan, David G. C. Hildebrand, Won-Ki Jeong. FusionNet: A Deep Fully Residual
    Convolutional Neural Network for Image Segmentation in Connectomics. arXiv 1612.05360; Frontiers
    in Computer Science 2021.
"""

import os
from functools import partial

import keras
from keras import layers

from tfdeconv.models import arguments
from tfdeconv.models.blocks import Initializer, fresh, normalised, scaled

# Output channels of every step down, the last one being the bridge.
FILTERS = (64, 128, 256, 512, 1024)
STRIDE = 2 ** (len(FILTERS) - 1)


def FusionNet(
    num_classes: int = 21,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    width: float = 1.0,
    weights: str | os.PathLike[str] | None = None,
    class_names: tuple[str, ...] | None = None,
    kernel_initializer: Initializer = "he_normal",
    name: str = "fusionnet",
) -> keras.Model:
    """Builds FusionNet.

    Four steps down (`down1` to `down4`), a bridge, and four steps up (`up4` to `up1`). Each is a
    convolution, a residual block of three convolutions and another convolution, all 3x3; steps down
    end with a pooling, steps up begin with a 3x3 deconvolution of stride 2 to whose result the map
    of the way down is added, which needs as many channels there as here. Batch normalisation
    precedes every ReLU; the third convolution of a block has no ReLU, nor has the sum.
    78,544,341 weights for 21 classes, statistics of batch normalisation not counted.

    The kernels of the deconvolutions and of the scores are 3x3 as in the networks that its first
    author built on it, and no ReLU follows a sum as in public re-implementations.

    Args:
        num_classes: Number of classes, at least 2, the background included.
        input_shape: `(height, width, 3)`, multiples of 16; with the default, `(None, None, 3)`, the
            network takes all of them. The paper's is 640x640, gray.
        width: Factor on the number of channels, the paper's being 1.
        weights: None for random ones, or a `.weights.h5` or `.keras` file of the same network.
        class_names: Names of the classes in the order of the labels; they are saved with the model.
        kernel_initializer: Keras initialiser of the kernels.
        name: Name of the model.

    Returns:
        A functional `keras.Model` that maps RGB images in [0, 255], uint8 or float,
        `(batch, height, width, 3)`, to float32 scores before softmax,
        `(batch, height, width, num_classes)`.

    Raises:
        ValueError: when an argument is out of its range; the message names the nearest right one.
        UserError: when the file in `weights` does not fit the network.

    Example:

    >>> FusionNet(num_classes=3, input_shape=(48, 64, 3), width=1 / 16).output_shape
    (None, 48, 64, 3)

    Reference:
        Section 3 and Table 1 of the paper.
    """
    step = partial(_step, width=width, kernel_initializer=kernel_initializer)

    inputs, x = arguments.begin(num_classes, class_names, input_shape, STRIDE)
    skips = []
    for level, filters in enumerate(FILTERS[:-1], start=1):
        x = step(x, f"down{level}", filters)
        skips.append((level, filters, x))
        x = layers.MaxPooling2D(2, data_format="channels_last", name=f"down{level}_pool")(x)
    x = step(x, "bridge", FILTERS[-1])
    for level, filters, skip in reversed(skips):
        deconvolution = layers.Conv2DTranspose(
            scaled(filters, width),
            3,
            strides=2,
            padding="same",
            kernel_initializer=fresh(kernel_initializer),
            data_format="channels_last",
            name=f"up{level}_deconv",
        )
        x = normalised(deconvolution, x, f"up{level}_deconv_bn", f"up{level}_deconv_relu")
        x = layers.Add(name=f"up{level}_merge")([x, skip])
        x = step(x, f"up{level}", filters)
    x = layers.Conv2D(
        num_classes,
        3,
        padding="same",
        kernel_initializer=fresh(kernel_initializer),
        data_format="channels_last",
        name="score",
    )(x)
    return arguments.finish(inputs, x, class_names, weights, name)


def _step(
    x: keras.KerasTensor, name: str, filters: int, width: float, kernel_initializer: Initializer
) -> keras.KerasTensor:
    def convolve(x: keras.KerasTensor, part: str, relu: bool = True) -> keras.KerasTensor:
        convolution = layers.Conv2D(
            scaled(filters, width),
            3,
            padding="same",
            kernel_initializer=fresh(kernel_initializer),
            data_format="channels_last",
            name=f"{name}_{part}",
        )
        relu_name = f"{name}_{part}_relu" if relu else None
        return normalised(convolution, x, f"{name}_{part}_bn", relu_name)

    first = convolve(x, "conv1")
    x = convolve(convolve(convolve(first, "res1"), "res2"), "res3", relu=False)
    return convolve(layers.Add(name=f"{name}_res")([first, x]), "conv2")
