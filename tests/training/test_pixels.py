"""Labels and weights of losses: every shape that people have, and a sentence for what is wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.losses_on_backend import PAIRS, case
from tests.reference import losses as reference
from tfdeconv.training.losses import CrossEntropy, Dice, Focal, Jaccard, LovaszSoftmax, Tversky

LOSSES = {name: loss for name, (loss, _) in PAIRS.items()}
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", None)


@pytest.fixture(params=LOSSES)
def loss(request):
    return LOSSES[request.param]


@pytest.fixture(params=["cross_entropy", "dice", "lovasz_softmax"])
def loss_of_a_kind(request):
    """One of those that are computed alike: tracing all of them takes long."""
    return LOSSES[request.param]


def keras_own(reduction="sum_over_batch_size"):
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=255, reduction=reduction
    )


@pytest.mark.parametrize("shape", [(1, 8, 8), (8, 8, 8), (3, 1, 1), (2, 5, 7)])
def test_a_channel_axis_of_one_is_dropped(loss, shape):
    labels, logits = case(shape)
    assert float(loss(labels[..., None], logits)) == float(loss(labels, logits))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "float64"])
def test_labels_of_every_dtype(loss, dtype):
    labels, logits = case((2, 5, 7))
    assert float(loss(labels.astype(dtype), logits)) == float(loss(labels, logits))


def test_two_classes_as_booleans(loss):
    labels, logits = case((2, 5, 7))
    if getattr(loss, "class_weights", None) is None:
        found = float(loss(labels > 1, logits[..., :2]))
        assert found == float(loss((labels > 1).astype("uint8"), logits[..., :2]))


def test_labels_of_another_ignore_label():
    labels, logits = case((2, 5, 7))
    for ours in (CrossEntropy, Focal, Dice, Jaccard, LovaszSoftmax, Tversky):
        moved = np.where(labels == 255, -1, labels.astype(int))
        assert float(ours(ignore_label=-1)(moved, logits)) == float(ours()(labels, logits))


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 1), (2, 5, 7), (2, 5, 7, 1), ()])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_are_those_of_keras(shape, reduction):
    labels, logits = case((2, 5, 7))
    weights = np.random.default_rng(0).uniform(0, 3, shape).astype("float32")
    # Keras's own class takes weights of the shape of its losses alone.
    spread = weights.reshape(shape[:3]) if len(shape) == 4 else weights
    spread = spread if spread.ndim == 3 else spread.reshape(-1, 1, 1)
    spread = np.broadcast_to(spread, labels.shape)
    found = CrossEntropy(reduction=reduction)(labels, logits, weights)
    expected = keras_own(reduction)(labels, logits, spread)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_without_weights_as_keras(reduction):
    labels, logits = case((2, 5, 7))
    found = CrossEntropy(reduction=reduction)(labels, logits)
    np.testing.assert_allclose(found, keras_own(reduction)(labels, logits), rtol=2e-6, atol=1e-7)


def test_weights_of_one_change_nothing(loss):
    labels, logits = case((2, 5, 7))
    expected = float(loss(labels, logits))
    for shape in ((2,), (2, 5, 7)):
        assert float(loss(labels, logits, np.ones(shape))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pixel_of_weight_three_counts_as_three_pixels(name):
    loss, definition = PAIRS[name]
    labels, logits = case((1, 4, 6))
    weights = np.random.default_rng(0).integers(0, 4, labels.shape)
    repeats = weights.ravel()
    many = np.repeat(labels.ravel(), repeats)[None, None]
    expected = definition(many, np.repeat(logits.reshape(-1, 3), repeats, axis=0)[None, None])
    if "tropy" in name or "focal" in name:
        # These are sums of weighted losses over the number of pixels, not of weights.
        expected *= (many != 255).sum() / (labels != 255).sum()
    assert float(loss(labels, logits, weights)) == pytest.approx(expected, rel=1e-5)


def test_weights_meet_the_middle_of_the_cells(loss):
    labels, logits = case((2, 6, 9))
    weights = np.random.default_rng(0).uniform(0, 2, labels.shape).astype("float32")
    found = float(loss(labels, logits[:, :3, :3], weights))
    coarse = (x[:, 1::2, 1::3] for x in (labels, weights))
    assert found == float(loss(next(coarse), logits[:, :3, :3], next(coarse)))


def test_by_hand():
    labels = np.array([[[0, 1, 255]]])
    logits = np.log(np.array([[[[0.5, 0.5], [0.75, 0.25], [0.5, 0.5]]]], "float32"))
    weights = np.array([[[1.0, 3.0, 7.0]]])
    total = np.log(2) + 3 * np.log(4)
    assert float(CrossEntropy()(labels, logits, weights)) == pytest.approx(total / 2)
    weighted = CrossEntropy(reduction="mean_with_sample_weight")
    assert float(weighted(labels, logits, weights)) == pytest.approx(total / 4)
    # Class 0: mass 1, of it 0.5 right, and 3 * 0.75 wrong; class 1: mass 3, 3 * 0.25 right.
    expected = 1 - (0.5 / (0.5 + 2.25 + 0.5) + 0.75 / (0.75 + 0.5 + 2.25)) / 2
    assert float(Jaccard()(labels, logits, weights)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "logits", "message"),
    [
        ((2, 8, 8, 3), (2, 8, 8, 3), r"For one-hot labels give `keras\.ops\.argmax"),
        ((8, 8), (2, 8, 8, 3), r"Received: y_true of shape \(8, 8\), y_pred of shape \(2, 8, 8, 3"),
        ((2, 4, 4), (2, 8, 8, 3), "as many rows and columns as `y_pred`, or a whole number"),
        ((2, 20, 20), (2, 8, 8, 3), r"Received: y_true of shape \(2, 20, 20\)"),
        ((3, 8, 8), (2, 8, 8, 3), "must be a label map"),
        ((2, 64), (2, 64, 3), r"`y_pred` must be logits \(batch, height, width, classes\)"),
        ((2, 8, 8), (2, 8, 8, 1), "of at least two classes"),
    ],
)
def test_wrong_shapes_are_one_sentence(loss, labels, logits, message):
    with pytest.raises(ValueError, match=message):
        loss(np.zeros(labels), np.zeros(logits, "float32"))


@pytest.mark.parametrize("weights", [(3,), (2, 8), (2, 4, 4), (2, 8, 8, 3)])
def test_wrong_weights_are_one_sentence(weights):
    labels, logits = case((2, 8, 8))
    with pytest.raises(ValueError, match="`sample_weight` must have one weight for each image"):
        CrossEntropy()(labels, logits, np.ones(weights))


@pytest.mark.parametrize("wrong", [-1, 3, 254, 0.5])
def test_labels_that_are_no_class(loss_of_a_kind, wrong):
    loss = loss_of_a_kind
    labels, logits = case((2, 5, 7))
    labels = np.where(labels == 255, 0, labels).astype(type(wrong))
    labels[1, 2, 3] = wrong
    message = rf"whole numbers from 0 to 2, .* or 255 .* y_true with the value {wrong}$"
    with pytest.raises(ValueError, match=message):
        loss(labels, logits)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must hold whole numbers from 0 to 2"):
        tf.function(loss)(labels, tf.constant(logits))
    assert np.isnan(tf.function(loss, jit_compile=True)(labels, tf.constant(logits)))


@pytest.mark.parametrize(
    ("shape", "given"),
    [
        ((2, 6, 9), None),
        ((2, 6, 9, 1), None),
        ((2, 6, 9), (None, None, None)),
        ((2, 6, 9, 1), (None, None, None, None)),
        ((2, 6, 9, 1), (None, None, None, 1)),
    ],
)
def test_a_graph_that_knows_no_sizes(loss_of_a_kind, shape, given):
    labels, logits = case((2, 6, 9))
    weights = np.random.default_rng(0).uniform(0, 2, shape).astype("float32")
    for step in (1, 3):
        coarse = logits[:, ::step, ::step]
        function = tf.function(
            loss_of_a_kind,
            input_signature=[
                tf.TensorSpec(given, tf.uint8),
                tf.TensorSpec((None, None, None, 3), tf.float32),
                tf.TensorSpec(given, tf.float32),
            ],
        )
        found = function(labels.reshape(shape), coarse, weights)
        expected = float(loss_of_a_kind(labels, coarse, weights.reshape(labels.shape)))
        assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "message"), [((2, 6, 9, 3), "must be a label map"), ((2, 5, 9), "as many rows and")]
)
def test_a_graph_that_finds_a_wrong_size_when_it_runs(shape, message):
    specs = [tf.TensorSpec(None, tf.uint8), tf.TensorSpec((None, None, None, 3), tf.float32)]
    function = tf.function(CrossEntropy(), input_signature=specs)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        function(np.zeros(shape, np.uint8), np.zeros((2, 6, 9, 3), np.float32))


def test_the_reference_agrees_with_keras():
    labels, logits = case((2, 5, 7))
    expected = float(keras_own()(labels, logits))
    assert reference.cross_entropy(labels, logits) == pytest.approx(expected, rel=1e-6)
