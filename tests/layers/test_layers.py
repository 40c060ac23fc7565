"""The layers in functional models: types, shapes, configuration, saving, mixed precision."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers_helpers import content, switch_network
from tests.reference import pooling as reference
from tfdeconv import layers
from tfdeconv.layers import pooling


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def mixed(request: pytest.FixtureRequest) -> Iterator[str]:
    keras.config.set_dtype_policy(request.param)
    yield request.param.removeprefix("mixed_")
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("shape", "padding", "pooled"),
    [
        ((5, 8, 3), "same", (3, 3)),
        ((5, 8, 3), "valid", (2, 2)),
        ((None, 9, 3), "same", (None, 3)),
        ((None, None, 3), "valid", (None, None)),
    ],
)
def test_symbolic_shapes_and_types(shape: Any, padding: str, pooled: Any) -> None:
    x = keras.Input(shape)
    values, argmax = layers.MaxPoolWithArgmax((2, 3), padding=padding)(x)
    assert values.shape == argmax.shape == (None, *pooled, 3)
    assert (values.dtype, argmax.dtype) == ("float32", "int64")
    unpooled = layers.Unpool((2, 3))(values, argmax, x)
    assert (unpooled.shape, unpooled.dtype) == ((None, *shape), "float32")
    grown = layers.Unpool((2, 3))(values, argmax).shape
    factors = zip(pooled, (2, 3), strict=True)
    assert grown[1:3] == tuple(None if side is None else side * by for side, by in factors)


def test_switches_stay_integers_under_mixed_precision(mixed: str) -> None:
    # 300 * 300 * 3 is beyond the whole numbers of both half precisions.
    x = content("few values", (1, 300, 300, 3))
    inputs = keras.Input((None, None, 3))
    before = keras.layers.Activation("linear")(inputs)
    pooled, argmax = layers.MaxPoolWithArgmax()(before)
    unpooled = layers.Unpool()(pooled, argmax, before)
    assert (pooled.dtype, argmax.dtype, unpooled.dtype) == (mixed, "int64", mixed)
    _, got, back = keras.Model(inputs, [pooled, argmax, unpooled]).predict(x, verbose=0)
    assert got.dtype == np.int64
    maxima, expected = reference.max_pool_with_argmax(x, (2, 2), "same")
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(
        back.astype("float32"), reference.unpool(maxima, expected, 300, 300)
    )


def test_configurations_come_back() -> None:
    for layer in (
        layers.MaxPoolWithArgmax((3, 2), padding="valid", name="pool"),
        layers.Unpool((3, 2), name="unpool"),
        layers.Preprocess((1.5, 2, 3), name="preprocess"),
        layers.Logits(["a", "b"], name="scores"),
        layers.Logits(),
    ):
        config = json.loads(json.dumps(layer.get_config()))
        again = type(layer).from_config(config)
        assert json.loads(json.dumps(again.get_config())) == config
    assert layers.Logits.from_config({"class_names": ["a", "b"]}).class_names == ("a", "b")


def test_a_saved_network_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = switch_network(class_names=("a", "b", "c"))
    image = np.random.default_rng(0).integers(0, 256, (2, 11, 14, 3)).astype("uint8")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[-1].class_names == ("a", "b", "c")

    def scatter(*_: Any) -> None:
        raise AssertionError("the network must not need the slow formulation")

    monkeypatch.setattr(pooling, "unpool_by_scatter", scatter)
    np.testing.assert_array_equal(again.predict(image, verbose=0), model.predict(image, verbose=0))


def test_preprocess_reverses_and_subtracts_in_float32(mixed: str) -> None:
    image = np.arange(256, dtype="uint8").repeat(3).reshape(1, 16, 16, 3)
    image[..., 2] = 7
    mean = (104.00698793, 116.66876762, 122.67891434)
    exact = image[..., ::-1].astype("float64") - mean
    for given in (image, image.astype("float32")):
        inputs = keras.Input((16, 16, 3), dtype=given.dtype.name)
        got = keras.Model(inputs, layers.Preprocess()(inputs))(given)
        assert got.dtype == mixed
        error = np.abs(tf.cast(got, tf.float64).numpy() - exact)
        assert error.max() <= {"float16": 1 / 16, "bfloat16": 1 / 2}[mixed]
        np.testing.assert_array_equal(got, tf.cast(exact.astype("float32"), mixed))


def test_preprocess_has_the_means_of_the_release() -> None:
    got = layers.Preprocess()(np.full((1, 1, 1, 3), (10, 20, 30), "uint8"))
    expected = [30 - 104.00698793, 20 - 116.66876762, 10 - 122.67891434]
    np.testing.assert_allclose(got.numpy().ravel(), expected, rtol=1e-6)


def test_scores_are_float32_whatever_the_policy(mixed: str) -> None:
    inputs = keras.Input((4, 4, 2))
    outputs = layers.Logits()(keras.layers.Conv2D(2, 1)(inputs))
    assert outputs.dtype == "float32"
    assert keras.Model(inputs, outputs)(np.ones((1, 4, 4, 2))).dtype == "float32"
