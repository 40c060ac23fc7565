"""The lattice against the same lattice point by point, and against exact Gaussian sums."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import crf as reference
from tfdeconv.crf import permutohedral


def filtered(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    lattice = permutohedral.build(tf.constant(features, tf.float32))
    return permutohedral.filter_(lattice, tf.constant(values, tf.float32)).numpy()


def scattered(n: int, d: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(d)
    features = (spread * rng.standard_normal((n, d))).astype(np.float32)
    return features, rng.random((n, 3)).astype(np.float32)


@pytest.mark.parametrize("spread", [0.3, 2.0, 300.0])
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_equals_the_lattice_point_by_point(d: int, spread: float) -> None:
    features, values = scattered(80, d, spread)
    expected = reference.lattice_filter(features, values)
    np.testing.assert_allclose(filtered(features, values), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("deviations", [(3.1, None), (29.7, 5.3), (5.1, 13.7), (20.9, 60.1)])
def test_equals_the_lattice_of_an_image(deviations: tuple[float, float | None]) -> None:
    rng = np.random.default_rng(0)
    image, values = rng.integers(0, 256, (9, 12, 3)), rng.random((108, 2))
    features = reference.features_of(image, *deviations)
    # Whole numbers lie on the borders between simplices, where rounding decides: a little aside.
    features = (features + np.linspace(0.013, 0.057, features.shape[1])).astype(np.float32)
    expected = reference.lattice_filter(features, values)
    np.testing.assert_allclose(filtered(features, values), expected, rtol=1e-4, atol=1e-5)


def test_one_point_on_a_vertex() -> None:
    # The other corner of its simplex gets half of 6 along one axis and gives half of that back
    # along the other: 7.5, of which 1 + 1/2 is the gain in one dimension.
    assert filtered(np.zeros((1, 1)), np.array([[6.0]])).tolist() == [[5.0]]


def test_far_points_do_not_see_each_other() -> None:
    near = np.array([[0.0, 0.0], [0.5, 0.1]])
    both = np.concatenate([near, near + np.array([1000, -700])])
    values = np.array([[1.0], [2.0], [0.0], [0.0]])
    result = filtered(both, values)
    np.testing.assert_allclose(result[:2], filtered(near, values[:2]), rtol=1e-6)
    assert not result[2:].any()


def test_order_of_points_does_not_matter() -> None:
    features, values = scattered(50, 5, 1.0)
    order = np.random.default_rng(1).permutation(50)
    expected = filtered(features, values)[order]
    np.testing.assert_allclose(filtered(features[order], values[order]), expected, rtol=1e-5)


def test_scale_multiplies_before_and_after() -> None:
    features, values = scattered(40, 3, 1.0)
    factors = np.linspace(0.5, 2, 40, dtype=np.float32)
    lattice = permutohedral.scale(permutohedral.build(tf.constant(features)), tf.constant(factors))
    expected = factors[:, None] * filtered(features, factors[:, None] * values)
    np.testing.assert_allclose(permutohedral.filter_(lattice, values), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("sxy", "srgb", "least", "most"), [(3, None, 0.76, 0.90), (30, 5, 0.25, 0.91)]
)
def test_sums_against_the_exact_gaussian(
    sxy: float, srgb: float | None, least: float, most: float
) -> None:
    """The lattice's own error: its kernel is lower than the Gaussian, the more so in 5 dimensions.

    What is missing lies with vertices that no point touches, and in the tails. Bounds as measured.
    """
    y, x = np.mgrid[:24, :24]
    image = np.stack([10 * x, 10 * y, 5 * (x + y)], axis=-1).astype(np.uint8)
    features, ones = reference.features_of(image, sxy, srgb), np.ones((576, 1))
    ratio = filtered(features, ones) / reference.exact_filter(features, ones)
    assert least < ratio.min() and ratio.max() < most, (ratio.min(), ratio.max())


def test_one_graph_for_any_number_of_points_and_channels() -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 3)), tf.TensorSpec((None, None))])
    def run(features: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        return permutohedral.filter_(permutohedral.build(features), values)

    for n in (1, 2, 37):
        features, values = scattered(n, 3, 1.0)
        np.testing.assert_allclose(
            run(features, values[:, : 1 + n % 3]),
            filtered(features, values)[:, : 1 + n % 3],
            rtol=1e-5,
        )
    assert run.experimental_get_tracing_count() == 1


def test_corners_have_different_numbers() -> None:
    features, _ = scattered(200, 5, 2.0)
    found = permutohedral.simplices_about(tf.unstack(tf.constant(features), axis=1))
    numbers = np.stack(
        permutohedral.corner_numbers(found, permutohedral.strides_of(found.origin)), axis=1
    )
    vertices = [vertex for feature in features for vertex, _ in reference.simplex(feature)]
    assert len(set(vertices)) == len(np.unique(numbers))
    assert len(set(zip(vertices, numbers.ravel().tolist(), strict=True))) == len(set(vertices))


def test_too_many_places_are_refused() -> None:
    features = np.array([[0.0] * 5, [2e4] * 5])
    with pytest.raises(tf.errors.InvalidArgumentError, match="kernels are too narrow for an image"):
        filtered(features, np.ones((2, 1)))
