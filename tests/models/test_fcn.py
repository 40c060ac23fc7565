"""FCN: the release's layers, crop offsets by Caffe's rules, and the scores of a NumPy model."""

import functools

import keras
import numpy as np
import pytest

from tests.reference import fcn as reference
from tfdeconv.errors import UserError
from tfdeconv.models import DeconvNet, FCN8s, FCN16s, FCN32s, build, class_names, load_model

NETWORKS = {32: FCN32s, 16: FCN16s, 8: FCN8s}
ENCODER = """
conv1_1 conv1_2 conv2_1 conv2_2 conv3_1 conv3_2 conv3_3 conv4_1 conv4_2 conv4_3
conv5_1 conv5_2 conv5_3 fc6 fc7 score_fr
""".split()  # noqa: SIM905 - a table reads better than a list of quoted names
# finest -> deconvolutions and skips in the order of the release, and what is cut at which offset.
DECODER = {
    32: ["upscore"],
    16: ["upscore2", "score_pool4", "upscore16"],
    8: ["upscore2", "score_pool4", "upscore_pool4", "score_pool3", "upscore8"],
}
CROPS = {
    32: {"score": 19},
    16: {"score_pool4c": 5, "score": 27},
    8: {"score_pool4c": 5, "score_pool3c": 9, "score": 31},
}
# Layers whose weights nobody trains away from bilinear interpolation.
FIXED = {32: "upscore", 16: "upscore16", 8: "upscore8"}


@functools.cache
def narrow(finest: int) -> keras.Model:
    """A network of two channels a layer, with weights under which every layer matters."""
    model = NETWORKS[finest](3, width=1 / 32)
    generator = np.random.default_rng(finest)
    for layer in model.layers:
        if layer.weights:
            kernel, *bias = layer.get_weights()
            noise = generator.normal(0, 0.1, kernel.shape) if "upscore" in layer.name else 0.0
            if "upscore" not in layer.name:
                deviation = np.sqrt(2 / np.prod(kernel.shape[:3]))
                kernel = generator.normal(0, deviation, kernel.shape)
            bias = [generator.normal(0, 0.5, b.shape) for b in bias]
            layer.set_weights([kernel + noise, *bias])
    return model


@pytest.mark.parametrize("size", [(500, 500), (375, 500), (1, 1), (37, 64)])
@pytest.mark.parametrize("finest", NETWORKS)
def test_scores_are_those_of_caffe_at_every_size(finest: int, size: tuple[int, int]) -> None:
    model = narrow(finest)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    found = model(image[None]).numpy()
    assert found.shape == (1, *size, 3) and found.dtype == np.float32
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    expected = reference.scores(weights, image, finest)
    assert np.abs(found[0] - expected).max() <= 1e-5 * np.abs(expected).max()


def test_offsets_follow_from_the_coordinates_of_the_maps() -> None:
    where = reference.encoder_coordinates()
    for finest, crops in CROPS.items():
        here, found = where["fc7"], {}
        for skip in ("pool4", "pool3"):
            if f"score_{skip}c" in crops:
                here = here.enlarged(kernel=4, stride=2)
                found[f"score_{skip}c"] = reference.crop_offset(where[skip], here)
        here = here.enlarged(kernel=2 * finest, stride=finest)
        found["score"] = reference.crop_offset(here, where["data"])
        model = NETWORKS[finest](2, width=1 / 64)
        assert found == crops == {name: model.get_layer(name).offset for name in crops}


