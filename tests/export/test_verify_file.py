"""Verification of .tflite and .onnx files: right, wrong, quantised, and what is no such file."""

import importlib.util
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.export.networks import plain_network
from tfdeconv.errors import UserError
from tfdeconv.export import Verification, export_litert, export_onnx, verify

RUNTIMES = {".tflite": ("ai_edge_litert",), ".onnx": ("onnxruntime", "onnx", "tf2onnx")}


def export(model: keras.Model, folder: Path, suffix: str, quantize: str | None = None) -> Path:
    missing = [name for name in RUNTIMES[suffix] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    file = folder / f"model{suffix}"
    return export_onnx(model, file) if suffix == ".onnx" else export_litert(model, file, quantize)


def network(classes: int = 3, seed: int = 0, size: int = 16) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(64, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, keras.layers.Conv2D(classes, 3)(x))


@pytest.mark.parametrize("suffix", RUNTIMES)
def test_the_right_model_agrees_and_others_do_not(suffix: str, tmp_path) -> None:
    file = export(network(), tmp_path, suffix)
    network().save(tmp_path / "model.keras")
    right = verify(file, tmp_path)
    assert right.agrees and right.scores_bound == 1e-4
    assert right.scores_difference <= right.largest_difference < 1e-5 and right.equal_labels == 1
    wrong = verify(file, network(seed=1))
    assert not wrong.agrees and wrong.scores_difference > 0.1 and wrong.equal_labels < 0.8
    for other, message in (
        (network(4), r"this model.*scores of shape \(12, 12, 3\), not \(12, 12, 4\)"),
        (network(size=20), "this model.*crops of 16 pixels, not 20"),
    ):
        with pytest.raises(UserError, match=message):
            verify(file, other)


def test_of_an_int8_file_the_labels_count(tmp_path) -> None:
    file = export(network(), tmp_path, ".tflite", "dynamic")
    found = verify(file, network())
    assert found.scores_bound is None and found.agrees and found.scores_difference > 1e-4
    assert "(int8), of all by" in str(found) and "(at least 80 % required)" in str(found)
    assert not verify(file, network(seed=1)).agrees


def test_half_precision_is_compared_in_float32(tmp_path) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = plain_network()
    finally:
        keras.config.set_dtype_policy("float32")
    assert verify(export(half, tmp_path, ".tflite"), half).agrees


@pytest.mark.parametrize("suffix", RUNTIMES)
def test_what_is_no_export_is_told(suffix: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / f"damaged{suffix}"
    with pytest.raises(UserError, match=r"must be a \.tflite or .onnx file"):
        verify(file, network())
    file.write_bytes(b"damaged")
    if importlib.util.find_spec(RUNTIMES[suffix][0]) is not None:
        with pytest.raises(UserError, match="must be a file written by `tfdeconv export`"):
            verify(file, network())
    runtime = {".tflite": "ai_edge_litert.interpreter", ".onnx": "onnxruntime"}[suffix]
    monkeypatch.setitem(sys.modules, runtime, None)
    extra = {".tflite": "litert", ".onnx": "onnx"}[suffix]
    with pytest.raises(UserError, match=rf'pip install "tfdeconv\[{extra}\]"'):
        verify(file, network())


def test_the_scores_of_most_pixels_count(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    file = export(model, tmp_path, ".tflite")
    predict = model.predict_on_batch
    for rows, agrees in ((2, True), (4, False)):

        def some_rows_differ(crops: np.ndarray, rows: int = rows) -> np.ndarray:
            scores = predict(crops).copy()
            scores[:, :rows] *= 1.01
            return scores

        monkeypatch.setattr(model, "predict_on_batch", some_rows_differ)
        found = verify(file, model)
        assert found.agrees is agrees and found.largest_difference > 1e-4


def test_not_a_number_is_no_agreement() -> None:
    good = Verification(0.0, 1.0, largest_difference=0.01)
    assert good.agrees
    assert not good._replace(scores_difference=np.nan).agrees
    assert not good._replace(scores_difference=2e-4).agrees
    assert not good._replace(equal_labels=0.99).agrees
    quantized = good._replace(scores_bound=None, labels_bound=0.8)
    assert quantized._replace(scores_difference=0.1, equal_labels=0.99).agrees
    assert not quantized._replace(equal_labels=0.79).agrees
    assert str(good) == (
        "scores of 80 % of pixels differ by 0 (at most 0.0001 allowed), of all by 0.01, "
        "labels agree on 100.00 % of pixels (at least 99.9 % required)"
    )
