"""LiteRT files: every network in a process without TensorFlow; names, int8, what is refused."""

import zipfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tests.export.networks import CLASSES, Unknown, photograph, plain_network, untrained_network
from tests.goldens import LARGE_EXPORTS, cases, selected
from tests.helpers import run_python
from tfdeconv import layers
from tfdeconv.errors import UserError
from tfdeconv.export import export_litert
from tfdeconv.models import DeconvNet, list_models

interpreter = pytest.importorskip(
    "ai_edge_litert.interpreter", reason="LiteRT is not installed: pip install tfdeconv[litert]"
)

RUN_ALL = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
folder, *names = sys.argv[1:]
crops, scores = np.load(f"{folder}/crops.npy"), {}
for name in names:
    run = Interpreter(model_path=f"{folder}/{name}.tflite").get_signature_runner("regions")
    scores[name] = np.concatenate([run(crops=crop[None])["scores"].copy() for crop in crops])
np.savez(f"{folder}/scores.npz", **scores)
assert not {"tensorflow", "keras", "tfdeconv"} & set(sys.modules)
"""


def runner(file: Any) -> Callable[..., dict[str, np.ndarray]]:
    return interpreter.Interpreter(model_path=str(file)).get_signature_runner("regions")


@pytest.fixture(scope="module")
def networks(request: pytest.FixtureRequest) -> dict[str, keras.Model]:
    return {name: untrained_network(name) for name in selected(request, list_models())}


@pytest.fixture(scope="module")
def folder(networks, tmp_path_factory: pytest.TempPathFactory):
    """A file of every network, and what they say in a fresh process."""
    folder = tmp_path_factory.mktemp("litert")
    for name, model in networks.items():
        export_litert(model, folder / f"{name}.tflite")
    np.save(folder / "crops.npy", np.stack([photograph(64, 64, i) for i in range(3)], dtype="f4"))
    process = run_python("-c", RUN_ALL, str(folder), *networks)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.mark.parametrize("name", cases(list_models(), LARGE_EXPORTS))
def test_every_network_gives_its_scores_without_tensorflow(networks, folder, name: str) -> None:
    expected = networks[name].predict_on_batch(np.load(folder / "crops.npy"))
    with np.load(folder / "scores.npz") as scores:
        difference = np.abs(scores[name] - expected).max(axis=(1, 2, 3))
    assert np.all(difference <= 1e-4 * np.abs(expected).max(axis=(1, 2, 3)))
    assert expected.std() > 0


def test_names_and_shapes(folder) -> None:
    run = runner(folder / "deconvnet.tflite")
    for details, name, channels in (
        (run.get_input_details(), "crops", 3),
        (run.get_output_details(), "scores", len(CLASSES)),
    ):
        assert list(details) == [name]
        assert details[name]["shape"].tolist() == [1, 64, 64, channels]
        assert details[name]["dtype"] is np.float32


def test_class_names_lie_behind_the_model(folder, tmp_path) -> None:
    with zipfile.ZipFile(folder / "deconvnet.tflite") as archive:
        assert archive.read("labels.txt").decode().splitlines() == list(CLASSES)
    assert not zipfile.is_zipfile(export_litert(plain_network(), tmp_path / "plain.tflite"))


def test_no_index_of_a_pixel_is_stored(folder) -> None:
    file = interpreter.Interpreter(model_path=str(folder / "deconvnet.tflite"))
    assert not [one for one in file.get_tensor_details() if one["dtype"] is np.int64]


def test_half_precision_becomes_float32(tmp_path) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = plain_network()
    finally:
        keras.config.set_dtype_policy("float32")
    full = plain_network()
    full.set_weights(half.get_weights())
    crop = photograph(16, 16)[None].astype(np.float32)
    scores = runner(export_litert(half, tmp_path / "half.tflite"))(crops=crop)["scores"]
    np.testing.assert_allclose(scores, full.predict_on_batch(crop), rtol=1e-4, atol=1e-5)


def rectangles(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures of a bright and a dark rectangle, and the labels of their pixels."""
    generator = np.random.default_rng(0)
    images, labels = np.full((count, 32, 32, 3), 120.0), np.zeros((count, 32, 32), np.uint8)
    for image, label in zip(images, labels, strict=True):
        for index, color in ((1, (230, 60, 50)), (2, (30, 90, 220))):
            top, left = generator.integers(0, 20, 2)
            image[top : top + 12, left : left + 12] = color
            label[top : top + 12, left : left + 12] = index
    return (images + generator.normal(0, 12, images.shape)).astype(np.float32), labels


def trained_network(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    """Two poolings and their unpoolings, trained for a second: random weights would say little."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x, switches = layers.Preprocess()(inputs), []
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, padding="same")(x)
        before = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8)(x))
        x, argmax = layers.MaxPoolWithArgmax(2)(before)
        switches.append((argmax, before))
    for argmax, before in reversed(switches):
        x = keras.layers.Conv2D(before.shape[-1], 3, padding="same", activation="relu")(x)
        x = layers.Unpool(2)(x, argmax, before)
    x = keras.layers.Conv2D(32, 5, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Logits()(keras.layers.Conv2D(3, 1)(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss)
    model.fit(images, labels, batch_size=8, epochs=40, verbose=0)
    return model


def test_int8_keeps_the_labels_of_a_trained_network(tmp_path) -> None:
    images, labels = rectangles(16)
    model = trained_network(images, labels)
    expected = model.predict_on_batch(images).argmax(-1)
    assert np.mean(expected == labels) > 0.9
    files = [export_litert(model, tmp_path / f"{q}.tflite", q) for q in (None, "dynamic")]
    shares = []
    for file in files:
        run = runner(file)
        scores = np.concatenate([run(crops=image[None])["scores"].copy() for image in images])
        shares.append(np.mean(scores.argmax(-1) == expected))
    assert shares[0] > 0.999 and shares[1] >= 0.97, shares
    assert files[1].stat().st_size < 0.5 * files[0].stat().st_size


def test_what_cannot_be_exported_is_told(tmp_path) -> None:
    inputs = keras.Input((16, 16, 3))
    odd = keras.Model(inputs, Unknown()(inputs), name="odd")
    opened = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    strict = DeconvNet(2, (None, None, 3), width=1 / 64, fc6_kernel=1)
    for model, name, size, message in (
        (odd, "a.tflite", None, "`odd` uses operations that LiteRT does not support.*Betainc"),
        (plain_network(), "a.onnx", None, r"must end in \.tflite"),
        (plain_network(), "a.tflite", 32, "side of the crops must be 16. Received: 32"),
        (opened, "a.tflite", None, "the file needs a fixed one.*`--input-size"),
        (opened, "a.tflite", 0, "at least 1"),
        (strict, "a.tflite", 40, "multiples of 32"),
    ):
        with pytest.raises(UserError, match=message):
            export_litert(model, tmp_path / name, input_size=size)
    with pytest.raises(ValueError, match="`quantize` must be one of"):
        export_litert(plain_network(), tmp_path / "a.tflite", "int4")
    assert list(tmp_path.iterdir()) == []
    file = export_litert(opened, tmp_path / "a.tflite", input_size=24)
    assert runner(file)(crops=np.zeros((1, 24, 24, 3), np.float32))["scores"].shape[1] == 24
