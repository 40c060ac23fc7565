"""The maps of a decoder: their layers, their channels, their values and their sheet."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.export.networks import untrained_network
from tests.reference import representative as reference
from tests.segmentation.networks import open_network
from tfdeconv.cli.visualize import network_input
from tfdeconv.errors import UserError
from tfdeconv.layers import MaxPoolWithArgmax, Unpool
from tfdeconv.models import DeconvNet, build, list_models
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.visual.activations import (
    decoder_activations,
    draw_activations,
    enlarging_steps,
    main_class,
    map_sizes,
    representative_channel,
    softmax,
)
from tfdeconv.visual.pictures import colour_map

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
    with pytest.raises(UserError, match=r"have class 3.*'upsampler' for 3 classes"):
        decoder_activations(upsampler(), IMAGE, label=3)


def test_another_size_than_that_of_the_network_is_an_error_of_the_call():
    with pytest.raises(ValueError) as raised:
        decoder_activations(upsampler(size=64), IMAGE[:9, :9])
    assert not isinstance(raised.value, UserError)


def test_the_sheet_has_a_panel_for_every_map(shown):
    sheet = draw_activations([(IMAGE, shown)], ("ground", "tree", "sky"))
    cell, columns = (224 + 42, 224), 7
    assert sheet.dtype == np.uint8
    assert sheet.shape == (8 + 2 * (cell[0] + 8) + 2 * 18 + 8, 8 + columns * (cell[1] + 8), 3)
    beside = decoder_activations(upsampler(), IMAGE, label=shown.label)
    wider = draw_activations([(IMAGE, shown), (IMAGE, beside)])
    assert wider.shape == (sheet.shape[0] + 2 * (cell[0] + 8), sheet.shape[1], 3)
    # Of another network the input, the maps before two steps, and paper where there is no more.
    below = wider[8 + 2 * (cell[0] + 8) :][: cell[0]]
    assert (below[:, 8 + 3 * 232 :] == 255).all()
    assert not (below[:, 8 + 2 * 232 : 3 * 232] == 255).all()


def test_a_pixel_of_a_map_is_a_block_of_its_colour(shown):
    sheet = draw_activations([(IMAGE, shown)])
    colours = colour_map(shown.steps[0][1].values)
    top, left = 8 + 42 + 274, 8 + 232
    for row in range(4):
        for column in range(4):
            block = sheet[top + 56 * row :, left + 56 * column :][:56, :56]
            assert (block == colours[row, column]).all()


# The layers that enlarge, in the order of the graph.
ENLARGING = {
    "deconvnet": ["unpool5", "unpool4", "unpool3", "unpool2", "unpool1"],
    "deep_contextual": ["deconv1", "deconv2", "deconv3"],
    "deeplab_aspp": ["interp"],
    "deeplab_aspp_resnet101": ["interp"],
    "deeplab_largefov": ["interp"],
    "fcn8s": ["upscore2", "upscore_pool4", "upscore8"],
    "fcn16s": ["upscore2", "upscore16"],
    "fcn32s": ["upscore"],
    "frrn_a": ["frru16_2_unpool", "unpool8", "frru8_up_2_unpool", "unpool4"],
    "frrn_b": ["frru32_2_unpool", "unpool16", "frru16_up_2_unpool", "unpool8"],
    "fusionnet": ["up4_deconv", "up3_deconv", "up2_deconv", "up1_deconv"],
    "pspnet50": ["conv5_3_pool6_interp", "conv5_3_pool3_interp", "conv5_3_pool2_interp"],
    "pspnet101": ["conv5_3_pool6_interp", "conv5_3_pool3_interp", "conv5_3_pool2_interp"],
    "segnet": ["upsample5", "upsample4", "upsample3", "upsample2", "upsample1"],
    "unet": ["upconv_d4c_u3a", "upconv_u3d_u2a", "upconv_u2d_u1a", "upconv_u1d_u0a"],
}
PHOTO = np.random.default_rng(0).integers(0, 256, (150, 203, 3)).astype(np.uint8)


def cases(cheap):
    return [
        pytest.param(name, marks=() if name in cheap else pytest.mark.large)
        for name in list_models()
    ]


@pytest.mark.parametrize("name", cases({"unet"}))
def test_every_network_shows_its_decoder(name) -> None:
    if name == "deconvnet":
        model = untrained_network(name)
    else:
        model = build(name, num_classes=3, width=1 / 32)
    picture, inside = network_input(model, PHOTO)
    shown = decoder_activations(model, picture, inside)
    found = [after.layer for _, after in shown.steps]
    assert found and found[: len(ENLARGING.get(name, ()))] == ENLARGING.get(name, [])
    for before, after in shown.steps:
        assert after.values.shape > before.values.shape > (1, 1)
        assert np.isfinite(after.values).all()
    assert shown.probability.shape == shown.labels.shape == picture.shape[:2]
    assert draw_activations([(picture, shown)]).shape[0] > 300


def test_the_size_of_a_map_is_that_which_is_computed() -> None:
    model = build("unet", num_classes=2, width=1 / 32)
    steps = enlarging_steps(model, 48, 64)
    tensors = [step.layer.output for step in steps]
    maps = keras.Model(model.input, tensors).predict(np.zeros((1, 48, 64, 3)), verbose=0)
    assert map_sizes(model, tensors, 48, 64) == [map_.shape[1:3] for map_ in maps]


def stacked(*stack) -> keras.Model:
    x = inputs = keras.Input((8, 8, 3))
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x, name="plain")


def test_paddings_and_maps_of_one_pixel_are_passed_over() -> None:
    model = stacked(
        layers.ZeroPadding2D(4),
        layers.Conv2D(4, 16, name="one_pixel"),
        layers.Conv2DTranspose(4, 4, name="from_one_pixel"),
        layers.BatchNormalization(),
        layers.UpSampling2D(2, name="doubled"),
    )
    (step,) = enlarging_steps(model, 8, 8)
    assert step.layer.name == "doubled" and step.source_name == "from_one_pixel"


def test_of_like_enlargements_the_last_is_shown() -> None:
    model = stacked(
        layers.UpSampling2D(2, name="up_a"),
        layers.MaxPooling2D(2, name="halved"),
        layers.UpSampling2D(2, name="up_b"),
        layers.UpSampling2D(2, name="up_c"),
    )
    found = enlarging_steps(model, 8, 8)
    assert [step.layer.name for step in found] == ["up_b", "up_c"]
    assert [step.source_name for step in found] == ["halved", "up_b"]


def test_a_network_inside_of_the_network_is_passed_over() -> None:
    inner = stacked(layers.MaxPooling2D(2, name="halved"))
    model = stacked(inner, layers.ReLU(), layers.UpSampling2D(2), layers.Conv2D(3, 1))
    shown = decoder_activations(model, np.ones((8, 8, 3)))
    ((before, after),) = shown.steps
    assert before.values.shape == (4, 4) and after.values.shape == (8, 8)
    assert shown.densest is None


def test_a_network_that_enlarges_nothing_is_told() -> None:
    with pytest.raises(UserError, match=r"must have layers that enlarge a map.*'plain', which has"):
        decoder_activations(stacked(layers.Conv2D(3, 1)), np.zeros((8, 8, 3)))


@pytest.mark.parametrize("size", [(150, 203), (33, 1200)])
def test_the_input_is_that_of_segmentation(size) -> None:
    model = open_network(16)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    seen = Segmenter(model).pipeline.pictures(image, np.array([[0, 0, *size]])).numpy()[0]
    picture, inside = network_input(model, image)
    # OpenCV rounds the weights of its interpolation.
    np.testing.assert_allclose(picture, seen, atol=0.1)
    added = (seen == [123, 117, 104]).all(-1)
    assert not (inside.astype(bool) & added).any() and inside.any()


@pytest.mark.parametrize("size", [(7, 5), (3, 5), (2, 2), (1, 5), (1, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_equals_loops(size, seed):
    generator = np.random.default_rng(seed)
    maps = generator.random((*size, 6)).astype(np.float32)
    maps[..., 2] = 0.5
    probability = generator.random((7, 5)).astype(np.float32)
    expected = reference.representative_channel(maps, probability)
    assert representative_channel(maps, probability) == expected


def test_a_channel_is_judged_by_its_form_and_not_by_its_strength():
    probability = np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)
    weak_but_right = np.array([[0, 1], [0, 0]])
    strong_and_opposite = np.array([[9, 0], [9, 9]])
    maps = np.stack([strong_and_opposite, weak_but_right], -1).astype(np.float32)
    assert representative_channel(maps, probability) == 1


@pytest.mark.parametrize("value", [0.0, 0.3, 1e6])
def test_maps_that_vary_nowhere_are_judged_by_their_mean(value):
    maps = np.full((5, 3, 3), value, np.float32)
    maps[..., 1] += 0.5
    probability = np.random.default_rng(0).random((9, 9)).astype(np.float32)
    assert representative_channel(maps, probability) == 1


def scores_of(labels: list[list[int]], classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[np.array(labels)]


def test_the_main_class_has_the_most_pixels_besides_background():
    assert main_class(scores_of([[0, 0, 0], [2, 2, 1]], 3)) == 2


def test_only_what_is_inside_counts():
    scores = scores_of([[2, 2, 1, 0]], 3)
    assert main_class(scores, np.array([[False, False, True, True]])) == 1
    # A mask of twice the size: the network's scores are smaller than its input.
    assert main_class(scores, np.repeat([[False, True]], 4, axis=1)) == 1


def test_where_all_is_background_the_most_probable_class_is_taken():
    scores = np.zeros((2, 2, 4), np.float32)
    scores[..., 0], scores[0, 0, 3] = 5, 1
    assert main_class(scores) == 3


def test_probabilities_are_those_of_softmax_without_overflow():
    scores = np.array([[[1e4, 1e4, -1e4]]], np.float32)
    assert softmax(scores)[..., 1].tolist() == [[0.5]]
