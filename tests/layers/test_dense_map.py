"""A whole map to a whole map: what convolutions of one position give, as one matrix product."""

import keras
import numpy as np
import pytest

from tfdeconv.layers import DenseMap


def by_loops(x, kernel, bias, rows, columns, filters):
    batch = x.shape[0]
    result = np.zeros((batch, rows, columns, filters))
    for n in range(batch):
        flat = [
            x[n, i, j, c]
            for i in range(x.shape[1])
            for j in range(x.shape[2])
            for c in range(x.shape[3])
        ]
        for place in range(rows * columns * filters):
            i, rest = divmod(place, columns * filters)
            j, f = divmod(rest, filters)
            total = sum(value * kernel[k, place] for k, value in enumerate(flat))
            result[n, i, j, f] = total + bias[f]
    return result


@pytest.mark.parametrize(
    ("shape", "size"),
    [((2, 3, 1, 4), (1, 2, 3)), ((1, 1, 1, 5), (3, 2, 2)), ((3, 2, 2, 1), (1, 1, 4))],
)
def test_plain_loops(shape, size):
    generator = np.random.default_rng(0)
    layer = DenseMap(*size)
    x = generator.normal(size=shape).astype("float32")
    layer.build(shape)
    weights = [generator.normal(size=weight.shape) for weight in layer.weights]
    layer.set_weights(weights)
    np.testing.assert_allclose(layer(x), by_loops(x, *weights, *size), rtol=1e-4, atol=1e-5)


def test_by_hand():
    layer = DenseMap(1, 2, 1, activation="relu")
    layer.build((None, 2, 1, 1))
    # First element of the result: left - right of the input; second: their sum.
    layer.set_weights([np.array([[1.0, 1.0], [-1.0, 1.0]]), np.array([-3.0])])
    result = layer(np.array([[[[5.0]], [[1.0]]], [[[1.0]], [[5.0]]]], "float32"))
    assert np.ravel(result).tolist() == [1.0, 3.0, 0.0, 3.0]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(precision):
    layer = DenseMap(2, 1, 3, dtype=precision)
    x = np.random.default_rng(1).normal(size=(2, 2, 2, 3)).astype("float32")
    result = layer(x)
    expected = by_loops(x, *layer.get_weights(), 2, 1, 3)
    assert layer.kernel.dtype == "float32" and keras.backend.standardize_dtype(
        result.dtype
    ) == precision.removeprefix("mixed_")
    np.testing.assert_allclose(np.asarray(result, "float32"), expected, atol=0.05)


def test_without_bias():
    layer = DenseMap(1, 1, 2, use_bias=False, kernel_initializer="ones")
    assert np.ravel(layer(np.ones((1, 2, 2, 1), "float32"))).tolist() == [4.0, 4.0]
    assert len(layer.weights) == 1


def test_a_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match="known height, width and number of channels"):
        DenseMap(1, 1, 2)(keras.Input((None, 4, 3)))
    layer = DenseMap(1, 1, 2)
    layer(np.ones((1, 2, 2, 1), "float32"))
    with pytest.raises(ValueError, match="incompatible"):
        layer(np.ones((1, 4, 4, 1), "float32"))
