"""Batch normalisation folded away: the same scores from every network, and from strange graphs."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.goldens import cases
from tfdeconv.layers import BatchNormalization
from tfdeconv.models import build, class_names, list_models, load_model
from tfdeconv.weights import fold_batch_norm


def randomise(model):
    """Weights that keep signals alive, and statistics that are far from nothing."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        weights = [generator.normal(0, 0.3, w.shape) for w in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            spread = [np.abs(w) + 0.3 for w in weights[-1:]]
            weights = [w + 1.0 for w in weights[:-1]] + spread
        elif weights:
            weights[0] *= 3 * np.sqrt(2 / np.prod(weights[0].shape[:3]))
        layer.set_weights(weights)
    return model


def normalisations(model):
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def relative_error(model, folded, x):
    expected = np.asarray(model(x, training=False), "float32")
    scores = np.asarray(folded(x, training=False), "float32")
    return np.abs(scores - expected).max() / np.abs(expected).max()


def graph(shape, *between):
    """A chain of layers as a functional model."""
    x = inputs = keras.Input(shape)
    for layer in between:
        x = layer(x)
    return randomise(keras.Model(inputs, x, name="chain"))


def images(*shape):
    return np.random.default_rng(1).normal(0, 1, shape).astype("float32")


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


def test_deconvolutions_of_stride_1_become_convolutions():
    model = build("deconvnet", num_classes=3, input_shape=(32, 32, 3), width=1 / 32)
    folded = fold_batch_norm(model)
    kinds = {layer.name: type(layer).__name__ for layer in folded.layers}
    assert all(kinds[f"deconv{i}_1"] == "Conv2D" for i in range(1, 6))
    assert all(kinds[name] == "DenseMap" for name in ("fc6", "fc7", "fc6-deconv"))
    assert len(folded.layers) == len(model.layers) - 29


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
        layers.Conv2DTranspose(4, 3, padding="same", dilation_rate=2),
    ],
)
def test_every_kind_of_layer(convolution, norm):
    pair = [layer.__class__.from_config(layer.get_config()) for layer in (convolution, norm)]
    model = graph((6, 7, 2), *pair, layers.ReLU())
    folded = fold_batch_norm(model)
    assert relative_error(model, folded, images(2, 6, 7, 2)) <= 1e-5
    assert len(folded.layers) == 3


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


@pytest.mark.parametrize(
    ("shape", "layer", "kind"),
    [
        ((3, 2, 4), layers.Conv2D(5, (3, 2), activation="relu"), "DenseMap"),
        ((3, 3, 4), layers.Conv2D(5, 3, strides=3, padding="same", use_bias=False), "DenseMap"),
        ((1, 1, 4), layers.Conv2D(5, 1, padding="same"), "DenseMap"),
        ((1, 1, 4), layers.Conv2DTranspose(5, (3, 2)), "DenseMap"),
        ((1, 1, 4), layers.Conv2DTranspose(5, 3, strides=2, use_bias=False), "DenseMap"),
        ((1, 1, 4), layers.Conv2DTranspose(5, 2, strides=3), "Conv2DTranspose"),
        ((2, 1, 4), layers.Conv2DTranspose(5, 3), "Conv2DTranspose"),
        ((3, 3, 4), layers.Conv2D(5, 2), "Conv2D"),
        ((3, 3, 4), layers.Conv2D(6, 3, groups=2), "Conv2D"),
        ((3, 3, 4), layers.Conv2D(5, 3, padding="same"), "Conv2D"),
        ((None, None, 4), layers.Conv2D(5, 3), "Conv2D"),
    ],
)
@pytest.mark.parametrize("normalised", [True, False])
def test_a_kernel_over_the_whole_map_becomes_a_matrix_product(shape, layer, kind, normalised):
    layer = layer.__class__.from_config(layer.get_config())
    after = (
        [layers.BatchNormalization()] if normalised and layer.activation.__name__ != "relu" else []
    )
    model = graph(shape, layer, *after)
    folded = fold_batch_norm(model)
    x = images(3, *(side or 3 for side in shape))
    assert type(folded.layers[1]).__name__ == kind and len(folded.layers) == 2
    assert relative_error(model, folded, x) <= 1e-5


def test_a_layer_used_for_maps_of_another_size_stays_a_convolution():
    shared = layers.Conv2D(2, 3)
    small = keras.Input((3, 3, 1))
    model = randomise(keras.Model(small, shared(small)))
    assert type(fold_batch_norm(model).layers[1]).__name__ == "DenseMap"
    larger = keras.Input((5, 5, 1))
    other = keras.Model(larger, shared(larger))
    for either, side in ((model, 3), (other, 5)):
        folded = fold_batch_norm(either)
        assert type(folded.layers[1]).__name__ == "Conv2D"
        assert relative_error(either, folded, images(2, side, side, 1)) <= 1e-6
