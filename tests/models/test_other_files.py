"""Files and folders that are taken for saved models: opened, or told apart in one sentence."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.export.networks import lively_network, photograph
from tfdeconv.errors import UserError
from tfdeconv.export import export_saved_model
from tfdeconv.layers import Logits
from tfdeconv.models import class_names, load_for_inference, load_model
from tfdeconv.segmentation.segmenter import Segmenter

LOADERS = [load_model, load_for_inference, Segmenter]
CLASSES = ("ground", "tree", "sky")


def tiny() -> keras.Model:
    layers = [keras.layers.Conv2D(3, 3, padding="same"), Logits(CLASSES)]
    return keras.Sequential([keras.Input((16, 16, 3)), *layers])


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_whole_model_in_hdf5_is_opened(tmp_path: Path) -> None:
    model = lively_network(CLASSES)
    model.compile("sgd", loss="mse")
    model.save(tmp_path / "model.h5")
    image = photograph(32, 32)
    for load in (load_model, load_for_inference):
        again = load(tmp_path / "model.h5")
        np.testing.assert_array_equal(again(image[None]), model(image[None]))
        assert class_names(again) == CLASSES and not again.compiled
    labels = Segmenter(tmp_path / "model.h5", boxes=0).segment(image)
    np.testing.assert_array_equal(labels, Segmenter(model, boxes=0).segment(image))


@pytest.mark.parametrize("load", LOADERS)
def test_a_model_in_hdf5_may_not_bring_code(tmp_path: Path, load) -> None:
    inputs = keras.Input((4, 4, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save(tmp_path / "model.h5")
    with pytest.raises(UserError, match=r"model\.h5.*without custom code"):
        load(tmp_path / "model.h5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, model = tmp_path_factory.mktemp("others"), tiny()
    model.save(folder / "model.keras")
    (folder / "model.keras").rename(folder / "model.zip")
    model.save(folder / "model.h5")
    (folder / "model.h5").rename(folder / "old.keras")
    model.save_weights(folder / "some.weights.h5")
    model.export(folder / "keras_export", verbose=False)
    export_saved_model(model, folder / "served")
    (folder / "phone.tflite").write_bytes(b"\x1c\0\0\0TFL3 and so on")
    for name in ("a.onnx", "vgg.caffemodel", "a.pth"):
        (folder / name).write_bytes(b"something")
    return folder


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("some.weights.h5", r"weights alone\. Build the network.*weights=FILE"),
        ("old.keras", r"a model in HDF5.*Rename it so that it ends in \.h5"),
        ("model.zip", r"Rename it so that it ends in \.keras"),
        ("keras_export", r"a SavedModel of TensorFlow.*Give the \.keras file or run folder"),
        ("served", r"an export of `tfdeconv export`.*Give the \.keras file.*--server"),
        ("served/1", r"an export of `tfdeconv export`"),
        ("phone.tflite", r"a network in LiteRT.*Give the \.keras file"),
        ("a.onnx", r"a network in ONNX.*Give the \.keras file"),
        ("vgg.caffemodel", r"weights of Caffe.*`tfdeconv import-caffe`"),
        ("a.pth", r"weights of PyTorch"),
        ("missing.keras", r"no file"),
    ],
)
def test_what_is_no_saved_model_is_told_apart(folder: Path, name: str, reason: str, load) -> None:
    with pytest.raises(UserError, match=reason) as raised:
        load(folder / name)
    assert str(raised.value).startswith(f"`{folder / name}` must be ")
    assert "\n" not in str(raised.value)
