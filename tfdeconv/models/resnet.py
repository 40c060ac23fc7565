"""ResNet-50 and ResNet-101 with dilated convolutions, as encoders of output stride 8.

Reference:
    Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun. Deep Residual Learning for Image Recognition.
    CVPR 2016. Table 1. Dilation: L.-C. Chen et al., DeepLab, arXiv 1606.00915, section 3.1.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import layers

from tfdeconv.models.blocks import Initializer, caffe_pool, conv_unit, scaled

# Depth -> bottleneck units of stages 2 to 5: Table 1.
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
# Stage -> channels inside its units; their results have four times as many.
FILTERS = {2: 64, 3: 128, 4: 256, 5: 512}
# Stages 4 and 5 do not reduce the map; their kernels reach as far as if they did.
STRIDES = {2: 1, 3: 2, 4: 1, 5: 1}
DILATIONS = {2: 1, 3: 1, 4: 2, 5: 4}


class _Unit(NamedTuple):
    """Names of the layers of a bottleneck unit, and where its stride is."""

    reduce: str
    middle: str
    increase: str
    shortcut: str
    sum: str
    # Whether the 1x1 convolution in front has the stride, not the 3x3 one.
    strides_first: bool


def resnet(
    x: keras.KerasTensor,
    depth: int = 101,
    width: float = 1.0,
    kernel_initializer: Initializer = "he_normal",
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Applies the ResNet of He et al. as DeepLab dilates it, with the names of its release.

    A 7x7 convolution of stride 2 comes first, and the first 1x1 convolution of stage 3 has the
    stride: `conv1`, `bn_conv1`, `res2a_branch2a`, `bn2a_branch2a`, ..., `res5c_relu`.

    Args:
        x: `(batch, height, width, 3)` preprocessed images.
        depth: 50 or 101.
        width: Factor on the number of channels.
        kernel_initializer: Keras initialiser of the kernels.

    Returns:
        The maps of the last units of stages 4 and 5, `(batch, rows, columns, 1024 * width)` and
        `(batch, rows, columns, 2048 * width)`, one vector for 8x8 pixels each.
    """
    filters = scaled(64, width)
    x = conv_unit(
        x, filters, 7, "conv1", kernel_initializer, "bn_conv1", "conv1_relu", 2, use_bias=False
    )
    x = caffe_pool(x, "pool1")
    return _stages(x, depth, width, kernel_initializer, _names_of_he)


def pspnet_resnet(
    x: keras.KerasTensor,
    depth: int = 101,
    width: float = 1.0,
    kernel_initializer: Initializer = "he_normal",
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Applies the ResNet of PSPNet's release, with its names.

    Three 3x3 convolutions come first in place of the 7x7 one, and the 3x3 convolution of a unit has
    the stride: `conv1_1_3x3_s2`, `conv1_1_3x3_s2_bn`, `conv1_2_3x3`, `conv1_3_3x3`,
    `conv2_1_1x1_reduce`, ..., `conv5_3_relu`. (The release writes `/bn`; Keras forbids it.)

    Args, returns: as `resnet`.
    """
    for name, count, strides in (
        ("conv1_1_3x3_s2", 64, 2),
        ("conv1_2_3x3", 64, 1),
        ("conv1_3_3x3", 128, 1),
    ):
        filters, norm, relu = scaled(count, width), f"{name}_bn", f"{name}_relu"
        x = conv_unit(x, filters, 3, name, kernel_initializer, norm, relu, strides, use_bias=False)
    x = caffe_pool(x, "pool1_3x3_s2")
    return _stages(x, depth, width, kernel_initializer, _names_of_pspnet)


def _names_of_he(depth: int, stage: int, unit: int) -> _Unit:
    # The release of ResNet-101 counts its long stages 3a, 3b1, 3b2, ...; the others by letters.
    numbered = depth > 50 and stage in (3, 4) and unit > 1
    name = f"res{stage}" + (f"b{unit - 1}" if numbered else "abcdef"[unit - 1])
    branch = f"{name}_branch"
    return _Unit(f"{branch}2a", f"{branch}2b", f"{branch}2c", f"{branch}1", name, True)


def _names_of_pspnet(depth: int, stage: int, unit: int) -> _Unit:
    name = f"conv{stage}_{unit}"
    reduce, increase, shortcut = (f"{name}_1x1_{part}" for part in ("reduce", "increase", "proj"))
    return _Unit(reduce, f"{name}_3x3", increase, shortcut, name, False)


def _bn_name(convolution: str) -> str:
    if convolution.startswith("res"):
        return convolution.replace("res", "bn", 1)
    return f"{convolution}_bn"


def _stages(
    x: keras.KerasTensor,
    depth: int,
    width: float,
    kernel_initializer: Initializer,
    names: Callable[[int, int, int], _Unit],
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    ends = {}
    for stage, units in enumerate(UNITS[depth], start=2):
        inside, outside = scaled(FILTERS[stage], width), scaled(4 * FILTERS[stage], width)
        for unit in range(1, units + 1):
            of_unit = names(depth, stage, unit)
            strides = STRIDES[stage] if unit == 1 else 1
            shortcut = x
            if unit == 1:
                shortcut = conv_unit(
                    x,
                    outside,
                    1,
                    of_unit.shortcut,
                    kernel_initializer,
                    _bn_name(of_unit.shortcut),
                    strides=strides,
                    use_bias=False,
                )
            x = _branch(x, of_unit, inside, outside, strides, DILATIONS[stage], kernel_initializer)
            x = layers.Add(name=of_unit.sum)([shortcut, x])
            x = layers.ReLU(name=f"{of_unit.sum}_relu")(x)
        ends[stage] = x
    return ends[4], ends[5]


def _branch(
    x: keras.KerasTensor,
    names: _Unit,
    inside: int,
    outside: int,
    strides: int,
    dilation: int,
    kernel_initializer: Initializer,
) -> keras.KerasTensor:
    first, second = (strides, 1) if names.strides_first else (1, strides)
    for name, filters, size, step, spread in (
        (names.reduce, inside, 1, first, 1),
        (names.middle, inside, 3, second, dilation),
        (names.increase, outside, 1, 1, 1),
    ):
        relu = None if name == names.increase else f"{name}_relu"
        norm = _bn_name(name)
        x = conv_unit(
            x, filters, size, name, kernel_initializer, norm, relu, step, spread, use_bias=False
        )
    return x
