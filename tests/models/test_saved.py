"""Opening saved models, and what is no model."""

import json
import zipfile

import keras
import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.models import (
    DeconvNet,
    build,
    class_names,
    load_for_inference,
    load_model,
    palette,
    set_palette,
)
from tfdeconv.weights import fold_batch_norm

SMALL = {"num_classes": 2, "input_shape": (32, 32, 3), "width": 1 / 32}


def test_weights_and_names_survive(tmp_path):
    model = DeconvNet(**SMALL, class_names=("ground", "tree"))
    model.save(tmp_path / "model.keras")
    image = np.full((1, 32, 32, 3), 99, np.uint8)
    for path in (tmp_path, tmp_path / "model.keras"):
        again = load_model(path)
        assert class_names(again) == ("ground", "tree")
        assert np.array_equal(again(image), model(image))


def test_colours_survive(tmp_path):
    model, colours = DeconvNet(**SMALL), np.array([[0, 9, 0], [255, 0, 7]], np.uint8)
    assert palette(model) is None
    set_palette(model, colours)
    model.save(tmp_path / "model.keras")
    for again in (load_model(tmp_path), fold_batch_norm(load_for_inference(tmp_path))):
        np.testing.assert_array_equal(palette(again), colours)


def test_weights_of_a_file_are_loaded(tmp_path):
    model = DeconvNet(**SMALL)
    model.save_weights(tmp_path / "some.weights.h5")
    again = DeconvNet(**SMALL, weights=tmp_path / "some.weights.h5")
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)


def test_weights_of_another_network_are_refused(tmp_path):
    DeconvNet(**SMALL).save_weights(tmp_path / "some.weights.h5")
    with pytest.raises(
        UserError, match=r"some\.weights\.h5.*must hold the weights of this network"
    ):
        DeconvNet(2, (64, 64, 3), width=1 / 16, weights=tmp_path / "some.weights.h5")
    with pytest.raises(UserError, match="no such file"):
        DeconvNet(**SMALL, weights=tmp_path / "missing.weights.h5")


def test_for_inference_nothing_is_drawn(tmp_path):
    model = DeconvNet(**SMALL, class_names=("ground", "tree"))
    model.compile("sgd", loss="mse")
    model.save(tmp_path / "model.keras")
    again = load_for_inference(tmp_path)
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)
    assert class_names(again) == ("ground", "tree") and not again.compiled
    kinds = {type(layer.kernel_initializer) for layer in again.layers if hasattr(layer, "kernel")}
    assert kinds == {keras.initializers.Zeros}
    again.save(tmp_path / "again.keras")
    image = np.full((1, 32, 32, 3), 99, np.uint8)
    assert np.array_equal(load_model(tmp_path / "again.keras")(image), model(image))


def test_for_inference_a_file_may_not_bring_code(tmp_path):
    inputs = keras.Input((4, 4, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match="without custom code"):
        load_for_inference(tmp_path)


def test_for_inference_a_file_may_not_describe_something_else(tmp_path):
    config = keras.saving.serialize_keras_object(keras.layers.ReLU())
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(UserError, match="a ReLU"):
        load_for_inference(tmp_path)


@pytest.mark.parametrize("load", [load_model, load_for_inference])
@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 cut short"])
def test_what_is_no_model_is_named(tmp_path, content, load):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.keras"):
        load(tmp_path)


@pytest.mark.parametrize("load", [load_model, load_for_inference])
def test_what_describes_no_model_is_told(tmp_path, load):
    inputs = keras.Input((4, 4, 3), name="image")
    model = keras.Model(inputs, keras.layers.ReLU()(inputs))
    empty = keras.saving.serialize_keras_object(model)
    empty["config"]["layers"] = []
    for config, reason in (
        (json.dumps(empty), "could not find layer image"),
        ("[" * 100_000, "recursion depth exceeded"),
    ):
        with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
            archive.writestr("config.json", config)
            archive.writestr("metadata.json", "{}")
            archive.writestr("model.weights.h5", b"")
        with pytest.raises(UserError, match=rf"model\.keras.*{reason}"):
            load(tmp_path)


@pytest.mark.parametrize(
    "error", [AttributeError("no such"), IndexError("no such"), RuntimeError("no such")]
)
def test_what_the_description_breaks_is_told(tmp_path, monkeypatch, error):
    def broken(*_, **__):
        raise error

    (tmp_path / "model.keras").write_bytes(b"")
    monkeypatch.setattr(keras.saving, "load_model", broken)
    with pytest.raises(UserError, match=r"without custom code of its own. Received: no such"):
        load_model(tmp_path)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(UserError, match=r"must be a \.keras file or a run folder"):
        load_model(tmp_path / "nothing")


def test_an_unknown_network_gets_the_nearest_name():
    with pytest.raises(UserError, match="Did you mean 'deconvnet'"):
        build("deconvnett")
