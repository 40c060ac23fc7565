"""FusionNet: the paper's Table 1, and the scores of a network of PyTorch's layers."""

import numpy as np
import pytest

from tests.models.neighbours import (
    Row,
    Torch,
    check_learns,
    check_scores,
    check_table,
    predicted,
    random_images,
    randomise,
    weights_without_statistics,
)
from tfdeconv.models import FusionNet, build

CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512}
SIDES = {1: 640, 2: 320, 3: 160, 4: 80}
PARTS = ("conv1", "res1", "res2", "res3", "conv2")
STEPS = [
    *[(f"down{i}", CHANNELS[i], SIDES[i]) for i in CHANNELS],
    ("bridge", 1024, 40),
    *[(f"up{i}", CHANNELS[i], SIDES[i]) for i in (4, 3, 2, 1)],
]


def table(divisor: int, classes: int) -> list[Row]:
    return [
        *[Row(f"{n}_{part}", 3, c // divisor, side) for n, c, side in STEPS for part in PARTS],
        *[Row(f"up{i}_deconv", 3, c // divisor, SIDES[i]) for i, c in CHANNELS.items()],
        Row("score", 3, classes, 640),
    ]


def test_layer_table() -> None:
    model = FusionNet(2, (640, 640, 3), width=1 / 32, kernel_initializer="zeros")
    check_table(model, table(32, 2))
    assert len([layer for layer in model.layers if hasattr(layer, "gamma")]) == 49
    assert len([layer for layer in model.layers if layer.name.endswith("_res")]) == 9
    for i in CHANNELS:
        assert model.get_layer(f"down{i}_pool").output.shape[1] == SIDES[i] // 2
        assert model.get_layer(f"up{i}_merge").output.shape[1] == SIDES[i]


def test_weights_of_the_full_network_by_arithmetic() -> None:
    def convolution(channels: int, filters: int) -> int:
        return 9 * channels * filters + 3 * filters  # bias, scale and shift

    weights, before = 9 * 64 * 21 + 21, 3
    for channels in (*CHANNELS.values(), 1024):
        weights += convolution(before, channels) + 4 * convolution(channels, channels)
        before = channels
    for channels in reversed(CHANNELS.values()):
        weights += convolution(2 * channels, channels) + 5 * convolution(channels, channels)
    assert f"{weights:,}" in (FusionNet.__doc__ or "")


@pytest.mark.large
def test_weights_of_the_full_network() -> None:
    model = FusionNet(2, (640, 640, 3), kernel_initializer="zeros")
    check_table(model, table(1, 2))
    assert weights_without_statistics(model) == 78_544_341 - 19 * (9 * 64 + 1)


def test_scores_are_those_of_a_pytorch_network() -> None:
    model = randomise(FusionNet(5, width=1 / 16))
    images = random_images(2, 32, 48, 3)
    net = Torch(model)

    def step(x, name):
        def conv(x, part, relu=True):
            return net.conv(x, f"{name}_{part}", f"{name}_{part}_bn", relu)

        x = conv(x, "conv1")
        return conv(x + conv(conv(conv(x, "res1"), "res2"), "res3", relu=False), "conv2")

    x, skips = net.images(images), {}
    for i in (1, 2, 3, 4):
        skips[i] = step(x, f"down{i}")
        x = net.functional.max_pool2d(skips[i], 2)
    x = step(x, "bridge")
    for i in (4, 3, 2, 1):
        # Keras pads a 3x3 deconvolution of stride 2 by nothing in front: the last row is cut off.
        x = net.deconv(x, f"up{i}_deconv", f"up{i}_deconv_bn")
        x = x[:, :, : skips[i].shape[2], : skips[i].shape[3]]
        x = step(x + skips[i], f"up{i}")
    check_scores(predicted(model, images), net.conv(x, "score", relu=False))


def test_training_lowers_the_loss() -> None:
    check_learns("fusionnet")


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match=r"multiples of 16.*nearest is 176 in place of 180"):
        FusionNet(3, (180, 240, 3), width=1 / 32)
    with pytest.raises(ValueError, match="sides that are multiples of 16"):
        build("fusionnet", num_classes=3, width=1 / 64)(np.zeros((1, 20, 32, 3)))
    with pytest.raises(ValueError, match="`num_classes` must be 2 to 255"):
        FusionNet(1, width=1 / 32)
