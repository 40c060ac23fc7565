"""Promises that every public layer, network, loss and metric keeps; a new one must join GOLDENS.

Saved as `.keras`, opened in a fresh process without `custom_objects`, it gives the same; exported
as a SavedModel, it gives the same in a process without tfdeconv, Keras and TensorFlow's Python. All
goldens share one process of each kind, since starting one takes seconds.
"""

import importlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from tests.helpers import run_python
from tfdeconv import layers, models
from tfdeconv.export.fresh_process import run_all_in_fresh_process
from tfdeconv.metrics import MeanIoU
from tfdeconv.training.losses import CrossEntropy

CLASSES = ("ground", "tree", "sky")


class Golden(NamedTuple):
    """A small model made of a public name, and an input for it."""

    build: Callable[[], keras.Model]
    shape: tuple[int, ...]
    dtype: str = "float32"


def layer_model(
    shape: tuple[int, ...], apply: Callable[[Any], Any], dtype: str = "float32"
) -> keras.Model:
    inputs = keras.Input(shape, name="x", dtype=dtype)
    return keras.Model(inputs, apply(inputs))


def deconvolve(x: Any) -> Any:
    return keras.layers.Conv2DTranspose(4, 3, kernel_initializer=layers.Bilinear(noise=0.5))(x)


def unpool(x: Any) -> Any:
    pooled, argmax = layers.MaxPoolWithArgmax((3, 2))(x)
    return layers.Unpool((3, 2))(pooled, argmax, x)


def deconvnet(**options: Any) -> keras.Model:
    return models.DeconvNet(3, (32, 64, 3), width=1 / 32, class_names=CLASSES, **options)


LAYERS = {
    "BatchNormalization": Golden(
        lambda: layer_model((4, 5, 3), layers.BatchNormalization(epsilon=0.5)), (2, 4, 5, 3)
    ),
    "Bilinear": Golden(lambda: layer_model((4, 5, 3), deconvolve), (2, 4, 5, 3)),
    "MaxPoolWithArgmax": Golden(
        lambda: layer_model((5, 7, 2), layers.MaxPoolWithArgmax((3, 2))), (2, 5, 7, 2)
    ),
    "Preprocess": Golden(
        lambda: layer_model((4, 5, 3), layers.Preprocess(), "uint8"), (2, 4, 5, 3), "uint8"
    ),
    "RequireSize": Golden(
        lambda: layer_model((None, None, 3), layers.RequireSize(4, (4, 8))), (2, 8, 12, 3)
    ),
    "Scores": Golden(lambda: layer_model((4, 5, 3), layers.Scores(CLASSES)), (2, 4, 5, 3)),
    "Unpool": Golden(lambda: layer_model((5, 7, 2), unpool), (2, 5, 7, 2)),
}
NETWORKS = {"deconvnet": Golden(deconvnet, (2, 32, 64, 3))}
# Compiled into a network: what `--resume` opens again.
LOSSES_AND_METRICS: dict[str, Callable[[], Any]] = {
    "CrossEntropy": lambda: CrossEntropy(ignore_label=7, name="loss_of_mine"),
    "MeanIoU": lambda: MeanIoU(3, ignore_label=7, name="iou_of_mine"),
}
GOLDENS = LAYERS | NETWORKS


class Results(NamedTuple):
    """What the model itself, the opened file and the exported folder gave, by `<name>/<output>`."""

    here: dict[str, np.ndarray]
    opened: dict[str, np.ndarray]
    exported: dict[str, np.ndarray]
    measured: dict[str, Any]
    told: dict[str, Any]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("goldens")
    here, jobs = {}, []
    for name, golden in GOLDENS.items():
        model, inputs = shake_weights(golden.build()), random_inputs(golden)
        np.save(folder / f"{name}.npy", inputs)
        model.save(folder / f"{name}.keras")
        model.export(folder / name, format="tf_saved_model", verbose=False)
        jobs.append((folder / name, {f"{name}/serving_default/{model.inputs[0].name}": inputs}))
        for index, value in enumerate(keras.tree.flatten(model.predict(inputs, verbose=0))):
            here[f"{name}/{index}"] = value
    measured = save_compiled(folder)
    process = run_python("-m", "tests.conformance_process", str(folder), *GOLDENS)
    assert process.returncode == 0, process.stderr
    answers, log = run_all_in_fresh_process(jobs)
    assert log == ()
    exported = {
        f"{key.split('/')[0]}/{key.split('_')[-1]}": value
        for answer in answers
        for key, value in answer.items()
    }
    with np.load(folder / "fresh.npz") as opened:
        return Results(here, dict(opened), exported, measured, json.loads(process.stdout))


