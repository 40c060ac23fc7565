"""Confusion matrices and what follows from them, in NumPy and as a Keras metric on each backend."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run_python
from tfdeconv.metrics import MeanIoU, confusion_matrix, iou_per_class, mean_iou, pixel_accuracy

TRUTH = np.array([[0, 0, 1, 255], [2, 2, 1, 255]], np.uint8)
ANSWER = np.array([[0, 1, 1, 2], [2, 2, 0, 0]], np.uint8)


def scores_of(answer: np.ndarray, classes: int) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(-1, 1, (*answer.shape, classes))
    return (noise + 3 * (answer[..., None] == np.arange(classes))).astype(np.float32)


def random_maps(seed: int, shape: tuple[int, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes + 1, shape)
    truth[truth == classes] = 255
    return truth.astype(np.uint8), rng.integers(0, classes, shape).astype(np.uint8)


def test_truth_is_in_rows_and_255_counts_nowhere() -> None:
    assert confusion_matrix(TRUTH, ANSWER, 4).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 2, 0],
        [0, 0, 0, 0],
    ]


def test_predictions_may_be_anything_where_the_truth_is_255() -> None:
    assert confusion_matrix(np.array([255, 1]), np.array([255, 1]), 2).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 5), (0,), (0, 4)])
def test_equals_counting_one_by_one(shape: tuple[int, ...]) -> None:
    truth, answer = random_maps(1, shape, 3)
    expected = np.zeros((3, 3), np.int64)
    for t, a in zip(truth.ravel().tolist(), answer.ravel().tolist(), strict=True):
        if t != 255:
            expected[t, a] += 1
    result = confusion_matrix(truth, answer, 3)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("truth", "answer", "message"),
    [
        ([0, 1], [0, 2], r"`predictions` must be in \[0, 2\)\. Received: 0 to 2"),
        ([0, 1], [0, -1], r"`predictions` must be in \[0, 2\)\. Received: -1 to 0"),
        ([0, 5], [0, 1], r"`labels` must be in \[0, 2\)\. Received: 0 to 5"),
        ([0, 1], [[0, 1]], r"must have one shape\. Received: \(2,\) and \(1, 2\)"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth: list, answer: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(truth), np.array(answer), 2)


def test_rates_of_a_small_matrix() -> None:
    confusion = confusion_matrix(TRUTH, ANSWER, 4)
    np.testing.assert_allclose(iou_per_class(confusion), [1 / 3, 1 / 3, 1, np.nan])
    assert mean_iou(confusion) == pytest.approx(5 / 9)
    assert pixel_accuracy(confusion) == pytest.approx(4 / 6)


def test_a_class_that_is_only_predicted_counts_as_zero() -> None:
    assert iou_per_class(np.array([[2, 1], [0, 0]])).tolist() == [2 / 3, 0]


def test_nothing_judged_gives_nan_without_a_warning() -> None:
    nothing = np.zeros((3, 3), np.int64)
    assert np.isnan([mean_iou(nothing), pixel_accuracy(nothing), *iou_per_class(nothing)]).all()


def test_rates_of_more_pixels_than_an_int32_holds() -> None:
    confusion = np.array([[2**40, 2**40], [0, 2**40]], np.int64)
    assert iou_per_class(confusion).tolist() == [0.5, 0.5]
    assert pixel_accuracy(confusion) == pytest.approx(2 / 3)


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
    before = np.array(metric.counts).astype(object)
    metric.update_state(np.zeros((1, 1, 9), np.uint8), np.tile(np.float32([1, 0]), (1, 1, 9, 1)))
    counts = np.array(metric.counts).astype(object)
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


def test_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`sample_weight` must be None: .*label 255"):
        MeanIoU(2).update_state(TRUTH[None], scores_of(ANSWER, 2)[None], sample_weight=1.0)


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
