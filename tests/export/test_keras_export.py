"""Keras's own `model.export`, tf2onnx and LiteRT's converter: files that run, and agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.export.networks import lively_network, photograph, untrained_network, with_random_weights
from tfdeconv import layers
from tfdeconv.export import export_saved_model
from tfdeconv.export.verification import run_all_in_fresh_process
from tfdeconv.layers.pooling import portable_ops
from tfdeconv.models import build, list_models
from tfdeconv.segmentation.network import Network

# Keras 3.15 makes tf2onnx take NumPy 2 for an older one.
pytestmark = pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")

KERNEL = "MaxPoolGrad"
# Keras's own UpSampling2D hides its channels from LiteRT's converter where sides are open.
NOT_OPEN_IN_LITERT = {"frrn_a", "frrn_b"}


def of_open_size(apply: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((None, None, 3), name="x")
    return keras.Model(inputs, apply(inputs))


def there_and_back(size: Any, padding: str) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        pooled, argmax = layers.MaxPoolWithArgmax(size, padding=padding)(x)
        x = layers.Unpool(size)(pooled, argmax, x)
        # Refused by LiteRT's converter where it has lost the number of channels.
        return keras.layers.Conv2D(2, 3, padding="same")(x)

    return apply


MODELS = {
    "pool 2 same": there_and_back(2, "same"),
    "pool 3x2 valid": there_and_back((3, 2), "valid"),
    "AdaptiveAveragePool": layers.AdaptiveAveragePool((2, 3)),
    "MirrorPad": layers.MirrorPad(3, 4, 1),
}


def error_of(outputs: Any, expected: np.ndarray) -> float:
    assert np.std(expected) > 0 and np.shape(outputs) == expected.shape
    return float(np.abs(outputs - expected).max() / np.abs(expected).max())


def in_onnx(model: keras.Model, folder: Path, images: np.ndarray) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    model.export(folder / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def in_litert(model: keras.Model, folder: Path, images: np.ndarray) -> np.ndarray:
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
    model.export(folder / "model.tflite", format="litert", verbose=False)
    return run_litert(litert, images, model_path=str(folder / "model.tflite"))


def run_litert(litert: Any, images: np.ndarray, **model: Any) -> np.ndarray:
    run = litert.Interpreter(**model).get_signature_runner()
    (name,) = run.get_input_details()
    (result,) = run(**{name: images}).values()
    return result


@pytest.mark.parametrize("run", [in_onnx, in_litert])
@pytest.mark.parametrize("name", MODELS)
def test_layers_run_elsewhere_at_every_size(tmp_path: Path, name: str, run) -> None:
    model = of_open_size(MODELS[name])
    for height, width in ((13, 10), (8, 12)):
        images = np.stack([photograph(height, width, seed) for seed in range(2)], dtype="f4")
        # Ties, in which the first maximum must win, and zeros, as behind a ReLU.
        images[images < 100] = 0
        # Called before, since Keras writes ONNX of models alone that were.
        expected = np.asarray(model(images))
        assert error_of(run(model, tmp_path, images), expected) < 1e-5


OTHERS = sorted({*list_models()} - {"deconvnet"})


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("deconvnet", in_onnx),
        pytest.param("deconvnet", in_litert, marks=pytest.mark.large),
        *(
            pytest.param(name, run, marks=pytest.mark.large)
            for name in OTHERS
            for run in (in_onnx, in_litert)
        ),
    ],
)
def test_networks_run_elsewhere(tmp_path: Path, name: str, run) -> None:
    model = untrained_network(name)
    images = np.stack([photograph(64, 64, seed) for seed in range(2)], dtype="f4")
    expected = model.predict_on_batch(images)
    assert error_of(run(model, tmp_path, images), expected) < 1e-4


@pytest.mark.large
@pytest.mark.parametrize("run", [in_onnx, in_litert])
@pytest.mark.parametrize("name", OTHERS)
def test_networks_of_every_size_run_elsewhere(tmp_path: Path, name: str, run) -> None:
    if run is in_litert and name in NOT_OPEN_IN_LITERT:
        pytest.skip("Keras's UpSampling2D of an open size is none of LiteRT's operations")
    model = with_random_weights(build(name, num_classes=3, width=1 / 32))
    # A size that few strides divide, where the network takes it.
    height, width = (64, 96) if name in ("deep_contextual", "fusionnet", "unet") else (45, 58)
    height, width = (64, 96) if name in NOT_OPEN_IN_LITERT else (height, width)
    images = np.stack([photograph(height, width, seed) for seed in range(2)], dtype="f4")
    expected = model.predict_on_batch(images)
    assert error_of(run(model, tmp_path, images), expected) < 1e-4


def test_a_saved_model_of_keras_agrees_in_a_process_without_this_package(tmp_path: Path) -> None:
    model = lively_network()
    images = np.stack([photograph(32, 32, seed) for seed in range(2)], dtype="f4")
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    key = f"model/serving_default/{model.inputs[0].name}"
    ((answer,), log) = run_all_in_fresh_process([(tmp_path / "model", {key: images})])
    assert log == ()
    (scores,) = answer.values()
    assert error_of(scores, model.predict_on_batch(images)) < 1e-5
    # So that it can be converted further, and gives the same on every device.
    assert KERNEL.encode() not in (tmp_path / "model" / "saved_model.pb").read_bytes()


def operations(graph: tf.Graph) -> set[str]:
    inner = graph.as_graph_def().library.function
    return {one.type for one in graph.get_operations()} | {
        node.op for function in inner for node in function.node_def
    }


def test_training_inference_and_our_own_export_keep_the_kernels(tmp_path: Path) -> None:
    if tf.config.get_visible_devices("GPU"):
        pytest.skip("TensorFlow's kernels are not chosen where there is a GPU")
    model = of_open_size(there_and_back(2, "same"))
    # An export before must leave nothing behind.
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    assert KERNEL in operations(Network(model).graph.get_concrete_function().graph)
    traced = tf.function(model, autograph=False)
    for training in (False, True):
        function = traced.get_concrete_function(tf.TensorSpec((2, 8, 8, 3)), training=training)
        assert KERNEL in operations(function.graph)
    folder = export_saved_model(model, tmp_path / "served", boxes=2)
    assert KERNEL.encode() in (folder / "saved_model.pb").read_bytes()
    with portable_ops():
        function = tf.function(model, autograph=False).get_concrete_function(
            tf.TensorSpec((2, 8, 8, 3))
        )
    assert KERNEL not in operations(function.graph)


def test_an_export_in_the_middle_of_a_training_is_portable(tmp_path: Path) -> None:
    model = of_open_size(there_and_back(2, "same"))
    images = np.stack([photograph(8, 8, seed) for seed in range(2)], dtype="f4")

    class Export(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.export(tmp_path / "model", verbose=False)

    model.compile("sgd", loss="mse")
    model.fit(images, images[..., :2], verbose=0, callbacks=[Export()])
    assert KERNEL.encode() not in (tmp_path / "model" / "saved_model.pb").read_bytes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_converters_that_are_called_directly_are_found_out() -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
    tf2onnx = pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    model = of_open_size(there_and_back(2, "same"))
    images = np.stack([photograph(8, 8, seed) for seed in range(2)], dtype="f4")
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    assert error_of(run_litert(litert, images, model_content=content), model(images)) < 1e-5
    signature = [tf.TensorSpec((None, 8, 8, 3))]
    converted, _ = tf2onnx.convert.from_function(tf.function(model), signature)
    assert KERNEL not in {node.op_type for node in converted.graph.node}
