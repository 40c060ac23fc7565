"""Which layers enlarge a map: found in every network of the package by one rule."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.export.networks import untrained_network
from tests.segmentation.networks import open_network
from tfdeconv.cli.shown import shown_to
from tfdeconv.errors import UserError
from tfdeconv.models import build, list_models
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.visual.activation_panels import draw_activations
from tfdeconv.visual.activations import decoder_activations
from tfdeconv.visual.decoder import enlarging_steps, map_sizes

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
    picture, inside = shown_to(model, PHOTO)
    shown = decoder_activations(model, picture, inside)
    found = [after.layer for _, after in shown.steps]
    assert found and found[: len(ENLARGING.get(name, ()))] == ENLARGING.get(name, [])
    for before, after in shown.steps:
        assert after.values.shape > before.values.shape > (1, 1)
        assert np.isfinite(after.values).all()
    assert shown.probability.shape == shown.labels.shape == picture.shape[:2]
    assert draw_activations(picture, shown).shape[0] > 300


def test_the_size_of_a_map_is_that_which_is_computed() -> None:
    model = build("unet", num_classes=2, width=1 / 32)
    steps = enlarging_steps(model, 48, 64)
    tensors = [step.layer.output for step in steps]
    maps = keras.Model(model.input, tensors).predict(np.zeros((1, 48, 64, 3)), verbose=0)
    assert map_sizes(model, tensors, 48, 64) == [map_.shape[1:3] for map_ in maps]


def network(*stack) -> keras.Model:
    x = inputs = keras.Input((8, 8, 3))
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x, name="plain")


def test_paddings_and_maps_of_one_pixel_are_passed_over() -> None:
    model = network(
        layers.ZeroPadding2D(4),
        layers.Conv2D(4, 16, name="one_pixel"),
        layers.Conv2DTranspose(4, 4, name="from_one_pixel"),
        layers.BatchNormalization(),
        layers.UpSampling2D(2, name="doubled"),
    )
    (step,) = enlarging_steps(model, 8, 8)
    assert step.layer.name == "doubled" and step.source_name == "from_one_pixel"


def test_of_like_enlargements_the_last_is_shown() -> None:
    model = network(
        layers.UpSampling2D(2, name="up_a"),
        layers.MaxPooling2D(2, name="halved"),
        layers.UpSampling2D(2, name="up_b"),
        layers.UpSampling2D(2, name="up_c"),
    )
    found = enlarging_steps(model, 8, 8)
    assert [step.layer.name for step in found] == ["up_b", "up_c"]
    assert [step.source_name for step in found] == ["halved", "up_b"]


def test_a_network_inside_of_the_network_is_passed_over() -> None:
    inner = network(layers.MaxPooling2D(2, name="halved"))
    model = network(inner, layers.ReLU(), layers.UpSampling2D(2), layers.Conv2D(3, 1))
    shown = decoder_activations(model, np.ones((8, 8, 3)))
    ((before, after),) = shown.steps
    assert before.values.shape == (4, 4) and after.values.shape == (8, 8)
    assert shown.densest is None


def test_a_network_that_enlarges_nothing_is_told() -> None:
    with pytest.raises(UserError, match=r"must have layers that enlarge a map.*'plain', which has"):
        decoder_activations(network(layers.Conv2D(3, 1)), np.zeros((8, 8, 3)))


@pytest.mark.parametrize("size", [(150, 203), (33, 1200)])
def test_whole_images_are_shown_as_segmentation_shows_them(size) -> None:
    model = open_network(16)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    seen = Segmenter(model).pipeline.pictures(image, np.array([[0, 0, *size]])).numpy()[0]
    picture, inside = shown_to(model, image)
    # OpenCV rounds the weights of its interpolation.
    np.testing.assert_allclose(picture, seen, atol=0.1)
    added = (seen == [123, 117, 104]).all(-1)
    assert not (inside.astype(bool) & added).any() and inside.any()