def shake_weights(model: keras.Model) -> keras.Model:
    # Fresh weights would hide that some were not saved: zeros and ones come back by themselves.
    generator = np.random.default_rng(0)
    model.set_weights([w + 0.1 * generator.random(w.shape) for w in model.get_weights()])
    return model


def random_inputs(golden: Golden) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, golden.shape)
    # Ties and windows of zeros, as behind a ReLU.
    return np.where(values % 3 == 0, 0, values).astype(golden.dtype)


def save_compiled(folder: Path) -> dict[str, float]:
    model = keras.models.load_model(folder / "deconvnet.keras")
    labels = np.random.default_rng(1).choice([0, 1, 2, 7], (2, 32, 64)).astype(np.uint8)
    np.save(folder / "labels.npy", labels)
    parts = {name: build() for name, build in LOSSES_AND_METRICS.items()}
    metrics = [part for part in parts.values() if isinstance(part, keras.Metric)]
    (loss,) = (part for part in parts.values() if isinstance(part, keras.Loss))
    model.compile("sgd", loss=loss, metrics=metrics)
    images = np.load(folder / "deconvnet.npy")
    measured = model.evaluate(images, labels, verbose=0, return_dict=True)
    model.save(folder / "compiled.keras")
    return measured


@pytest.mark.parametrize("name", GOLDENS)
def test_opened_in_a_fresh_process_it_gives_the_same(results: Results, name: str) -> None:
    expected = {key: value for key, value in results.here.items() if key.startswith(f"{name}/")}
    assert expected
    for key, value in expected.items():
        np.testing.assert_array_equal(results.opened[key], value)
        assert results.opened[key].dtype == value.dtype


@pytest.mark.parametrize("name", GOLDENS)
def test_exported_it_gives_the_same_without_python(results: Results, name: str) -> None:
    expected = {key: value for key, value in results.here.items() if key.startswith(f"{name}/")}
    assert expected
    for key, value in expected.items():
        np.testing.assert_allclose(results.exported[key], value, rtol=1e-5, atol=1e-5)


def test_losses_and_metrics_measure_the_same_in_a_fresh_process(results: Results) -> None:
    assert set(results.told["measured"]) == {"loss", "iou_of_mine"}
    assert results.told["measured"] == pytest.approx(results.measured, rel=1e-5)


def test_class_names_travel_with_the_network(results: Results) -> None:
    assert results.told["class_names"] == list(CLASSES)


def public(module: str, base: type) -> set[str]:
    """The public classes of `base` that a module of ours defines or lists."""
    found = vars(importlib.import_module(module))
    return {
        name
        for name, value in found.items()
        if not name.startswith("_")
        and inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__.startswith("tfdeconv.")
    }


def test_every_public_name_is_among_the_goldens() -> None:
    missing = public("tfdeconv.layers", keras.Layer) - set(LAYERS)
    missing |= public("tfdeconv.layers", keras.Initializer) - set(LAYERS)
    missing |= public("tfdeconv.models", keras.Layer) - set(LAYERS)
    missing |= set(models.list_models()) - set(NETWORKS)
    missing |= public("tfdeconv.metrics", keras.Metric) - set(LOSSES_AND_METRICS)
    missing |= public("tfdeconv.training.losses", keras.Loss) - set(LOSSES_AND_METRICS)
    assert not missing, f"add {sorted(missing)} to the goldens of tests/test_conformance.py"


def test_the_search_for_public_names_finds_all() -> None:
    found = public("tfdeconv.layers", keras.Layer) | public("tfdeconv.layers", keras.Initializer)
    assert found == {name for name in layers.__all__ if name[0].isupper()}
    assert public("tfdeconv.metrics", keras.Metric) and public(
        "tfdeconv.training.losses", keras.Loss
    )
