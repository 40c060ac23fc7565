"""The bilinear initialiser: FCN's kernels, and what a deconvolution of it does."""

import keras
import numpy as np
import pytest

from tfdeconv.layers import Bilinear


@pytest.mark.parametrize("size", [2, 3, 4, 7, 16])
def test_equals_the_formula_of_fcn(size):
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    kernel = keras.ops.convert_to_numpy(Bilinear(noise=0.0)((size, size, 2, 2)))
    for i in range(size):
        for j in range(size):
            value = (1 - abs(i - centre) / factor) * (1 - abs(j - centre) / factor)
            expected = [[value, 0.0], [0.0, value]]
            np.testing.assert_allclose(kernel[i, j], expected, rtol=1e-6)


def test_fills_an_unpooled_map_with_interpolated_values():
    sparse = np.zeros((1, 4, 4, 1), "float32")
    sparse[0, ::2, ::2, 0] = [[4, 8], [4, 8]]
    layer = keras.layers.Conv2DTranspose(1, 3, padding="same", kernel_initializer=Bilinear(0.0))
    dense = keras.ops.convert_to_numpy(layer(sparse))[0, :, :, 0]
    assert dense.tolist()[:3] == [[4, 6, 8, 4], [4, 6, 8, 4], [4, 6, 8, 4]]


@pytest.mark.parametrize("shape", [(3, 3, 2, 5), (3, 3, 5, 2)])
def test_every_channel_is_used_where_their_numbers_differ(shape):
    kernel = keras.ops.convert_to_numpy(Bilinear(noise=0.0)(shape))[1, 1]
    assert (kernel.sum(0) > 0).all() and (kernel.sum(1) > 0).all()
    assert kernel.sum() == 5


def test_noise_has_hes_scale_and_a_seed():
    shape = (3, 3, 64, 64)
    noise = Bilinear(noise=0.5, seed=1)(shape) - Bilinear(noise=0.0)(shape)
    he = keras.initializers.HeNormal(1)(shape)
    np.testing.assert_allclose(noise, 0.5 * np.array(he), atol=1e-6)


def test_survives_the_config():
    initializer = Bilinear(noise=0.2, seed=3)
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    assert isinstance(again, Bilinear) and again.get_config() == initializer.get_config()
