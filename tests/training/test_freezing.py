"""Encoders that training leaves alone, the statistics of their batch normalisation included."""

import keras
import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.models import FCN32s, build, load_model
from tfdeconv.training.encoder import freeze_encoder
from tfdeconv.training.losses import CrossEntropy

NAMES = ("ground", "tree", "sky")


def small(network):
    options = {"input_shape": (32, 32, 3), "fc6_kernel": 1} if network == "deconvnet" else {}
    return build(network, num_classes=3, width=1 / 64, class_names=NAMES, **options)


def train(model):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 32, 32, 3)).astype("float32")
    labels = generator.integers(0, 3, (2, 32, 32)).astype("uint8")
    # Tracing a step of DeconvNet takes longer than running a few without.
    model.compile(keras.optimizers.SGD(0.1), CrossEntropy(), run_eagerly=True)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    model.fit(images, labels, epochs=2, verbose=0)
    return {
        layer.name
        for layer in model.layers
        if not all(map(np.array_equal, layer.get_weights(), before[layer.name]))
    }


@pytest.mark.parametrize("network", ["deconvnet", "fcn32s"])
def test_training_changes_no_frozen_weight_and_no_statistic(network, tmp_path):
    model = small(network)
    frozen = freeze_encoder(model)
    encoder = [
        f"conv{stage}_{i + 1}" for stage, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(n)
    ]
    encoder += ["fc6", "fc7"]
    if network == "deconvnet":
        encoder += [name.replace("conv", "bn") for name in encoder[:13]] + ["bnfc6", "bnfc7"]
    assert set(frozen) == set(encoder)
    decoder = {layer.name for layer in model.layers if layer.weights} - set(frozen)
    model.save(tmp_path / "model.keras")
    opened = load_model(tmp_path / "model.keras")
    assert {layer.name for layer in opened.layers if layer.trainable}.isdisjoint(frozen)
    changed = train(opened)
    assert changed and changed <= decoder
    if network == "deconvnet":
        assert changed == decoder


def test_frozen_normalisation_uses_the_statistics_it_has():
    model = small("deconvnet")
    freeze_encoder(model)
    encoder = keras.Model(model.inputs[0], model.get_layer("relu7").output)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(encoder(images, training=True), encoder(images, training=False))


@pytest.mark.parametrize(
    ("network", "last", "first_free"),
    [
        ("segnet", "conv5_3_bn", "conv5_3_D"),
        ("unet", "conv_d4b-c", "upconv_d4c_u3a"),
        ("deep_contextual", "conv4_3", "deconv1"),
        ("deeplab_aspp", "conv5_3", "fc6_1"),
        ("fusionnet", "bridge_conv2_bn", "up4_deconv"),
    ],
)
def test_where_the_other_encoders_end(network, last, first_free):
    model = small(network)
    frozen = freeze_encoder(model)
    assert last in frozen and first_free not in frozen
    names = [layer.name for layer in model.layers if layer.trainable and layer.weights]
    assert first_free in names and not any(name.startswith("conv1_1_D") for name in frozen)


def test_frozen_until_a_layer_of_ones_own():
    model = FCN32s(3, width=1 / 64)
    assert freeze_encoder(model, until="pool2") == ("conv1_1", "conv1_2", "conv2_1", "conv2_2")
    assert model.get_layer("conv3_1").trainable


def test_a_network_without_that_layer_is_told():
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(image), name="mine")
    with pytest.raises(UserError, match=r"encoder of mine must end.* `until=\.\.\.`"):
        freeze_encoder(model)
    with pytest.raises(UserError, match="must end in a layer pool9"):
        freeze_encoder(FCN32s(3, width=1 / 64), until="pool9")
