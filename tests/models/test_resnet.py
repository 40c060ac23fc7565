"""ResNet-50 and -101 as encoders: names of both releases, strides and dilations, weights."""

import keras
import numpy as np
import pytest

from tests.models.networks import centre_taps, place_of
from tfdeconv.models import PSPNet
from tfdeconv.models.resnet import pspnet_resnet, resnet

# Convolutions of ResNet-101 without biases: the usual 44,549,160 weights less its classifier.
RESNET_101 = 44_549_160 - (2048 * 1000 + 1000)
RESNET_50 = 25_557_032 - (2048 * 1000 + 1000)


def encoder(build, depth: int = 50, width: float = 1 / 64) -> keras.Model:
    inputs = keras.Input((None, None, 3))
    features = build(inputs, depth, width, "zeros")
    return keras.Model(inputs, list(features))


def convolutions(model: keras.Model) -> dict[str, keras.layers.Conv2D]:
    return {n.name: n for n in model.layers if isinstance(n, keras.layers.Conv2D)}


def trained(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_weights_are_those_of_the_papers() -> None:
    assert trained(encoder(resnet, 50, 1.0)) == RESNET_50
    # The stem: 3x3x64, 64x64 and 64x128 kernels for 7x7x64, and stage 2 sees 128 channels.
    stem = 9 * (3 * 64 + 64 * 64 + 64 * 128) + 2 * (64 + 64 + 128) - (49 * 3 * 64 + 2 * 64)
    assert trained(encoder(pspnet_resnet, 50, 1.0)) == RESNET_50 + stem + 64 * (64 + 256)


@pytest.mark.large
def test_weights_of_resnet_101() -> None:
    assert trained(encoder(resnet, 101, 1.0)) == RESNET_101


def test_names_strides_and_dilations_of_he() -> None:
    found = convolutions(encoder(resnet, 101))
    assert len(found) == 100 + 4
    names = ["conv1", "res2a_branch1", "res3b1_branch2a", "res4b22_branch2c", "res5c_branch2b"]
    assert set(names) <= set(found) and "res4b23_branch2a" not in found
    strided = {name for name, layer in found.items() if layer.strides == (2, 2)}
    assert strided == {"conv1", "res3a_branch1", "res3a_branch2a"}
    for name, layer in found.items():
        wanted = {"4": 2, "5": 4}.get(name[3], 1) if name.endswith("2b") else 1
        assert layer.dilation_rate == (wanted, wanted), name
        assert not layer.use_bias
    assert "res3d_branch2a" in convolutions(encoder(resnet, 50))


def test_names_strides_and_dilations_of_pspnet() -> None:
    model = encoder(pspnet_resnet, 101)
    found = convolutions(model)
    assert len(found) == 99 + 4 + 3
    assert {"conv1_1_3x3_s2", "conv1_3_3x3", "conv4_23_1x1_increase", "conv5_1_1x1_proj"} <= set(
        found
    )
    strided = {name for name, layer in found.items() if layer.strides == (2, 2)}
    assert strided == {"conv1_1_3x3_s2", "conv3_1_3x3", "conv3_1_1x1_proj"}
    for name, layer in found.items():
        wanted = {"4": 2, "5": 4}.get(name[4], 1) if "_3x3" in name else 1
        assert layer.dilation_rate == (wanted, wanted), name
        assert model.get_layer(f"{name}_bn").input is layer.output


@pytest.mark.parametrize("build", [resnet, pspnet_resnet])
def test_a_vector_stands_on_every_eighth_pixel(build) -> None:
    model = encoder(build, 50)
    channels = (16, 32)
    for size, counts in {(65, 81): (9, 11), (64, 80): (9, 11), (1, 1): (1, 1)}.items():
        maps = model(np.zeros((1, *size, 3)))
        assert [x.shape for x in maps] == [(1, *counts, count) for count in channels]
    last = keras.Model(model.input, centre_taps(model).outputs[1])
    for size in ((65, 81), (64, 80)):
        assert place_of(last, size, (32, 48)) == pytest.approx((4, 6), abs=1e-3)


def test_other_depths_do_not_exist() -> None:
    with pytest.raises(ValueError, match=r"`depth` must be one of \[50, 101\]. Received: depth=34"):
        PSPNet(2, depth=34)
