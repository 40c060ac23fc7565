"""ResNet of keras.applications as an encoder: the same features, pixel for pixel."""

import keras
import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.models import build
from tfdeconv.models.resnet import resnet
from tfdeconv.weights import load_encoder
from tfdeconv.weights.imagenet import keras_name

# What stands in front of the last map of a stage, and by how much Keras reduces it further.
STAGES = {"res3d_relu": ("conv3_block4_out", 1), "res4f_relu": ("conv4_block6_out", 2)}
STAGES["res5c_relu"] = ("conv5_block3_out", 4)


def shaken(model):
    """Weights that are all different and keep numbers of order one, as trained ones do."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.3, 0.7, w.shape) for w in layer.get_weights()])
        elif layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, generator.normal(0, 0.3, bias.shape)])
    return model


@pytest.mark.large
def test_features_are_those_of_keras():
    source = shaken(keras.applications.ResNet50(weights=None, include_top=False))
    image = keras.Input((65, 65, 3))
    model = keras.Model(image, resnet(image, 50)[1], name="encoder")
    report = load_encoder(model, source)
    assert len(report.loaded) == 2 * 53 and not report.kept and not report.left_out
    images = np.random.default_rng(1).normal(0, 50, (1, 65, 65, 3)).astype("float32")
    theirs = [source.get_layer(name).output for name, _ in STAGES.values()]
    ours = keras.Model(image, [model.get_layer(name).output for name in STAGES])(images)
    expected = keras.Model(source.inputs[0], theirs)(images)
    for found, wanted, (_, step) in zip(ours, expected, STAGES.values(), strict=True):
        found, wanted = np.asarray(found)[:, ::step, ::step], np.asarray(wanted)
        assert found.shape == wanted.shape and wanted.std() > 0
        assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.large
def test_resnet101_in_a_network(monkeypatch):
    source = keras.applications.ResNet101(weights=None, include_top=False)
    monkeypatch.setattr(keras.applications, "ResNet101", lambda **options: source)
    model = build("deeplab_aspp_resnet101", num_classes=3)
    report = load_encoder(model, "imagenet")
    assert len(report.loaded) == 2 * 104 and not report.left_out
    assert report.kept == tuple(f"fc1_voc12_c{index}" for index in range(4))
    kernel = source.get_layer("conv4_block23_3_conv").kernel
    np.testing.assert_array_equal(model.get_layer("res4b22_branch2c").kernel, kernel)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("conv1", "conv1_conv"),
        ("bn_conv1", "conv1_bn"),
        ("res2a_branch1", "conv2_block1_0_conv"),
        ("res2b_branch2c", "conv2_block2_3_conv"),
        ("res3b3_branch2b", "conv3_block4_2_conv"),
        ("bn5c_branch2a", "conv5_block3_1_bn"),
        ("res5c", None),
        ("conv1_1", None),
    ],
)
def test_names(ours, theirs):
    assert keras_name(ours) == theirs


def test_what_does_not_fit_is_told(monkeypatch, tmp_path):
    image = keras.Input((33, 33, 3))
    model = keras.Model(image, resnet(image, 50, 1 / 32)[1])
    before = model.get_weights()
    wide = keras.layers.Conv2D(64, 7, name="conv1_conv")(image)
    with pytest.raises(UserError, match=r"Received: \(7, 7, 3, 64\) for 'conv1' of \(7, 7, 3, 2\)"):
        load_encoder(model, keras.Model(image, wide))
    empty = keras.Model(image, keras.layers.Conv2D(2, 7, name="conv1_conv")(image), name="other")
    with pytest.raises(UserError, match=r"'other' must fit.*Received: none for 'bn_conv1'"):
        load_encoder(model, empty)
    assert all(map(np.array_equal, model.get_weights(), before))
    with pytest.raises(UserError, match=r"must start from 'imagenet'.*net\.caffemodel"):
        load_encoder(model, tmp_path / "net.caffemodel")

    def no_network(**options):
        raise Exception("URL fetch failure on https://x: 403")  # as keras.utils.get_file does

    monkeypatch.setattr(keras.applications, "ResNet50", no_network)
    with pytest.raises(UserError, match=r"weights of ResNet-50 must be downloaded.*URL fetch"):
        load_encoder(model)
