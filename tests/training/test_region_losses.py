"""Focal, overlap and Lovasz losses: against loops, and cases the eye can check."""

import importlib.util
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run_python
from tests.losses_on_backend import PAIRS, case, slopes, values_and_gradients
from tests.reference import losses as reference
from tfdeconv.training.losses import CrossEntropy, Dice, Focal, Jaccard, LovaszSoftmax, Tversky

ALL = [loss for loss, _ in PAIRS.values()]
SURE = 99.0


def certain(*classes):
    """Scores of a row of pixels, each of one class of two beyond doubt."""
    return np.array([[[[SURE * (c == 0), SURE * (c == 1)] for c in classes]]], "float32")


def row(*labels):
    return np.array([[labels]], "uint8")


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 7, 4)])
@pytest.mark.parametrize("name", PAIRS)
def test_equals_loops(name, shape):
    loss, definition = PAIRS[name]
    labels, scores = case(shape)
    for dtype in ("float32", "float16", "bfloat16"):
        given = tf.cast(scores, dtype)
        found = loss(labels, given)
        assert found.dtype == tf.float32
        expected = definition(labels, np.array(tf.cast(given, tf.float32)))
        assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_compiled_values_and_gradients_equal_those_of_the_loops():
    labels, scores = case((2, 3, 5))
    found = values_and_gradients([lambda x, loss=loss: loss(labels, x) for loss in ALL], scores)
    for (name, (_, definition)), (value, gradient) in zip(PAIRS.items(), found, strict=True):
        assert value == pytest.approx(definition(labels, scores), rel=1e-5), name
        expected = slopes(definition, labels, scores)
        np.testing.assert_allclose(gradient, expected, atol=1e-6, rtol=1e-4, err_msg=name)
        assert not gradient[labels == 255].any(), name


@pytest.mark.large
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_backend_equals_the_loops(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the backend {backend} is not installed")
    process = run_python(
        "-m", "tests.losses_on_backend", KERAS_BACKEND=backend, JAX_PLATFORMS="cpu"
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == [backend, "ok"]


@pytest.mark.parametrize("loss", ALL, ids=PAIRS)
def test_nothing_but_void_is_loss_zero(loss):
    scores = tf.Variable(case((2, 3, 5))[1])
    with tf.GradientTape() as tape:
        value = loss(np.full((2, 3, 5), 255, "uint8"), scores)
    assert float(value) == 0.0 and not tape.gradient(value, scores).numpy().any()


@pytest.mark.parametrize("loss", ALL, ids=PAIRS)
@pytest.mark.parametrize("classes", [(0, 0, 1), (1, 1, 0)])
def test_value_and_gradient_are_finite_where_half_precision_ends(loss, classes):
    ends = np.pad(certain(*classes) / SURE * 6e4, [(0, 0)] * 3 + [(0, 1)])
    scores = tf.Variable(tf.cast(ends, tf.float16))
    with tf.GradientTape() as tape:
        value = loss(row(0, 255, 1), scores)
    gradient = tape.gradient(value, scores).numpy()
    assert np.isfinite(float(value)) and np.isfinite(gradient).all()
    assert not gradient[0, 0, 1].any()


@pytest.mark.parametrize("loss", ALL[2:], ids=list(PAIRS)[2:])
def test_not_even_an_infinite_score_of_a_void_pixel_counts(loss):
    labels, scores = case((1, 3, 5))
    broken = np.where(labels[..., None] == 255, np.inf, scores).astype("float32")
    assert float(loss(labels, broken)) == float(loss(labels, scores))


def test_focal_without_focus_is_cross_entropy():
    labels, scores = case((2, 3, 5))
    found = float(Focal(0.0)(labels, scores))
    assert found == pytest.approx(float(CrossEntropy()(labels, scores)), rel=1e-6)


def test_focal_of_a_pixel_that_is_nearly_right():
    scores = np.array([[[[0.0, math.log(9.0)]]]], "float32")  # p = 0.9
    assert float(Focal()(row(1), scores)) == pytest.approx(0.01 * -math.log(0.9), rel=1e-5)
    assert float(Focal()(row(0), scores)) == pytest.approx(0.81 * math.log(10.0), rel=1e-5)


def test_regions_that_are_certain():
    # Class 0: one pixel right, one missed. Class 1: one right, one too many. Void: wrong.
    labels, scores = row(0, 0, 1, 255), certain(0, 1, 1, 0)
    assert float(Dice()(labels, scores)) == pytest.approx(1 - (2 / 3 + 2 / 3) / 2)
    assert float(Jaccard()(labels, scores)) == pytest.approx(1 - (1 / 2 + 1 / 2) / 2)
    assert float(LovaszSoftmax()(labels, scores)) == pytest.approx(1 - (1 / 2 + 1 / 2) / 2)
    found = float(Tversky(0.3, 0.7)(labels, scores))
    assert found == pytest.approx(1 - (1 / 1.7 + 1 / 1.3) / 2)


@pytest.mark.parametrize("loss", [Dice(), Jaccard(), LovaszSoftmax(), Tversky()])
def test_only_classes_of_the_truth_are_averaged(loss):
    assert float(loss(row(1, 1, 255), certain(1, 1, 0))) == 0.0
    assert float(loss(row(1, 1, 255), certain(0, 0, 1))) == 1.0


def test_tversky_is_dice_and_jaccard():
    labels, scores = case((2, 3, 5))
    for other, alpha in ((Dice(), 0.5), (Jaccard(), 1.0)):
        found = float(Tversky(alpha, alpha)(labels, scores))
        assert found == pytest.approx(float(other(labels, scores)), rel=1e-6)


def test_lovasz_of_pixels_in_doubt():
    # The first pixel errs by 0.8, the second by 0.25, for both classes. With the first one wrong
    # IoU of class 1 is 0 already; that of class 0 falls to 1/2, and to 0 with the second.
    p = np.array([0.2, 0.25])
    scores = np.log(np.stack([1 - p, p], axis=-1))[None, None].astype("float32")
    class1 = 0.8 * 1 + 0.25 * 0
    class0 = 0.8 * 1 / 2 + 0.25 * 1 / 2
    expected = (class0 + class1) / 2
    assert float(LovaszSoftmax()(row(1, 0), scores)) == pytest.approx(expected, rel=1e-5)
    assert reference.lovasz_softmax(row(1, 0), scores) == pytest.approx(expected, rel=1e-5)


def test_scores_of_fewer_pixels_meet_the_middle_of_their_cells():
    labels, scores = case((2, 6, 9))
    for loss in ALL:
        found = float(loss(labels, scores[:, :3, :3]))
        assert found == float(loss(labels[:, 1::2, 1::3], scores[:, :3, :3]))


@pytest.mark.parametrize("loss", ALL, ids=PAIRS)
def test_survives_serialisation(loss):
    opened = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(opened) is type(loss) and opened.get_config() == loss.get_config()
    labels, scores = case((2, 3, 5))
    assert float(opened(labels, scores)) == float(loss(labels, scores))


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"`gamma` must be a number from 0 on.*gamma=-1"):
        Focal(-1)
    with pytest.raises(ValueError, match=r"`beta` one above 0\. Received: alpha=1\.0, beta=0\.0"):
        Tversky(1.0, 0.0)
