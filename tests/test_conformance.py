"""Promises that every public layer, network, loss and metric keeps; a new one joins goldens.py.

Saved as `.keras`, opened in a fresh process without `custom_objects`, it gives the same; exported
as a SavedModel, it gives the same in a process that has neither tfdeconv nor Keras. All goldens
share one process of each kind, since starting one takes seconds.
"""

import importlib
import inspect
import json
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from tests.goldens import (
    CLASSES,
    GOLDENS,
    LARGE_EXPORTS,
    LAYERS,
    LOSSES_AND_METRICS,
    NETWORKS,
    Golden,
    cases,
    selected,
)
from tests.helpers import run_python
from tfdeconv import layers, models
from tfdeconv.export import export_saved_model
from tfdeconv.export.saved_model import sample_photograph
from tfdeconv.export.verification import run_all_in_fresh_process
from tfdeconv.images import decode_labels, encode_png
from tfdeconv.segmentation.segmenter import Segmenter

EXPORT_TEST = "test_exported_it_gives_the_same_without_python"
# What takes images of every size is served whole images.
WHOLE_IMAGE_NETWORKS = sorted(set(NETWORKS) - {"deconvnet"})
PHOTOGRAPHS = [sample_photograph(*size) for size in ((1, 1), (37, 50), (21, 530))]


class Results(NamedTuple):
    """What the model itself, the opened file and the exported folder gave, by `<name>/<output>`."""

    here: dict[str, np.ndarray]
    opened: dict[str, np.ndarray]
    exported: dict[str, np.ndarray]
    measured: dict[str, Any]
    told: dict[str, Any]


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("goldens")
    names = selected(request, GOLDENS)
    exports = selected(request, GOLDENS, EXPORT_TEST)
    here, jobs = {}, []
    for name in names:
        golden = GOLDENS[name]
        model, inputs = shake_weights(golden.build()), random_inputs(golden)
        np.save(folder / f"{name}.npy", inputs)
        model.save(folder / f"{name}.keras")
        if name in exports:
            model.export(folder / name, format="tf_saved_model", verbose=False)
            jobs.append((folder / name, {f"{name}/serving_default/{model.inputs[0].name}": inputs}))
        for index, value in enumerate(keras.tree.flatten(model(inputs))):
            here[f"{name}/{index}"] = np.asarray(value)
    measured = save_compiled(folder)
    process = run_python("-m", "tests.conformance_process", str(folder), *names)
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
    # An output for each loss, since an output has but one.
    losses = {name: part for name, part in parts.items() if isinstance(part, keras.Loss)}
    outputs = [layers.Logits(CLASSES, name=name)(model.output) for name in losses]
    model = keras.Model(model.input, outputs)
    model.compile("sgd", loss=list(losses.values()), metrics=[metrics, *[[]] * (len(losses) - 1)])
    images = np.load(folder / "deconvnet.npy")
    measured = model.evaluate(images, [labels] * len(losses), verbose=0, return_dict=True)
    model.save(folder / "compiled.keras")
    return measured


@pytest.mark.parametrize("name", cases(GOLDENS))
def test_opened_in_a_fresh_process_it_gives_the_same(results: Results, name: str) -> None:
    expected = {key: value for key, value in results.here.items() if key.startswith(f"{name}/")}
    assert expected
    for key, value in expected.items():
        np.testing.assert_array_equal(results.opened[key], value)
        assert results.opened[key].dtype == value.dtype


@pytest.mark.parametrize("name", cases(GOLDENS, LARGE_EXPORTS))
def test_exported_it_gives_the_same_without_python(results: Results, name: str) -> None:
    expected = {key: value for key, value in results.here.items() if key.startswith(f"{name}/")}
    assert expected
    for key, value in expected.items():
        np.testing.assert_allclose(results.exported[key], value, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, np.ndarray]]:
    """By network: what `Segmenter` says of photographs, and what the exported folder does."""
    folder, expected, jobs = tmp_path_factory.mktemp("served"), {}, []
    for name in WHOLE_IMAGE_NETWORKS:
        model = shake_weights(GOLDENS[name].build())
        segmenter = Segmenter(model)
        expected[name] = [segmenter.segment(image) for image in PHOTOGRAPHS]
        files = np.array([encode_png(image) for image in PHOTOGRAPHS], object)
        exported = export_saved_model(model, folder / name)
        jobs.append((exported, {f"{name}/segment_bytes/images_bytes": files}))
    answers, log = run_all_in_fresh_process(jobs, warm_up=True)
    assert log == ()
    return {
        name: (expected[name], answer[f"{name}/segment_bytes/labels_png_bytes"])
        for name, answer in zip(expected, answers, strict=True)
    }


@pytest.mark.large
@pytest.mark.parametrize("name", WHOLE_IMAGE_NETWORKS)
def test_whole_images_get_the_labels_of_the_segmenter_without_python(
    segmented: dict[str, Any], name: str
) -> None:
    for expected, png in zip(*segmented[name], strict=True):
        np.testing.assert_array_equal(decode_labels(png), expected)


def test_losses_and_metrics_measure_the_same_in_a_fresh_process(results: Results) -> None:
    names = [name for name, build in LOSSES_AND_METRICS.items() if isinstance(build(), keras.Loss)]
    expected = {"loss", "CrossEntropy_iou_of_mine", *(f"{name}_loss" for name in names)}
    assert set(results.told["measured"]) == expected
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
    networks = public("tfdeconv.models", keras.Model)
    missing |= public("tfdeconv.models", keras.Layer) - networks - set(LAYERS)
    missing |= set(models.list_models()) - set(NETWORKS)
    missing |= public("tfdeconv.metrics", keras.Metric) - set(LOSSES_AND_METRICS)
    missing |= public("tfdeconv.training.losses", keras.Loss) - set(LOSSES_AND_METRICS)
    assert not missing, f"add {sorted(missing)} to tests/goldens.py"


def test_the_search_for_public_names_finds_all() -> None:
    found = public("tfdeconv.layers", keras.Layer) | public("tfdeconv.layers", keras.Initializer)
    assert found == {name for name in layers.__all__ if name[0].isupper()}
    assert public("tfdeconv.metrics", keras.Metric) and public(
        "tfdeconv.training.losses", keras.Loss
    )
