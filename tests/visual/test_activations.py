"""Activations of small networks, and their sheet, compared with the layers themselves."""

import keras
import numpy as np
import pytest
from keras import layers

from tfdeconv.errors import UserError
from tfdeconv.layers import MaxPoolWithArgmax, Unpool
from tfdeconv.models import DeconvNet
from tfdeconv.visual.activation_panels import colour_map, draw_activations, panel_size
from tfdeconv.visual.activations import decoder_activations
from tfdeconv.visual.scaling import fitted

DENSE = ["deconv5_3", "deconv4_3", "deconv3_3", "deconv2_2", "deconv1_2"]
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return DeconvNet(3, (64, 64, 3), width=1 / 16)


@pytest.fixture(scope="module")
def shown(network):
    return decoder_activations(network, IMAGE)


def upsampler(classes: int = 3, size: int | None = 64) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    x = layers.ZeroPadding2D(8)(inputs)
    x = layers.Conv2D(5, 3, strides=4, padding="same")(x)
    x = layers.UpSampling2D(2, name="doubled")(x)
    x = layers.Conv2DTranspose(classes, 3, padding="same", name="same_size")(x)
    x = layers.Conv2DTranspose(classes, 4, 2, padding="same", name="upscore")(x)
    return keras.Model(inputs, layers.Cropping2D(8)(x), name="upsampler")


def test_every_stage_of_deconvnet_has_its_two_maps(shown):
    before, after = zip(*shown.steps, strict=True)
    assert [activation.layer for activation in after] == [f"unpool{k}" for k in (5, 4, 3, 2, 1)]
    assert [*(one.layer for one in before), shown.densest.layer] == ["fc6-deconv", *DENSE]
    sides = [(2, 2), (4, 4), (8, 8), (16, 16), (32, 32), (64, 64)]
    assert [activation.values.shape for activation in before] == sides[:-1]
    assert [activation.values.shape for activation in after] == sides[1:]
    assert shown.densest.values.shape == shown.probability.shape == shown.labels.shape == (64, 64)
    assert shown.network == "deconvnet" and shown.label > 0


def test_maps_are_those_of_the_layers(network, shown):
    activations = [*(one for step in shown.steps for one in step), shown.densest]
    names = [
        one.layer if one.layer.startswith("un") else f"derelu{one.layer[6:]}"
        for one in activations
        if one.layer != "fc6-deconv"
    ]
    model = keras.Model(network.input, [network.get_layer(name).output for name in names])
    computed = model.predict(IMAGE[None], verbose=0)
    for activation, whole in zip(activations[1:], computed, strict=True):
        np.testing.assert_allclose(activation.values, whole[0, ..., activation.channel], atol=1e-6)


def test_an_unpooled_map_shows_the_channel_that_it_puts_back(shown):
    for before, after in shown.steps:
        assert after.channel == before.channel
        put_back = after.values[after.values > 0]
        assert sorted(put_back) == pytest.approx(sorted(before.values[before.values > 0]), abs=1e-6)


@pytest.mark.parametrize("convolutions", [0, 1, 2])
def test_a_network_that_ends_in_an_unpooling_shows_its_scores(convolutions):
    x = inputs = keras.Input((6, 6, 3))
    pooled, argmax = MaxPoolWithArgmax(2)(x)
    x = Unpool(2, name="back")(pooled, argmax, x)
    for _ in range(convolutions):
        x = layers.Conv2D(4, 1, activation="relu")(x)
    shown = decoder_activations(keras.Model(inputs, x), IMAGE[:6, :6])
    assert [after.layer for _, after in shown.steps] == ["back"]
    # What one convolution makes scores of is the unpooled map itself, which is there already.
    assert (shown.densest is None) == (convolutions < 2)


def test_layers_that_enlarge_are_found_in_any_network():
    for size in (64, None):
        shown = decoder_activations(upsampler(size=size), IMAGE, label=2)
        found = [
            (after.layer, before.values.shape, after.values.shape) for before, after in shown.steps
        ]
        assert found == [("doubled", (20, 20), (40, 40)), ("upscore", (40, 40), (80, 80))]
        (before, after), _ = shown.steps
        assert before.channel == after.channel
        assert shown.densest is None and shown.label == 2 and shown.labels.shape == (64, 64)


def test_a_class_that_the_network_does_not_know_is_told():
    with pytest.raises(UserError, match=r"know class 3.*'upsampler' for 3 classes"):
        decoder_activations(upsampler(), IMAGE, label=3)


def test_another_size_than_that_of_the_network_is_an_error_of_the_call():
    with pytest.raises(ValueError) as raised:
        decoder_activations(upsampler(size=64), IMAGE[:9, :9])
    assert not isinstance(raised.value, UserError)


def test_the_sheet_has_a_panel_for_every_map(shown):
    sheet = draw_activations(IMAGE, shown, class_names=("ground", "tree", "sky"))
    cell, columns = (224 + 42, 224), 7
    assert sheet.dtype == np.uint8
    assert sheet.shape == (8 + 2 * (cell[0] + 8) + 2 * 18 + 8, 8 + columns * (cell[1] + 8), 3)
    beside = decoder_activations(upsampler(), IMAGE, label=shown.label)
    wider = draw_activations(IMAGE, shown, beside)
    assert wider.shape == (sheet.shape[0] + 2 * (cell[0] + 8), sheet.shape[1], 3)
    # Of another network the input, the maps before two steps, and paper where there is no more.
    below = wider[8 + 2 * (cell[0] + 8) :][: cell[0]]
    assert (below[:, 8 + 3 * 232 :] == 255).all()
    assert not (below[:, 8 + 2 * 232 : 3 * 232] == 255).all()


def test_panels_have_the_proportions_of_the_image_and_maps_keep_theirs():
    assert panel_size(375, 500) == (168, 224)
    square = fitted(np.zeros((4, 4, 3), np.uint8), (168, 224))
    assert (square[:, 28:196] == 0).all() and (square[:, :28] == 255).all()


def test_a_pixel_of_a_map_is_a_block_of_its_colour(shown):
    sheet = draw_activations(IMAGE, shown)
    colours = colour_map(shown.steps[0][1].values)
    top, left = 8 + 42 + 274, 8 + 232
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
    assert colour_map(np.array([[2]], np.float32), 4.0)[0, 0].tolist() not in (black, light)
