"""ResNet-50 and ResNet-101 with dilated convolutions, as encoders of output stride 8.

Reference:
    Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun. Deep Residual Learning for Image Recognition.
    CVPR 2016. Table 1. Dilation: L.-C. Chen et al., DeepLab, arXiv 1606.00915, section 3.1.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras import layers

from tfdeconv.models.base import Tensor
from tfdeconv.models.blocks import Initializer, caffe_pool, conv_unit, scaled

# Depth -> bottleneck units of stages 2 to 5: Table 1.
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
# Stage -> channels inside its units; their results have four times as many.
FILTERS = {2: 64, 3: 128, 4: 256, 5: 512}
# Stages 4 and 5 do not reduce the map; their kernels reach as far as if they did.
STRIDES = {2: 1, 3: 2, 4: 1, 5: 1}
DILATIONS = {2: 1, 3: 1, 4: 2, 5: 4}


def resnet(
    x: Tensor,
    depth: int = 101,
    width: float = 1.0,
    kernel_initializer: Initializer = "he_normal",
) -> tuple[Tensor, Tensor]:
    """Applies the ResNet of He et al. as DeepLab dilates it, with the names of its release.

    A 7x7 convolution of stride 2 comes first, and the first 1x1 convolution of stage 3 has the
    stride: `conv1`, `bn_conv1`, `res2a_branch2a`, `bn2a_branch2a`, ..., `res5c_relu`.

    Args:
        x: `(batch, height, width, 3)` preprocessed images.
        depth: 50 or 101.
        width: Factor on the number of channels.
        kernel_initializer: Keras initializer of the kernels.

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
    x: Tensor,
    depth: int = 101,
    width: float = 1.0,
    kernel_initializer: Initializer = "he_normal",
) -> tuple[Tensor, Tensor]:
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


class _Unit(NamedTuple):
    """Names of the layers of a bottleneck unit, and which convolution has the stride."""

    reduce: str
    middle: str
    increase: str
    shortcut: str
    sum: str
    strides_first: bool


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


def _stages(
    x: Tensor,
    depth: int,
    width: float,
    kernel_initializer: Initializer,
    names: Callable[[int, int, int], _Unit],
) -> tuple[Tensor, Tensor]:
    def convolve(
        x: Tensor, name: str, filters: int, size: int, strides: int, dilation: int, relu: bool
    ) -> Tensor:
        norm = name.replace("res", "bn", 1) if name.startswith("res") else f"{name}_bn"
        relu_name = f"{name}_relu" if relu else None
        return conv_unit(
            x,
            filters,
            size,
            name,
            kernel_initializer,
            norm,
            relu_name,
            strides,
            dilation,
            use_bias=False,
        )

    ends = {}
    for stage, units in enumerate(UNITS[depth], start=2):
        inside, outside = scaled(FILTERS[stage], width), scaled(4 * FILTERS[stage], width)
        for unit in range(1, units + 1):
            of_unit = names(depth, stage, unit)
            strides = STRIDES[stage] if unit == 1 else 1
            first, second = (strides, 1) if of_unit.strides_first else (1, strides)
            shortcut = x
            if unit == 1:
                shortcut = convolve(x, of_unit.shortcut, outside, 1, strides, 1, relu=False)
            x = convolve(x, of_unit.reduce, inside, 1, first, 1, relu=True)
            x = convolve(x, of_unit.middle, inside, 3, second, DILATIONS[stage], relu=True)
            x = convolve(x, of_unit.increase, outside, 1, 1, 1, relu=False)
            x = layers.Add(name=of_unit.sum)([shortcut, x])
            x = layers.ReLU(name=f"{of_unit.sum}_relu")(x)
        ends[stage] = x
    return ends[4], ends[5]