@pytest.mark.parametrize("finest", NETWORKS)
def test_layers_are_the_release_s(finest: int) -> None:
    model = NETWORKS[finest](4, width=1 / 64)
    weighted = [layer.name for layer in model.layers if layer.weights]
    # Encoder, then decoder; Keras sorts layers of one depth by itself.
    assert sorted(weighted) == sorted(ENCODER + DECODER[finest])
    kernels = {layer.name: layer.kernel.shape for layer in model.layers if layer.weights}
    assert kernels["fc6"] == (7, 7, 8, 64) and kernels["fc7"] == (1, 1, 64, 64)
    assert kernels[FIXED[finest]] == (2 * finest, 2 * finest, 4, 4)
    assert not model.get_layer(FIXED[finest]).trainable
    assert [layer.name for layer in model.layers if not layer.trainable] == [FIXED[finest]]
    assert {f"drop{i}" for i in (6, 7)} | {f"pool{i}" for i in range(1, 6)} <= {
        layer.name for layer in model.layers
    }


def test_only_upscore2_has_a_bias_of_the_deconvolutions() -> None:
    model = FCN8s(4, width=1 / 64)
    biases = {name: model.get_layer(name).bias for name in ("upscore_pool4", "upscore8")}
    assert biases == {"upscore_pool4": None, "upscore8": None}
    np.testing.assert_array_equal(model.get_layer("upscore2").bias, np.zeros(4))


def test_a_new_network_knows_nothing_and_enlarges_bilinearly() -> None:
    model = FCN8s(4, width=1 / 64)
    image = np.random.default_rng(0).integers(0, 256, (1, 30, 40, 3)).astype(np.uint8)
    np.testing.assert_array_equal(model(image), np.zeros((1, 30, 40, 4)))
    kernel = model.get_layer("upscore_pool4").kernel.numpy()
    profile = np.array([0.25, 0.75, 0.75, 0.25])
    for out in range(4):
        for into in range(4):
            expected = np.outer(profile, profile) if out == into else np.zeros((4, 4))
            np.testing.assert_array_equal(kernel[:, :, out, into], expected)


@pytest.mark.large
def test_weights_of_the_full_network() -> None:
    vgg = 14_714_688 + 102_764_544 + 16_781_312  # its convolutions, fc6 and fc7
    scores = 21 * (4096 + 1) + 21 * (512 + 1) + 21 * (256 + 1)
    upsampling = 21 * 21 * (4 * 4 + 4 * 4 + 16 * 16) + 21
    assert FCN8s().count_params() == vgg + scores + upsampling


@pytest.mark.parametrize("name", ["fcn8s", "fcn16s", "fcn32s"])
def test_saved_with_its_class_names(name: str, tmp_path) -> None:
    names = ("ground", "tree", "sky")
    model = build(name, num_classes=3, width=1 / 64, class_names=names)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "some.weights.h5")
    again = load_model(tmp_path)
    assert class_names(again) == names and again.name == name
    assert again.input_shape == (None, None, None, 3)
    build(name, num_classes=3, width=1 / 64, weights=tmp_path / "some.weights.h5")
    with pytest.raises(UserError, match="must hold the weights of this network"):
        build(name, num_classes=4, width=1 / 64, weights=tmp_path / "some.weights.h5")


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32)])
def test_input_shapes_that_cannot_be(shape) -> None:
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, 3\)"):
        FCN8s(3, shape, width=1 / 64)


def test_classes_are_checked() -> None:
    with pytest.raises(ValueError, match="`num_classes` must be 2 to 255"):
        FCN32s(1, width=1 / 64)
    with pytest.raises(ValueError, match="one name a class"):
        FCN16s(2, width=1 / 64, class_names=("ground",))


def test_normalised_it_takes_all_of_deconvnets_encoder_but_the_maps_of_the_whole_window() -> None:
    normalised = FCN8s(3, width=1 / 64, batch_norm=True)
    source = {layer.name for layer in DeconvNet(3, (64, 64, 3), width=1 / 64).layers}
    added = [layer.name for layer in normalised.layers if layer.name.startswith("bn")]
    assert len(added) == 15 and set(added) <= source
    for name in ("bn1_1", "bnfc7"):
        convolution = normalised.get_layer(name).input._keras_history.operation
        assert convolution.name == name.replace("bnfc", "fc").replace("bn", "conv")
