"""Residual blocks: found in the graphs of networks, and a deleted one is the identity."""

import functools

import keras
import numpy as np
import pytest

from tfdeconv import models
from tfdeconv.models.residual import Residual, delete, residual_blocks, with_switches

KERNELS = np.random.default_rng(0).normal(size=(3, 2, 2)).astype("float32")


def small() -> keras.Model:
    """Two residual blocks of 1x1 convolutions, ReLU behind each; the second adds from the left."""
    x = inputs = keras.Input((None, None, 2), name="image")
    for index, name in enumerate(("first", "second")):
        branch = keras.layers.Conv2D(2, 1, use_bias=False, name=f"branch_{name}")(x)
        x = keras.layers.Add(name=name)([x, branch] if index == 0 else [branch, x])
        x = keras.layers.ReLU()(x)
    left = keras.layers.Conv2D(2, 1, use_bias=False, name="shortcut")(x)
    right = keras.layers.Conv2D(2, 1, use_bias=False, name="branch_third")(x)
    model = keras.Model(inputs, keras.layers.Add(name="third")([left, right]))
    for name, kernel in zip(("first", "second", "third"), KERNELS, strict=True):
        model.get_layer(f"branch_{name}").set_weights([kernel[None, None]])
    return model


def reference(images: np.ndarray, deleted: set[str]) -> np.ndarray:
    """The first two blocks pixel by pixel: without its branch a block is its input."""
    found = np.zeros_like(images)
    for place in np.ndindex(images.shape[:3]):
        pixel = images[place]
        for name, kernel in zip(("first", "second"), KERNELS, strict=False):
            pixel = np.maximum(pixel if name in deleted else pixel + pixel @ kernel, 0)
        found[place] = pixel
    return found


def test_blocks_and_projections_are_told_apart() -> None:
    blocks = residual_blocks(small())
    assert blocks.deletable == {"first": 0, "second": 1}
    assert blocks.projected == ("third",)


@pytest.mark.parametrize("deleted", [set(), {"first"}, {"second"}, {"first", "second"}])
def test_without_its_branch_a_block_is_the_identity(deleted) -> None:
    model = with_switches(small())
    end = keras.Model(model.input, model.get_layer("shortcut").input)
    images = np.random.default_rng(1).random((2, 3, 5, 2)).astype("float32")
    # Traced before: a graph follows the switches.
    run = functools.partial(end.predict, verbose=0)
    run(images)
    delete(model, deleted)
    np.testing.assert_allclose(run(images), reference(images, deleted), rtol=1e-5)
    delete(model, set())
    np.testing.assert_allclose(run(images), reference(images, set()), rtol=1e-5)


def test_a_branch_that_is_not_finite_is_gone_too() -> None:
    layer, x = Residual(1), np.ones((1, 2), "float32")
    layer.kept.assign(False)
    assert layer([x * np.inf, x]).numpy().tolist() == [[1.0, 1.0]]


def test_the_copy_has_the_scores_of_the_network_and_leaves_it_alone() -> None:
    model = small()
    images = np.random.default_rng(2).normal(size=(1, 4, 3, 2)).astype("float32")
    before, copy = model(images).numpy(), with_switches(model)
    np.testing.assert_array_equal(copy(images), before)
    delete(copy, set(residual_blocks(model).deletable))
    assert np.abs(copy(images) - before).max() > 0
    np.testing.assert_array_equal(model(images), before)


@pytest.mark.large
def test_fusionnet_s_long_connections_are_no_blocks() -> None:
    blocks = residual_blocks(models.build("fusionnet", num_classes=3, width=1 / 32))
    assert len(blocks.deletable) == 9 and blocks.projected == ()
    assert all(name.endswith("_res") for name in blocks.deletable)


@pytest.mark.large
@pytest.mark.parametrize(
    ("name", "count", "first", "projected"),
    [
        ("pspnet50", 12, "conv2_2", ("conv2_1", "conv3_1", "conv4_1", "conv5_1")),
        ("pspnet101", 29, "conv2_2", ("conv2_1", "conv3_1", "conv4_1", "conv5_1")),
        ("deeplab_aspp_resnet101", 29, "res2b", ("res2a", "res3a", "res4a", "res5a")),
        ("frrn_a", 22, "ru1", ("ru_up1",)),
        ("frrn_b", 26, "ru1", ("ru_up1",)),
    ],
)
def test_blocks_of_the_networks(name, count, first, projected) -> None:
    model = models.build(name, num_classes=3, width=1 / 64)
    blocks = residual_blocks(model)
    assert len(blocks.deletable) == count and next(iter(blocks.deletable)) == first
    assert blocks.projected == projected
    switched = with_switches(model)
    delete(switched, set(blocks.deletable))
    sums = [switched.get_layer(one) for one in blocks.deletable]
    outputs = [one.output for one in sums]
    outputs += [one.input[i] for one, i in zip(sums, blocks.deletable.values(), strict=True)]
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 3)).astype("float32")
    found = keras.Model(switched.input, outputs)(images)
    for after, before in zip(found[:count], found[count:], strict=True):
        np.testing.assert_array_equal(after, before)


def test_a_network_without_blocks_has_none() -> None:
    inputs = keras.Input((4, 4, 3))
    plain = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    assert residual_blocks(plain) == ({}, ())


def test_an_unknown_block_is_told() -> None:
    with pytest.raises(ValueError, match=r"of first, second. Received: third"):
        delete(with_switches(small()), {"third"})
