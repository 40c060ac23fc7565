"""MIGRATING.md: its code runs, and what it says of snippets and losses elsewhere is so."""

import functools
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import CHECKOUT
from tests.reference import pooling as reference
from tests.weights import segnet_elsewhere as elsewhere
from tfdeconv import models
from tfdeconv.layers import Unpool
from tfdeconv.training.losses import CrossEntropy, Dice, Focal, Jaccard, Tversky
from tfdeconv.weights import segnet_h5

TEXT = (CHECKOUT / "MIGRATING.md").read_text("utf-8")
AFTER = re.findall(r"```python\n# after\n(.*?)```", TEXT, re.DOTALL)


def test_code_under_after_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # One step each: tracing it would take longer than taking it.
    compiling = keras.Model.compile
    monkeypatch.setattr(
        keras.Model, "compile", functools.partialmethod(compiling, run_eagerly=True)
    )
    for name in ("SegNet", "UNet"):
        narrow = functools.partial(getattr(models, name), width=1 / 64)
        monkeypatch.setattr(models, name, narrow)
    elsewhere.write(tmp_path / "segnet.h5", elsewhere.arrays_of(models.SegNet(12)))
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (2, 5, 7, 3)).astype("float32")
    _, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")
    names: dict[str, Any] = {
        "x": x,
        "with_batch": argmax + np.arange(2)[:, None, None, None] * 5 * 7 * 3,
        "of_torch": (argmax // 3).transpose(0, 3, 1, 2),
        "images": rng.integers(0, 256, (1, 32, 32, 3)).astype("uint8"),
        "labels": rng.integers(0, 9, (1, 32, 32)).astype("uint8"),
    }
    assert len(AFTER) == 6
    for code in AFTER:
        exec(code, names)
        np.testing.assert_array_equal(names["argmax"], argmax)
    assert names["unpooled"].shape == x.shape
    line = next(line for line in AFTER[2].splitlines() if "with_batch" in line)
    exec(line, names)
    np.testing.assert_array_equal(names["argmax"], argmax)
    assert names["probabilities"].shape == (1, 32, 32, 12)
    assert (tmp_path / "segnet.keras").exists()


def split_by_width(values: np.ndarray, places: np.ndarray, width: int) -> np.ndarray:
    """The snippet that splits an index by the width of its result, in loops."""
    batch, rows, columns, channels = values.shape
    result = np.zeros((batch, 2 * rows, 2 * columns, channels), values.dtype)
    for b, i, j, c in np.ndindex(values.shape):
        place = int(places[b, i, j, c])
        result[b, place // (width * channels), place // channels % width, c] += values[b, i, j, c]
    return result


@pytest.mark.parametrize(("shape", "right"), [((2, 4, 6, 3), True), ((2, 5, 7, 3), False)])
def test_an_index_split_by_twice_the_pooled_width(shape: tuple[int, ...], right: bool) -> None:
    x = np.random.default_rng(1).integers(1, 99, shape).astype("float32")
    pooled, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")
    got = split_by_width(pooled, argmax, 2 * pooled.shape[2])
    ours = np.asarray(Unpool(2)(pooled, argmax, x))
    np.testing.assert_array_equal(ours, reference.unpool(pooled, argmax, *shape[1:3]))
    assert np.array_equal(got[:, : shape[1], : shape[2]], ours) == right


def test_flat_scatter_without_the_batch_fills_the_first_image() -> None:
    x = np.random.default_rng(2).integers(1, 99, (3, 4, 6, 2)).astype("float32")
    pooled, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")
    places = np.stack([argmax.ravel()], axis=1)
    flat = tf.scatter_nd(places, pooled.ravel(), [x.size]).numpy().reshape(x.shape)
    ours = np.asarray(Unpool(2)(pooled, argmax, x))
    np.testing.assert_array_equal(flat[0], ours.sum(axis=0))
    assert not flat[1:].any()


def test_indices_as_floats_are_exact_to_a_power_of_two() -> None:
    for dtype, exact in (("float32", 2**24), ("float16", 2**11)):
        indices = np.arange(exact - 9, exact + 2)
        rounded = indices.astype(dtype).astype("int64")
        assert np.array_equal(rounded[:-1], indices[:-1]) and rounded[-1] != indices[-1]
    assert 512 * 512 * 64 == 2**24


def overlap(truth: np.ndarray, found: np.ndarray, beta: float) -> float:
    """DiceLoss of segmentation_models without its smoothing, from its documented formula."""
    right = (truth * found).sum(axis=(0, 1, 2))
    extra, missing = found.sum(axis=(0, 1, 2)) - right, truth.sum(axis=(0, 1, 2)) - right
    weight = 1 + beta**2
    return float(1 - np.mean(weight * right / (weight * right + beta**2 * missing + extra)))


def test_losses_of_segmentation_models() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 4, (2, 5, 6)), rng.standard_normal((2, 5, 6, 4))
    found = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    truth, weights = np.eye(4)[labels], np.array([1, 2, 0.5, 3])
    dice = overlap(truth, found, 1)
    pairs = {
        Dice(): dice,
        Tversky(1 / 5, 4 / 5): overlap(truth, found, 2),
        # J = D / (2 - D) for every class.
        Jaccard(): 1 - np.mean([jaccard(truth[..., c], found[..., c]) for c in range(4)]),
        CrossEntropy(class_weights=weights): -4 * np.mean(truth * np.log(found) * weights),
        Focal(2): -4 * np.mean(truth * (1 - found) ** 2 * np.log(found)),
    }
    for loss, expected in pairs.items():
        assert float(loss(labels, scores.astype("float32"))) == pytest.approx(expected, rel=1e-5)


def jaccard(truth: np.ndarray, found: np.ndarray) -> float:
    """Intersection over union of one class, probabilities in place of pixels."""
    both = (truth * found).sum()
    return float(both / (truth.sum() + found.sum() - both))


def test_the_epsilon_in_the_table_is_the_default() -> None:
    assert keras.layers.BatchNormalization().epsilon == segnet_h5.KERAS_EPSILON == 1e-3
