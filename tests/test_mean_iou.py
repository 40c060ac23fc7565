"""Mean IoU as a Keras metric on each backend."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run_python
from tests.label_pairs import ANSWER, TRUTH, random_maps
from tfdeconv.metrics import MeanIoU, confusion_matrix, mean_iou


def scores_of(answer: np.ndarray, classes: int) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(-1, 1, (*answer.shape, classes))
    return (noise + 3 * (answer[..., None] == np.arange(classes))).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_metric_is_that_of_the_whole_data_set(dtype: str) -> None:
    metric, confusion = MeanIoU(4), np.zeros((4, 4), np.int64)
    for seed, shape in enumerate(((2, 5, 7), (1, 3, 9), (3, 1, 1))):
        truth, answer = random_maps(seed, shape, 4)
        metric.update_state(truth, tf.cast(scores_of(answer, 4), dtype))
        confusion += confusion_matrix(truth, answer, 4)
    assert float(metric.result()) == pytest.approx(mean_iou(confusion), rel=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_metric_in_a_graph(jit_compile: bool) -> None:
    metric = MeanIoU(4)
    truth, answer = random_maps(5, (2, 6, 4), 4)
    update = tf.function(metric.update_state, jit_compile=jit_compile)
    for _ in range(2):
        update(tf.constant(truth), tf.constant(scores_of(answer, 4)))
    expected = mean_iou(confusion_matrix(truth, answer, 4))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_metric_takes_a_channel_axis_and_ignores_a_label_of_its_own() -> None:
    metric = MeanIoU(3, ignore_label=1)
    metric.update_state(TRUTH[None, ..., None], scores_of(ANSWER, 3)[None])
    expected = mean_iou(confusion_matrix(np.where(TRUTH == 1, 255, TRUTH), ANSWER, 3))
    assert float(metric.result()) == pytest.approx(expected)


def test_first_of_equal_scores_wins_behind_a_relu_in_a_graph() -> None:
    # Grappler of TensorFlow 2.21 rewrites ArgMax(Relu(x)) to ArgMax(x), which has no ties.
    metric = MeanIoU(4)
    update = tf.function(lambda x: metric.update_state(tf.constant([[[0]]]), tf.nn.relu(x)))
    update(tf.constant([[[[-1.0, -3.0, -2.0, -0.5]]]]))
    assert float(metric.result()) == 1.0


def test_counts_beyond_float32_and_int32() -> None:
    metric = MeanIoU(2)
    full = np.array([[[1, 0], [0, 1]], [[2**14, 2**14], [0, 2**14]]])
    metric.counts.assign(
        full * 2**20 - np.array([[[2**20 - 5, 0], [0, 2**20 - 7]], [[0, 0], [0, 0]]])
    )
    before = np.array(metric.counts).astype(np.int64).astype(object)
    metric.update_state(np.zeros((1, 1, 9), np.uint8), np.tile(np.float32([1, 0]), (1, 1, 9, 1)))
    counts = np.array(metric.counts).astype(np.int64).astype(object)
    total, total_before = counts[0] + counts[1] * 2**20, before[0] + before[1] * 2**20
    assert (total - total_before).tolist() == [[9, 0], [0, 0]]


def test_carry_into_the_second_limb() -> None:
    metric = MeanIoU(2)
    metric.counts.assign([[[2**20 - 4, 0], [0, 3]], [[2**10, 0], [0, 0]]])
    metric.update_state(np.zeros((1, 1, 9), np.uint8), np.tile(np.float32([1, 0]), (1, 1, 9, 1)))
    assert np.array(metric.counts).tolist() == [[[5, 0], [0, 3]], [[2**10 + 1, 0], [0, 0]]]


def test_reset_and_nothing_judged() -> None:
    metric = MeanIoU(2)
    metric.update_state(np.zeros((1, 2, 2), np.uint8), np.zeros((1, 2, 2, 2), np.float32))
    assert float(metric.result()) == 1.0
    metric.reset_state()
    metric.update_state(np.full((1, 2, 2), 255, np.uint8), np.zeros((1, 2, 2, 2), np.float32))
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 5, 6), (3, 5, 6, 1), ()])
@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_weighted_counts_equal_adding_one_by_one(shape, jit_compile) -> None:
    truth, answer = random_maps(3, (3, 5, 6), 4)
    weights = np.random.default_rng(4).uniform(0, 3, shape).astype(np.float32)
    aligned = weights.reshape(weights.shape[:3]) if weights.ndim == 4 else weights
    spread = aligned if aligned.ndim == 3 else aligned.reshape(-1, 1, 1)
    spread = np.broadcast_to(spread, truth.shape)
    expected = np.zeros((4, 4))
    for t, a, weight in zip(truth.flat, answer.flat, spread.flat, strict=True):
        if t != 255:
            expected[t, a] += weight
    metric = MeanIoU(4)
    update = metric.update_state
    if jit_compile is not None:
        update = tf.function(metric.update_state, jit_compile=jit_compile)
    for _ in range(2):
        update(tf.constant(truth), tf.constant(scores_of(answer, 4)), tf.constant(weights))
    np.testing.assert_allclose(metric.counts[0], 2 * expected, rtol=1e-5, atol=1e-5)
    assert float(metric.result()) == pytest.approx(mean_iou(expected), rel=1e-5)


def test_weights_of_one_count_as_none() -> None:
    truth, answer = random_maps(3, (2, 5, 6), 4)
    plain, weighted = MeanIoU(4), MeanIoU(4)
    plain.update_state(truth, scores_of(answer, 4))
    weighted.update_state(truth, scores_of(answer, 4), np.ones(truth.shape))
    np.testing.assert_array_equal(plain.counts, weighted.counts)


def test_carry_of_weights_into_the_second_limb() -> None:
    metric = MeanIoU(2)
    metric.counts.assign([[[2**20 - 4, 0], [0, 0.25]], [[3, 0], [0, 0]]])
    scores = np.tile(np.float32([1, 0]), (1, 1, 2, 1))
    metric.update_state(np.zeros((1, 1, 2), np.uint8), scores, [[[2.5, 2**21 + 2]]])
    assert np.array(metric.counts).tolist() == [[[0.5, 0], [0, 0.25]], [[6, 0], [0, 0]]]


def test_logits_of_fewer_pixels_meet_the_middle_of_their_cells() -> None:
    metric = MeanIoU(3)
    truth, answer = random_maps(3, (2, 2, 3), 3)
    fine = np.full((2, 6, 9), 255, np.uint8)
    fine[:, 1::3, 1::3] = truth
    metric.update_state(fine, scores_of(answer, 3))
    expected = mean_iou(confusion_matrix(truth, answer, 3))
    assert float(metric.result()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ((2, 3, 4), 3, r"must have 2 classes, .*Received: y_pred of shape \(2, 3, 4, 3\)"),
        ((2, 3, 4, 2), 2, "For one-hot labels give `keras.ops.argmax"),
        ((2, 3, 5), 2, "as many rows and columns as `y_pred`"),
    ],
)
def test_what_cannot_be_counted_is_refused(labels, classes, message) -> None:
    with pytest.raises(ValueError, match=message):
        MeanIoU(2).update_state(np.zeros(labels), np.zeros((2, 3, 4, classes), np.float32))


def test_config_round_trip() -> None:
    metric = MeanIoU(5, ignore_label=9, name="val_iou")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (again.num_classes, again.ignore_label, again.name) == (5, 9, "val_iou")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_in_fit_and_evaluate(policy: str) -> None:
    x = np.random.default_rng(3).uniform(-1, 1, (6, 4, 4, 3)).astype(np.float32)
    truth, _ = random_maps(2, (6, 4, 4), 3)
    inputs = keras.Input((4, 4, 3))
    outputs = keras.layers.Conv2D(3, 1, dtype=policy)(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(loss=lambda y, s: tf.reduce_mean(s**2, (1, 2, 3)), metrics=[MeanIoU(3)])
    history = model.fit(x, truth, batch_size=4, verbose=0).history
    assert 0 <= history["mean_iou"][0] <= 1
    found = model.evaluate(x, truth, batch_size=4, verbose=0, return_dict=True)["mean_iou"]
    answer = np.argmax(model.predict(x, batch_size=4, verbose=0), axis=-1)
    assert found == pytest.approx(mean_iou(confusion_matrix(truth, answer, 3)), abs=1e-6)


ON_A_BACKEND = """
import json, numpy as np
from keras import ops
from tfdeconv.metrics import MeanIoU
truth, scores = (np.load(f"{folder}/{name}.npy") for name in ("truth", "scores"))
metric = MeanIoU(4)
metric.counts.assign(ops.full((2, 4, 4), 2**20 - 1, dtype=metric.counts.dtype))
metric.update_state(truth, scores)
counts = ops.convert_to_numpy(metric.counts).tolist()
metric.reset_state()
for half in (slice(0, 1), slice(1, 3)):
    metric.update_state(truth[half], scores[half])
print(json.dumps([float(metric.result()), counts]))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_count_alike(backend: str, tmp_path) -> None:
    pytest.importorskip(backend)
    truth, answer = random_maps(7, (3, 5, 6), 4)
    np.save(tmp_path / "truth.npy", truth)
    np.save(tmp_path / "scores.npy", scores_of(answer, 4))
    process = run_python("-c", f"folder = {str(tmp_path)!r}{ON_A_BACKEND}", KERAS_BACKEND=backend)
    assert process.returncode == 0, process.stderr
    value, counts = json.loads(process.stdout)
    confusion = confusion_matrix(truth, answer, 4)
    assert value == pytest.approx(mean_iou(confusion), rel=1e-6)
    low, high = np.array(counts, np.int64)
    np.testing.assert_array_equal(low + high * 2**20, confusion + (2**20 - 1) * (2**20 + 1))
