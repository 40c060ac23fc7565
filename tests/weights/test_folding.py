"""Batch normalisation folded away: the same scores from every network, and from strange graphs."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.goldens import cases
from tests.weights.folding import graph, images, normalisations, randomise, relative_error
from tfdeconv.layers import BatchNormalization
from tfdeconv.models import build, class_names, list_models, load_model
from tfdeconv.weights import fold_batch_norm


@pytest.mark.parametrize("name", cases(list_models()))
def test_scores_of_every_network_stay(name, tmp_path):
    shape = (64, 64, 3)
    model = build(name, num_classes=3, input_shape=shape, width=1 / 32, class_names=("a", "b", "c"))
    randomise(model)
    folded = fold_batch_norm(model)
    photographs = np.random.default_rng(2).integers(0, 256, (2, *shape)).astype("uint8")
    assert relative_error(model, folded, photographs) <= 1e-4
    assert not normalisations(folded) and folded.count_params() <= model.count_params()
    folded.save(tmp_path / "folded.keras")
    again = load_model(tmp_path / "folded.keras")
    assert class_names(again) == ("a", "b", "c") and again.name == model.name
    np.testing.assert_array_equal(again(photographs), folded(photographs))


@pytest.mark.parametrize(
    "norm",
    [
        layers.BatchNormalization(epsilon=0.1),
        layers.BatchNormalization(center=False),
        layers.BatchNormalization(scale=False),
        layers.BatchNormalization(center=False, scale=False),
        BatchNormalization(axis=3),
    ],
)
@pytest.mark.parametrize(
    "convolution",
    [
        layers.Conv2D(4, (3, 2), strides=2, use_bias=False),
        layers.Conv2D(4, 3, groups=2, dilation_rate=2, padding="same"),
        layers.Conv2DTranspose(4, (3, 5), padding="same"),
        layers.Conv2DTranspose(4, 3, padding="same", use_bias=False),
        layers.Conv2DTranspose(4, 4, padding="same"),
        layers.Conv2DTranspose(4, 3, padding="valid"),
        layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
    ],
)
def test_every_kind_of_layer(convolution, norm):
    pair = [layer.__class__.from_config(layer.get_config()) for layer in (convolution, norm)]
    model = graph((6, 7, 2), *pair, layers.ReLU())
    folded = fold_batch_norm(model)
    assert relative_error(model, folded, images(2, 6, 7, 2)) <= 1e-5
    assert len(folded.layers) == 3


@pytest.mark.parametrize("dilation", [2, (1, 3)])
def test_a_dilated_transposed_convolution(dilation):
    # TensorFlow's plain CPU kernel computes none; one with zeros in its kernel is the same.
    dilated = layers.Conv2DTranspose(4, (3, 5), padding="same", dilation_rate=dilation)
    model = graph((12, 15, 2), dilated, layers.BatchNormalization(), layers.ReLU())
    kernel, bias = model.layers[1].get_weights()
    rows, columns = np.multiply(np.subtract(kernel.shape[:2], 1), dilation) + 1
    spread = np.zeros((rows, columns, *kernel.shape[2:]), kernel.dtype)
    spread[:: rows // 2, :: (columns - 1) // 4] = kernel
    plain = layers.Conv2DTranspose(4, (rows, columns), padding="same")
    twin = graph((12, 15, 2), plain, layers.BatchNormalization(), layers.ReLU())
    twin.set_weights([spread, bias, *model.get_weights()[2:]])
    assert relative_error(twin, fold_batch_norm(model), images(2, 12, 15, 2)) <= 1e-5


def test_by_hand():
    model = graph((1, 1, 1), layers.Conv2D(1, 1), layers.BatchNormalization(epsilon=0.0))
    model.layers[1].set_weights([np.full((1, 1, 1, 1), 3.0), np.array([1.0])])
    model.layers[2].set_weights([np.array([value]) for value in (2.0, 0.5, 7.0, 16.0)])
    kernel, bias = fold_batch_norm(model).layers[1].get_weights()
    # y = 2 (3 x + 1 - 7) / 4 + 0.5
    assert kernel.ravel().tolist() == [1.5] and bias.tolist() == [-2.5]


@pytest.mark.parametrize(
    "between",
    [
        [layers.Conv2D(3, 1, activation="relu"), layers.BatchNormalization()],
        [layers.Conv2D(3, 1), layers.ReLU(), layers.BatchNormalization()],
        [layers.Conv2D(3, 1), layers.BatchNormalization(axis=1)],
        [layers.DepthwiseConv2D(3), layers.BatchNormalization()],
        [layers.BatchNormalization()],
    ],
)
def test_what_cannot_be_folded_is_left_alone(between):
    model = graph((4, 5, 2), *between)
    folded = fold_batch_norm(model)
    assert relative_error(model, folded, images(2, 4, 5, 2)) <= 1e-6
    assert len(normalisations(folded)) == 1


def test_what_has_a_second_use_is_left_alone():
    x = keras.Input((4, 4, 2))
    shared = layers.Conv2D(2, 3, padding="same")
    first = layers.BatchNormalization()(shared(x))
    second = layers.BatchNormalization()(shared(first))
    branch = layers.Conv2D(2, 1)(second)
    joined = layers.Add()([layers.BatchNormalization()(branch), branch])
    last = layers.Conv2D(2, 1)(joined)
    model = randomise(keras.Model(x, [layers.BatchNormalization()(last), last]))
    folded = fold_batch_norm(model)
    assert len(normalisations(folded)) == 4
    for mine, theirs in zip(folded(images(2, 4, 4, 2)), model(images(2, 4, 4, 2)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_uses_outside_the_model_do_not_count():
    x = keras.Input((4, 4, 2))
    middle = layers.Conv2D(2, 3)(x)
    model = randomise(keras.Model(x, layers.BatchNormalization()(middle)))
    keras.Model(x, layers.ReLU()(middle))
    model(keras.Input((4, 4, 2)))
    assert not normalisations(fold_batch_norm(model))


def test_sequential_compiled_nested_and_half_precision_models():
    inner = keras.Sequential(
        [keras.Input((4, 4, 2)), layers.Conv2D(3, 3), layers.BatchNormalization()]
    )
    inner.compile("sgd", "mse")
    folded = fold_batch_norm(randomise(inner))
    assert relative_error(inner, folded, images(2, 4, 4, 2)) <= 1e-5
    assert not normalisations(folded) and not folded.compiled
    outer = graph((4, 4, 2), inner, layers.Conv2D(2, 1), layers.BatchNormalization())
    assert relative_error(outer, fold_batch_norm(outer), images(2, 4, 4, 2)) <= 1e-5
    policy = {"dtype": "mixed_bfloat16"}
    half = graph((4, 4, 2), layers.Conv2D(3, 3, **policy), layers.BatchNormalization(**policy))
    folded = fold_batch_norm(half)
    assert relative_error(half, folded, images(2, 4, 4, 2)) <= 0.02
    assert folded.layers[1].compute_dtype == "bfloat16"


def test_a_model_without_a_graph_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="`model` must be a functional or sequential model"):
        fold_batch_norm(Own())
