"""The network as it is served: folded, in the type asked for, and otherwise the same."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.export.networks import lively_network, photograph, plain_network
from tests.segmentation.networks import colour_network
from tfdeconv.errors import UserError
from tfdeconv.export import export_saved_model, read_metadata
from tfdeconv.segmentation.network import Network, inference_network

CROPS = np.stack([photograph(32, 32, seed) for seed in range(4)]).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return lively_network(("a", "b", "c"))


def normalisations(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def scores_of(model: keras.Model, crops: np.ndarray) -> np.ndarray:
    return np.asarray(model(crops, training=False), np.float32)


def test_batch_normalisation_is_folded(network) -> None:
    served = inference_network(network, "float32")
    assert normalisations(network) and not normalisations(served)
    expected = scores_of(network, CROPS)
    np.testing.assert_allclose(scores_of(served, CROPS), expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_kernels_and_layers_are_in_half_precision(network, precision: str) -> None:
    served = inference_network(network, precision)
    assert {weight.dtype for weight in served.weights} == {precision}
    assert served.get_layer("relu6").compute_dtype == precision
    assert served.output.dtype == "float32" and served.name == network.name
    scores = scores_of(served, CROPS)
    assert np.mean(scores.argmax(-1) == scores_of(network, CROPS).argmax(-1)) > 0.9
    assert not np.array_equal(scores, scores_of(inference_network(network, "float32"), CROPS))


class Foreign(layers.Layer):
    """A layer that tfdeconv does not know, with a normalisation before it."""

    def call(self, inputs):
        return inputs * 2


def test_models_of_somebody_else_stay_as_they_are() -> None:
    plain = plain_network()
    inputs = keras.Input((16, 16, 3))
    x = layers.BatchNormalization()(layers.Conv2D(2, 3)(inputs))
    foreign = keras.Model(inputs, Foreign()(x))
    assert inference_network(plain, "float32") is plain
    assert inference_network(foreign, "float32") is foreign


def test_models_of_somebody_else_in_half_precision() -> None:
    inputs = keras.Input((16, 16, 3))
    inner = keras.Sequential([keras.Input((16, 16, 2)), layers.Conv2D(2, 3, padding="same")])
    x = Foreign()(inner(layers.BatchNormalization()(layers.Conv2D(2, 3, padding="same")(inputs))))
    model = keras.Model(inputs, x)
    model.compile("sgd", loss="mse")
    served = inference_network(model, "bfloat16")
    assert served.output.dtype == "bfloat16" and not served.compiled
    normalisation, *_ = normalisations(served)
    assert {weight.dtype for weight in normalisation.weights} == {"float32"}
    assert served.get_layer(inner.name).layers[0].kernel.dtype == "bfloat16"
    crops = CROPS[:, :16, :16] / 255
    np.testing.assert_allclose(scores_of(served, crops), scores_of(model, crops), atol=0.1)


def test_a_model_of_mixed_precision_is_served_in_the_type_asked_for() -> None:
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 3, dtype="mixed_bfloat16")(inputs))
    assert inference_network(model, "float32").output.dtype == "float32"
    served = inference_network(model, "bfloat16")
    assert served is model


class Subclassed(keras.Model):
    """A model whose layers are no graph."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = layers.Conv2D(2, 3)

    def call(self, inputs):
        return self.convolution(inputs)


def test_what_cannot_be_rebuilt_is_told() -> None:
    model = Subclassed()
    model(CROPS)
    assert inference_network(model, "float32") is model
    with pytest.raises(UserError, match="must be a graph of layers that can be rebuilt"):
        inference_network(model, "bfloat16")


def test_half_precision_is_half_as_large_and_says_so(network, tmp_path) -> None:
    folder = export_saved_model(network, tmp_path, precision="bfloat16")
    assert read_metadata(folder).precision == "bfloat16"
    (data,) = (folder / "variables").glob("variables.data*")
    assert data.stat().st_size < 2.1 * network.count_params()


def test_other_backends_compile_for_one_number_of_pictures(monkeypatch) -> None:
    model, numbers = colour_network(), []
    pictures = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)
    expected = model.predict_on_batch(pictures)
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    network = Network(model)
    run = network.model.predict_on_batch
    monkeypatch.setattr(
        network.model, "predict_on_batch", lambda shown: numbers.append(len(shown)) or run(shown)
    )
    for count in (1, 2, 3):
        np.testing.assert_allclose(network(pictures[:count], 3), expected[:count], atol=1e-6)
    assert numbers == [3, 3, 3]
