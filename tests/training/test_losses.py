"""The loss against plain loops, with void pixels everywhere they can be."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.losses import cross_entropy as by_loops
from tfdeconv.training.losses import CrossEntropy


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 4, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_equals_loops(shape, dtype):
    generator = np.random.default_rng(0)
    labels = generator.choice([0, 1, 2, 255], shape).astype("uint8")
    scores = tf.cast(generator.normal(0, 5, (*shape, 3)), dtype)
    expected = by_loops(labels, np.array(tf.cast(scores, tf.float32)))
    loss = CrossEntropy()(labels, scores)
    assert loss.dtype == tf.float32
    assert float(loss) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_void_pixels_have_no_gradient_and_the_rest_share_one():
    scores = tf.Variable(tf.zeros((1, 1, 3, 2)))
    with tf.GradientTape() as tape:
        loss = CrossEntropy()(np.array([[[0, 255, 1]]], "uint8"), scores)
    gradient = tape.gradient(loss, scores).numpy()
    assert gradient.tolist() == [[[[-0.25, 0.25], [0.0, 0.0], [0.25, -0.25]]]]


def test_the_sum_is_the_mean_times_the_pixels_that_count():
    labels = np.array([[[0, 255, 1], [2, 2, 255]]], "uint8")
    scores = np.random.default_rng(0).normal(0, 3, (1, 2, 3, 3)).astype("float32")
    total = float(CrossEntropy(reduction="sum")(labels, scores))
    assert total == pytest.approx(4 * by_loops(labels, scores), rel=1e-5)


def test_nothing_but_void_is_loss_zero():
    scores = tf.Variable(tf.ones((2, 2, 2, 3)))
    with tf.GradientTape() as tape:
        loss = CrossEntropy()(np.full((2, 2, 2), 255, "uint8"), scores)
    assert float(loss) == 0.0 and not tape.gradient(loss, scores).numpy().any()


def test_scores_that_overflow_half_precision_stay_finite():
    scores = tf.constant([[[[6e4, -6e4]]]], tf.float16)
    assert float(CrossEntropy()(np.array([[[1]]], "uint8"), scores)) == pytest.approx(119_968, 1e-3)


def test_survives_serialisation():
    loss = CrossEntropy(ignore_label=7, reduction="sum")
    loss = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(loss, CrossEntropy) and loss.ignore_label == 7 and loss.reduction == "sum"


def test_class_weights_multiply_and_the_pixels_divide():
    scores = np.zeros((1, 1, 4, 2), "float32")
    labels = np.array([[[0, 1, 1, 255]]], "uint8")
    loss = CrossEntropy(class_weights=[2.0, 0.5])
    assert float(loss(labels, scores)) == pytest.approx((2.0 + 0.5 + 0.5) / 3 * np.log(2))
    total = CrossEntropy(class_weights=(2.0, 0.5), reduction="sum")
    assert float(total(labels, scores)) == pytest.approx(3 * np.log(2))


def test_weights_of_one_change_no_bit():
    labels = np.random.default_rng(0).choice([0, 1, 2, 255], (2, 9, 7)).astype("uint8")
    scores = np.random.default_rng(1).normal(0, 3, (2, 9, 7, 3)).astype("float32")
    plain, weighted = CrossEntropy(), CrossEntropy(class_weights=(1, 1, 1))
    assert float(plain(labels, scores)) == float(weighted(labels, scores))


@pytest.mark.parametrize("weights", [(), (1.0, -0.5), (1.0, float("nan"))])
def test_wrong_weights_are_refused(weights):
    with pytest.raises(ValueError, match="`class_weights` must be finite numbers from 0 on"):
        CrossEntropy(class_weights=weights)


def test_a_weight_for_each_class():
    loss = CrossEntropy(class_weights=(1.0, 1.0))
    with pytest.raises(ValueError, match="Received: 2 weights, 3 classes"):
        loss(np.zeros((1, 1, 1), "uint8"), np.zeros((1, 1, 1, 3), "float32"))
