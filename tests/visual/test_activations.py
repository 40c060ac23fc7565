"""Activations of small networks, and their sheet, compared with the layers themselves."""

import keras
import numpy as np
import pytest
from keras import layers

from tfdeconv.errors import UserError
from tfdeconv.layers import MaxPoolWithArgmax, Unpool
from tfdeconv.models import DeconvNet
from tfdeconv.visual.activation_panels import colour_map, draw_activations
from tfdeconv.visual.activations import unpooling_activations, upsampling_activations

DENSE = ["deconv5_3", "deconv4_3", "deconv3_3", "deconv2_2", "deconv1_2"]
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return DeconvNet(3, (64, 64, 3), width=1 / 16)


@pytest.fixture(scope="module")
def shown(network):
    return unpooling_activations(network, IMAGE)


def upsampler(classes: int = 3, size: int | None = 64) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    x = layers.ZeroPadding2D(8)(inputs)
    x = layers.Conv2D(5, 3, strides=4, padding="same")(x)
    x = layers.UpSampling2D(2, name="doubled")(x)
    x = layers.Conv2DTranspose(classes, 3, padding="same", name="same_size")(x)
    x = layers.Conv2DTranspose(classes, 4, 2, padding="same", name="upscore")(x)
    return keras.Model(inputs, layers.Cropping2D(8)(x), name="upsampler")


def test_every_stage_of_deconvnet_has_its_two_maps(shown):
    unpooled, dense = shown.rows
    assert [activation.layer for activation in unpooled] == [f"unpool{k}" for k in (5, 4, 3, 2, 1)]
    assert [activation.layer for activation in dense] == DENSE
    sides = [(4, 4), (8, 8), (16, 16), (32, 32), (64, 64)]
    assert [activation.values.shape for activation in unpooled] == sides
    assert [activation.values.shape for activation in dense] == sides
    assert shown.labels.shape == (64, 64) and shown.network == "deconvnet" and shown.label > 0


def test_maps_are_those_of_the_layers(network, shown):
    names = [a.layer if a.layer.startswith("un") else f"derelu{a.layer[6:]}" for a in flat(shown)]
    model = keras.Model(network.input, [network.get_layer(name).output for name in names])
    for activation, whole in zip(flat(shown), model.predict(IMAGE[None], verbose=0), strict=True):
        np.testing.assert_allclose(activation.values, whole[0, ..., activation.channel], atol=1e-6)


def test_an_unpooled_map_shows_the_channel_that_it_puts_back(shown):
    unpooled, dense = shown.rows
    for before, after in zip(dense, unpooled[1:], strict=False):
        assert after.channel == before.channel
        put_back = after.values[after.values > 0]
        assert sorted(put_back) == pytest.approx(sorted(before.values[before.values > 0]), abs=1e-6)


def flat(shown):
    return [activation for row in shown.rows for activation in row]


@pytest.mark.parametrize("convolutions", [0, 1])
def test_a_network_that_ends_in_an_unpooling_shows_its_scores(convolutions):
    x = inputs = keras.Input((6, 6, 3))
    pooled, argmax = MaxPoolWithArgmax(2)(x)
    x = Unpool(2, name="back")(pooled, argmax, x)
    for _ in range(convolutions):
        x = layers.Conv2D(4, 1, name="classify")(x)
    shown = unpooling_activations(keras.Model(inputs, x), IMAGE[:6, :6])
    assert [[activation.layer for activation in row] for row in shown.rows] == [
        ["back"],
        ["classify" if convolutions else "back"],
    ]


def test_layers_that_enlarge_are_found_in_any_network():
    for size in (64, None):
        shown = upsampling_activations(upsampler(size=size), IMAGE, label=2)
        (row,) = shown.rows
        found = [(activation.layer, activation.values.shape) for activation in row]
        assert found == [("doubled", (40, 40)), ("upscore", (80, 80))]
        # A layer of scores is shown for the class that is asked for.
        assert row[1].channel == shown.label == 2 and shown.labels.shape == (64, 64)


def test_networks_without_such_layers_are_told(network):
    x = keras.Input((64, 64, 3))
    plain = keras.Model(x, layers.Conv2D(3, 1)(x), name="plain")
    with pytest.raises(UserError, match=r"must have unpooling layers.*'plain'.*--beside"):
        unpooling_activations(plain, IMAGE)
    with pytest.raises(UserError, match=r"enlarge a map. Received: 'plain'"):
        upsampling_activations(plain, IMAGE, 1)
    with pytest.raises(UserError, match=r"know class 3.*'upsampler' for 3 classes"):
        upsampling_activations(upsampler(), IMAGE, 3)


def test_the_sheet_has_a_panel_for_every_map(shown):
    sheet = draw_activations(IMAGE, shown, class_names=("ground", "tree", "sky"))
    cell, columns = (224 + 42, 224), 6
    assert sheet.dtype == np.uint8
    assert sheet.shape == (8 + 2 * (cell[0] + 8) + 2 * 18 + 8, 8 + columns * (cell[1] + 8), 3)
    beside = upsampling_activations(upsampler(), IMAGE, shown.label)
    wider = draw_activations(IMAGE, shown, beside)
    assert wider.shape == (sheet.shape[0] + cell[0] + 8, sheet.shape[1], 3)
    # The third row holds a prediction and two maps; the rest is paper.
    assert (wider[600:800, 8 + 3 * 232 :] == 255).all()
    assert not (wider[600:800, 8 + 2 * 232 : 3 * 232] == 255).all()


def test_a_pixel_of_a_map_is_a_block_of_its_colour(shown):
    sheet = draw_activations(IMAGE, shown)
    colours = colour_map(shown.rows[0][0].values)
    top, left = 8 + 42, 8 + 232
    for row in range(4):
        for column in range(4):
            block = sheet[top + 56 * row :, left + 56 * column :][:56, :56]
            assert (block == colours[row, column]).all()


def test_colours_go_from_zero_to_the_largest_value():
    black, light = [0, 0, 4], [252, 255, 164]
    assert colour_map(np.array([[0, 4]], np.float32))[0].tolist() == [black, light]
    assert colour_map(np.array([[-4, 4]], np.float32))[0].tolist() == [black, light]
    assert colour_map(np.zeros((2, 2), np.float32)).reshape(-1, 3).tolist() == [black] * 4
    assert colour_map(np.array([[3, 4]], np.float32))[0, 0].tolist() != black
