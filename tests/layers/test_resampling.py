"""Adaptive pooling and the two interpolations of DeepLab and PSPNet, against plain loops."""

import keras
import numpy as np
import pytest

from tests.reference import pyramid as reference
from tfdeconv.layers import AdaptiveAveragePool, BilinearUpsample, Resize

SHAPES = [(2, 5, 7, 3), (1, 1, 1, 2), (3, 6, 12, 1), (1, 13, 4, 2), (2, 1, 9, 3)]


def values(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def compare(found, expected: np.ndarray) -> None:
    found = keras.ops.convert_to_numpy(found)
    assert found.shape == expected.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bins", [1, 2, 3, 6, (4, 1)])
def test_bins_average_what_a_loop_averages(shape, bins) -> None:
    x, pair = values(shape), bins if isinstance(bins, tuple) else (bins, bins)
    compare(AdaptiveAveragePool(bins)(x), reference.adaptive_average_pool(x, pair))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(1, 1), (7, 4), (2, 13)])
def test_resize_keeps_the_corners(shape, size) -> None:
    x = values(shape)
    like = np.zeros((shape[0], *size, 9), np.uint8)
    compare(Resize()(x, like), reference.resize(x, *size))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("factor", [1, 2, 8])
def test_upsampled_pixels_stay_where_they_are(shape, factor: int) -> None:
    x = values(shape)
    found = BilinearUpsample(factor)(x)
    compare(found, reference.bilinear_upsample(x, factor))
    np.testing.assert_array_equal(found[:, ::factor, ::factor], x)


def test_by_eye() -> None:
    x = np.array([[0, 4], [8, 12]], np.float32).reshape(1, 2, 2, 1)
    found = keras.ops.convert_to_numpy(BilinearUpsample(2)(x))[0, :, :, 0]
    assert found.tolist() == [[0, 2, 4, 4], [4, 6, 8, 8], [8, 10, 12, 12], [8, 10, 12, 12]]
    found = keras.ops.convert_to_numpy(Resize()(x, np.zeros((1, 3, 3, 1))))[0, :, :, 0]
    assert found.tolist() == [[0, 2, 4], [4, 6, 8], [8, 10, 12]]
    found = keras.ops.convert_to_numpy(AdaptiveAveragePool((2, 1))(x))
    assert found.ravel().tolist() == [2, 10]


def test_sizes_may_stay_open_and_half_precision_stays() -> None:
    image = keras.Input((None, None, 2))
    pooled = AdaptiveAveragePool((2, 3), dtype="mixed_bfloat16")(image)
    back = Resize(dtype="mixed_bfloat16")(pooled, image)
    large = BilinearUpsample(4, dtype="mixed_bfloat16")(back)
    shapes = [tuple(x.shape) for x in (pooled, back, large)]
    assert shapes == [(None, 2, 3, 2), (None, None, None, 2), (None, None, None, 2)]
    assert {x.dtype for x in (pooled, back, large)} == {"bfloat16"}
    model = keras.Model(image, large)
    for size in ((3, 5), (8, 1)):
        found = model.predict(np.ones((1, *size, 2)), verbose=0)
        assert found.shape == (1, 4 * size[0], 4 * size[1], 2)
        np.testing.assert_allclose(found.astype(np.float32), 1.0, atol=0.02)


@pytest.mark.parametrize("build", [AdaptiveAveragePool, BilinearUpsample])
@pytest.mark.parametrize("bad", [0, -1, 1.5])
def test_bad_arguments(build, bad) -> None:
    with pytest.raises(ValueError, match="must be a positive integer or two of them"):
        build(bad)
