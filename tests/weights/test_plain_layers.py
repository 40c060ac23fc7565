"""Layers that fold_batch_norm replaces by plainer ones, and all full networks, folded."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.weights.folding import graph, images, normalisations, randomise, relative_error
from tfdeconv.models import build, list_models, load_for_inference, takes
from tfdeconv.weights import fold_batch_norm


def test_deconvolutions_of_stride_1_become_convolutions():
    model = build("deconvnet", num_classes=3, input_shape=(32, 32, 3), width=1 / 32)
    folded = fold_batch_norm(model)
    kinds = {layer.name: type(layer).__name__ for layer in folded.layers}
    assert all(kinds[f"deconv{i}_1"] == "Conv2D" for i in range(1, 6))
    assert all(kinds[name] == "DenseMap" for name in ("fc6", "fc7", "fc6-deconv"))
    assert len(folded.layers) == len(model.layers) - 29


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


@pytest.mark.parametrize(
    ("shape", "convolution"),
    [((3, 3, 4), layers.Conv2D(5, 3)), ((6, 5, 4), layers.Conv2D(5, 3, padding="same"))],
)
@pytest.mark.parametrize("normalised", [True, False])
def test_what_lora_added_is_merged(shape, convolution, normalised, tmp_path):
    convolution = convolution.__class__.from_config(convolution.get_config())
    after = [layers.BatchNormalization()] if normalised else [layers.ReLU()]
    model = graph(shape, convolution, *after)
    x = images(3, *shape)
    before = np.asarray(model(x))
    convolution.enable_lora(2)
    randomise(model)
    assert np.abs(np.asarray(model(x)) - before).max() > 0.1 * np.abs(before).max()
    assert relative_error(model, fold_batch_norm(model), x) <= 1e-5
    model.save(tmp_path / "lora.keras")
    saved = load_for_inference(tmp_path / "lora.keras")
    assert relative_error(model, fold_batch_norm(saved), x) <= 1e-5


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


@pytest.mark.large
@pytest.mark.parametrize("name", list_models())
def test_scores_of_every_full_network_stay(name):
    """With batch normalisation where the paper had none: found 4e-6 to 2e-5."""
    side = 224 if name == "deconvnet" else 128
    extra = {"batch_norm": True} if takes(name, "batch_norm") else {}
    model = randomise(build(name, num_classes=21, input_shape=(side, side, 3), **extra))
    folded = fold_batch_norm(model)
    photograph = np.random.default_rng(2).integers(0, 256, (1, side, side, 3)).astype("uint8")
    assert normalisations(model)
    assert relative_error(model, folded, photograph) <= 1e-4
