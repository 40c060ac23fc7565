"""VGG-16 as an encoder to start from: Keras's own, and Caffe's in both of its forms."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.reference import caffe_encoder
from tests.weights import networks
from tfdeconv.errors import UserError
from tfdeconv.layers import Preprocess
from tfdeconv.models import DeconvNet, FCN8s
from tfdeconv.models.vgg16 import vgg16
from tfdeconv.weights import load_encoder

WIDTH = 1 / 32
IMAGES = np.random.default_rng(3).integers(0, 256, (2, 224, 224, 3)).astype("float32")


def keras_vgg16(width=WIDTH):
    """keras.applications.VGG16 but for its width: the same layers under the same names."""
    model = keras.Sequential([keras.Input((224, 224, 3))], name="vgg16")
    for stage, filters in networks.FILTERS.items():
        for index, count in enumerate(filters, start=1):
            model.add(
                layers.Conv2D(
                    max(1, round(width * count)),
                    3,
                    padding="same",
                    activation="relu",
                    name=f"block{stage}_conv{index}",
                )
            )
        model.add(layers.MaxPooling2D(2, 2, name=f"block{stage}_pool"))
    model.add(layers.Flatten(name="flatten"))
    for name in ("fc1", "fc2"):
        model.add(layers.Dense(round(width * 4096), "relu", name=name))
    model.add(layers.Dense(10, "softmax", name="predictions"))
    generator = np.random.default_rng(0)
    model.set_weights(
        [
            generator.normal(0, (2 / np.prod(w.shape[:-1])) ** 0.5 if w.ndim > 1 else 0.1, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


def encoder(width=WIDTH):
    image = keras.Input((224, 224, 3))
    # Keras's weights are for BGR minus a mean, which is not what is compared here.
    return keras.Model(image, vgg16(image, width)["fc7"])


def features(model, images):
    return keras.Model(model.inputs[0], model.get_layer("fc2").output)(images)


def test_features_are_those_of_keras():
    source, model = keras_vgg16(), encoder()
    report = load_encoder(model, source)
    expected = np.asarray(features(source, IMAGES))
    scores = np.asarray(model(IMAGES))[:, 0, 0]
    assert np.abs(scores - expected).max() < 1e-4 * np.abs(expected).max() and expected.std() > 0
    assert len(report.loaded) == 15 and not report.kept


@pytest.mark.large
def test_features_are_those_of_the_real_keras_vgg16():
    source = keras.applications.VGG16(weights=None)
    model = encoder(1.0)
    load_encoder(model, source)
    expected = np.asarray(features(source, IMAGES))
    scores = np.asarray(model(IMAGES))[:, 0, 0]
    assert np.abs(scores - expected).max() < 1e-4 * np.abs(expected).max()


def test_deconvnet_keeps_what_is_not_vggs():
    model = DeconvNet(3, (224, 224, 3), width=WIDTH)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    report = load_encoder(model, keras_vgg16())
    assert report.loaded[-2:] == ("fc6", "fc7") and len(report.kept) == 44
    assert "not loaded, as they were: bn1_1, bn1_2, " in str(report)
    for layer in model.layers:
        same = [
            np.array_equal(mine, theirs)
            for mine, theirs in zip(layer.get_weights(), before[layer.name], strict=True)
        ]
        assert not any(same) if layer.name in report.loaded else all(same)


def test_caffes_convolutions_and_classifier_give_the_same(tmp_path):
    results = []
    for blobs in (networks.vgg16(WIDTH), networks.vgg16(WIDTH, classes=10)):
        (tmp_path / "vgg.caffemodel").write_bytes(caffe_encoder.encode(blobs.items()))
        model = FCN8s(3, width=WIDTH)
        report = load_encoder(model, tmp_path / "vgg.caffemodel")
        assert len(report.loaded) == 15
        results.append([model.get_layer(name).get_weights() for name in report.loaded])
    assert report.left_out == ("fc8",)
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first[0], second[0])
    kernel = networks.vgg16(WIDTH)["fc6"][0]
    assert results[0][-2][0][1, 6, 3, 5] == kernel[5, 3, 1, 6]


def test_what_is_no_number_is_told_before_anything_is_loaded(tmp_path):
    blobs = networks.vgg16(WIDTH)
    blobs["conv5_3"][1].flat[0] = np.nan
    (tmp_path / "vgg.caffemodel").write_bytes(caffe_encoder.encode(blobs.items()))
    model = FCN8s(3, width=WIDTH)
    before = model.get_layer("conv1_1").get_weights()[0]
    with pytest.raises(UserError, match="conv5_3"):
        load_encoder(model, tmp_path / "vgg.caffemodel")
    np.testing.assert_array_equal(model.get_layer("conv1_1").get_weights()[0], before)


def test_without_a_top_or_for_another_input_the_convolutions_are_loaded_alone():
    headless = keras_vgg16()
    headless = keras.Model(headless.inputs, headless.get_layer("block5_pool").output)
    for source, side in ((headless, 224), (keras_vgg16(), 32)):
        report = load_encoder(DeconvNet(3, (side, side, 3), width=WIDTH), source)
        assert len(report.loaded) == 13 and {"fc6", "fc7"} <= set(report.kept)


def test_what_does_not_fit_is_told(tmp_path, monkeypatch):
    source = keras_vgg16()
    with pytest.raises(UserError, match=r"'vgg16' must fit.*'conv1_1' has \(3, 3, 3, 4\).*width 1"):
        load_encoder(DeconvNet(3, (32, 32, 3), width=1 / 16), source)
    with pytest.raises(UserError, match=r"none for 'conv4_1'\. Choose another"):
        load_encoder(
            DeconvNet(3, (32, 32, 3), width=WIDTH),
            keras.Model(source.inputs, source.get_layer("block3_pool").output),
        )
    image = keras.Input((32, 32, 3))
    with pytest.raises(UserError, match=r"must have the encoder of VGG-16.*'conv1_1'"):
        load_encoder(keras.Model(image, Preprocess()(image)), source)
    with pytest.raises(UserError, match=r"missing\.caffemodel"):
        load_encoder(DeconvNet(3, (32, 32, 3), width=WIDTH), tmp_path / "missing.caffemodel")

    deconvnet = networks.deconvnet(WIDTH, 3, kernel=1)
    (tmp_path / "net.caffemodel").write_bytes(caffe_encoder.encode(deconvnet.items()))
    with pytest.raises(UserError, match=r"must hold VGG-16.*batch normalisation \(bn1_1\)"):
        load_encoder(FCN8s(3, width=WIDTH), tmp_path / "net.caffemodel")

    def no_network(**options):
        raise Exception("URL fetch failure on https://x: 403")  # as keras.utils.get_file does

    monkeypatch.setattr(keras.applications, "VGG16", no_network)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(UserError, match=rf"`{tmp_path}/models`.*URL fetch.*kernels_notop.h5 there"):
        load_encoder(DeconvNet(3, (32, 32, 3), width=WIDTH))


def test_the_top_is_downloaded_where_it_is_used_or_there_already(tmp_path, monkeypatch):
    asked = []

    def noted(**options):
        asked.append(options["include_top"])
        raise Exception("offline")

    def ask(**options):
        with pytest.raises(UserError, match="offline"):
            load_encoder(DeconvNet(3, **options))

    monkeypatch.setattr(keras.applications, "VGG16", noted)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    ask(input_shape=(32, 32, 3), width=WIDTH)
    ask(input_shape=(224, 224, 3), width=WIDTH)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels.h5").touch()
    ask(input_shape=(32, 32, 3), width=WIDTH)
    assert asked == [False, False, True]
