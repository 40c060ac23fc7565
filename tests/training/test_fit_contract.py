"""Losses and metrics in other people's `fit`: what Keras's own classes give, in every way to run.

The model is a single convolution, trained beside a twin that is compiled with Keras's own classes.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run_python
from tfdeconv.metrics import MeanIoU
from tfdeconv.training.losses import CrossEntropy, Dice, LovaszSoftmax

CLASSES = 3


def data(count=6):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, 8, 8, 3)).astype("uint8")
    labels = (images[..., 0] // 86).astype("uint8")
    labels[generator.uniform(size=labels.shape) < 0.2] = 255
    return images, labels


def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(CLASSES, 3, padding="same")(x))


def ours(weighted=False):
    metrics = [MeanIoU(CLASSES, name="iou")]
    return {"loss": CrossEntropy(), "weighted_metrics" if weighted else "metrics": metrics}


def kerass(weighted=False):
    # In float32: of Keras's own int, weights lose what is behind the point.
    iou = keras.metrics.MeanIoU(
        CLASSES, ignore_class=255, sparse_y_pred=False, name="iou", dtype="float32"
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    return {"loss": loss, "weighted_metrics" if weighted else "metrics": [iou]}


def history(compiled, fit, **options):
    one = model()
    one.compile(keras.optimizers.SGD(0.5), **{"jit_compile": False, **compiled, **options})
    return one.fit(**{"epochs": 2, "shuffle": False, "verbose": 0, **fit}).history


def dataset(images, labels):
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels

    def __len__(self):
        return 3

    def __getitem__(self, index):
        part = slice(2 * index, 2 * index + 2)
        return self.images[part], self.labels[part]


def generated(images, labels):
    while True:
        for first in (0, 2, 4):
            yield images[first : first + 2], labels[first : first + 2]


X, Y = data()
WEIGHTS = np.random.default_rng(1).uniform(0, 2, Y.shape).astype("float32")
FEEDS = {
    "arrays": {"x": X, "y": Y, "batch_size": 4},
    "channel axis": {"x": X, "y": Y[..., None], "batch_size": 4},
    "batch of one, channel axis": {"x": X, "y": Y[..., None], "batch_size": 1},
    "a batch as large as the side": {
        "x": np.tile(X, (4, 1, 1, 1))[:8],
        "y": np.tile(Y, (4, 1, 1))[:8, ..., None],
        "batch_size": 8,
    },
    "weights of pixels": {"x": X, "y": Y, "sample_weight": WEIGHTS, "batch_size": 4},
    "weights of ones": {"x": X, "y": Y, "sample_weight": np.ones(Y.shape), "batch_size": 4},
    "validation": {"x": X, "y": Y, "validation_data": (X, Y), "batch_size": 4},
    "tf.data": {"x": dataset(X, Y)},
    "PyDataset": {"x": Batches(X, Y)},
    "a generator": {"x": generated(X, Y), "steps_per_epoch": 3},
}


@pytest.mark.parametrize("feed", FEEDS)
def test_every_feed_gives_what_keras_gives(feed):
    fit = FEEDS[feed]
    plain = {**fit}
    if "channel" in feed or "side" in feed:
        plain["y"] = fit["y"][..., 0]
    if feed == "a generator":
        fit, plain = ({**fit, "x": generated(X, Y)} for _ in range(2))
    found, expected = history(ours(), fit), history(kerass(), plain)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 2}],
    ids=lambda options: next(iter(options)),
)
def test_every_way_to_run_gives_what_keras_gives(options):
    fit = FEEDS["tf.data"]
    found, expected = history(ours(), fit, **options), history(kerass(), fit, **options)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, err_msg=name)


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
    fitted, stepped = model(), model()
    fitted.compile(keras.optimizers.SGD(0.5), loss=loss)
    fitted.fit(X, Y, batch_size=6, sample_weight=WEIGHTS, verbose=0)
    with tf.GradientTape() as tape:
        value = loss(Y, stepped(X, training=True), WEIGHTS)
    gradients = tape.gradient(value, stepped.trainable_variables)
    keras.optimizers.SGD(0.5).apply(gradients, stepped.trainable_variables)
    for one, other in zip(fitted.weights, stepped.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("which", [[], pytest.param(["all"], marks=pytest.mark.large)])
def test_replicas_learn_what_one_device_learns(which):
    process = run_python("-m", "tests.replicas_process", *which, timeout=600)
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stdout.split()[-1] == "ok"
