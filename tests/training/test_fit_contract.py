"""Losses and metrics in other people's `fit`: what Keras's own give, in every way to run."""

import importlib.util

import keras
import numpy as np
import pytest

from tests.fit_on_backend import (
    CLASSES,
    FEEDS,
    X,
    Y,
    compare,
    compare_step,
    history,
    kerass,
    model,
    ours,
)
from tests.helpers import run_python
from tfdeconv.metrics import MeanIoU
from tfdeconv.training.losses import CrossEntropy, Dice, LovaszSoftmax


@pytest.mark.parametrize("feed", FEEDS)
def test_every_feed_gives_what_keras_gives(feed):
    compare(feed)


@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 2}],
    ids=lambda options: next(iter(options)),
)
def test_every_way_to_run_gives_what_keras_gives(options):
    compare("tf.data", **options)


def test_weighted_metrics():
    fit = FEEDS["weights of pixels"]
    found, expected = history(ours(True), fit), history(kerass(True), fit)
    np.testing.assert_allclose(found["iou"], expected["iou"], rtol=1e-5)


def test_weights_of_images_are_those_of_all_their_pixels():
    weights = np.arange(6.0)
    spread = np.broadcast_to(weights[:, None, None], Y.shape)
    fits = [{"x": X, "y": Y, "sample_weight": one, "batch_size": 3} for one in (weights, spread)]
    found, expected = (history(ours(True), fit) for fit in fits)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_mixed_precision(monkeypatch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found, expected = history(ours(), FEEDS["arrays"]), history(kerass(), FEEDS["arrays"])
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=0.02)


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.EarlyStopping("val_mean_iou"),
        keras.callbacks.ReduceLROnPlateau("val_mean_iou"),
    ],
)
def test_callbacks_know_that_more_is_better(callback):
    one = model()
    one.compile("sgd", loss=CrossEntropy(), metrics=[MeanIoU(CLASSES)])
    one.fit(X, Y, validation_data=(X, Y), verbose=0, callbacks=[callback])
    assert callback.monitor_op is keras.ops.greater


def test_a_checkpoint_keeps_the_best_mean_iou(tmp_path):
    callback = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="val_mean_iou", save_best_only=True
    )
    one = model()
    one.compile("sgd", loss=CrossEntropy(), metrics=[MeanIoU(CLASSES)])
    one.fit(X, Y, validation_data=(X, Y), epochs=3, verbose=0, callbacks=[callback])
    assert callback.monitor_op is keras.ops.greater
    kept = keras.saving.load_model(tmp_path / "best.keras")
    found = kept.evaluate(X, Y, verbose=0, return_dict=True)["mean_iou"]
    assert found == pytest.approx(callback.best, rel=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy(), Dice(), LovaszSoftmax()])
def test_a_loop_of_ones_own_takes_the_step_of_fit(loss):
    compare_step(loss)


@pytest.mark.large
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the backend {backend} is not installed")
    process = run_python("-m", "tests.fit_on_backend", KERAS_BACKEND=backend, JAX_PLATFORMS="cpu")
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stdout.split()[-2:] == [backend, "ok"]


@pytest.mark.parametrize("which", [[], pytest.param(["all"], marks=pytest.mark.large)])
def test_replicas_learn_what_one_device_learns(which):
    process = run_python("-m", "tests.replicas_process", *which, timeout=600)
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stdout.split()[-1] == "ok"
