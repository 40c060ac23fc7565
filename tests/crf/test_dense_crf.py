"""DenseCRF against plain loops and exact sums, and with arguments of every kind."""

import dataclasses
import pickle

import numpy as np
import pytest
import tensorflow as tf

from tests.crf.scenes import RAW, scene, soft_scene
from tests.reference import crf as reference
from tfdeconv.crf import DenseCRF, permutohedral

ALONE = DenseCRF(gaussian=(3, 2), bilateral=None, iterations=2)


def lattice_filter(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The package's own filter, which test_permutohedral.py compares with plain loops."""
    lattice = permutohedral.build(tf.constant(features, tf.float32))
    return permutohedral.filter_(lattice, tf.constant(values, tf.float32)).numpy()


def kernels_of(crf: DenseCRF) -> list[tuple[float, float | None, float]]:
    kernels = [] if crf.gaussian is None else [(crf.gaussian[0], None, crf.gaussian[1])]
    return kernels + ([] if crf.bilateral is None else [tuple(crf.bilateral)])


@pytest.mark.parametrize(
    "crf",
    [DenseCRF(iterations=3), ALONE, DenseCRF(None, (9, 20, 3), 2), RAW, DenseCRF(iterations=0)],
)
def test_equals_plain_loops(crf: DenseCRF) -> None:
    probabilities, image = scene(7, 10)
    normalize = crf.normalization == "symmetric"
    expected = reference.mean_field(
        probabilities, image, kernels_of(crf), crf.iterations, normalize, lattice_filter
    )
    np.testing.assert_allclose(crf(probabilities, image), expected, atol=1e-5)


def test_differs_from_exact_sums_by_the_error_of_the_lattice() -> None:
    # One update: ten would end in certainty, whatever the kernels.
    crf, (probabilities, image) = DenseCRF(iterations=1), soft_scene()
    exact = reference.mean_field(probabilities, image, kernels_of(crf), 1, normalize=True)

    def error(change: dict) -> float:
        result = dataclasses.replace(crf, **change)(probabilities, image)
        return float(np.abs(result - exact).mean())

    labels = crf(probabilities, image).argmax(axis=-1)
    assert error({}) < 0.007 and np.mean(labels != exact.argmax(axis=-1)) < 0.005
    for change in (
        {"normalization": "none"},
        {"gaussian": None},
        {"bilateral": None},
        {"bilateral": (20, 8, 10)},
        {"bilateral": (6, 4, 10)},
        {"bilateral": (20, 4, 7)},
    ):
        assert error(change) > 0.014, change


def test_a_kernel_over_places_alone_is_near_exact_sums() -> None:
    probabilities, image = scene(24, 24)
    exact = reference.mean_field(probabilities, image, kernels_of(ALONE), 2, normalize=True)
    result = ALONE(probabilities, image)
    assert np.abs(result - exact).mean() < 0.02
    assert np.mean(result.argmax(axis=-1) != exact.argmax(axis=-1)) < 0.03


def test_finds_the_edge_of_the_image() -> None:
    probabilities, image = scene(30, 41, classes=2)
    truth = np.arange(41) >= 20
    before = np.mean(probabilities.argmax(axis=-1) == truth)
    after = np.mean(DenseCRF(bilateral=(30, 20, 5))(probabilities, image).argmax(axis=-1) == truth)
    assert before < 0.8 and after == 1, (before, after)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (40, 33)])
@pytest.mark.parametrize("crf", [DenseCRF(), DenseCRF.release()])
def test_any_size(size: tuple[int, int], crf: DenseCRF) -> None:
    probabilities, image = scene(*size)
    result = crf(probabilities, image)
    assert result.shape == probabilities.shape and result.dtype == np.float32
    np.testing.assert_allclose(result.sum(axis=-1), 1, rtol=1e-5)


def test_kinds_of_arrays() -> None:
    probabilities, image = scene(9, 14)
    expected = ALONE(probabilities.astype(np.float32), image)
    assert isinstance(expected, np.ndarray)
    flipped = np.ascontiguousarray(probabilities[:, ::-1])[:, ::-1]
    strided = np.repeat(image, 2, axis=0)[::2]
    np.testing.assert_array_equal(ALONE(flipped, strided), expected)
    tensor = ALONE(tf.constant(probabilities), image)
    assert isinstance(tensor, tf.Tensor)
    np.testing.assert_array_equal(tensor, expected)
    np.testing.assert_allclose(ALONE(probabilities.astype(np.float16), image), expected, atol=5e-3)


def test_certain_pixels_stay_numbers() -> None:
    _, image = scene(12, 12)
    labels = np.zeros((12, 12), int)
    labels[:, 5:] = 1
    # The only certain pixel of class 2 among so many others can be outvoted.
    labels[6, 6] = 2
    result = DenseCRF((3, 30), None)(np.eye(3)[labels], image)
    assert np.isfinite(result).all() and result[6, 6].argmax() == 1
    assert result[:, 0].argmax(axis=-1).tolist() == [0] * 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, i: (p[..., :1], i), r"`probabilities` must have at least 2 classes.*\(7, 10, 1"),
        (lambda p, i: (p[..., :2], i), "sum to one in every pixel.*sums from .*by softmax"),
        (lambda p, i: (p * np.nan, i), "at least 0 and sum to one.*sums from nan"),
        (lambda p, i: (p + np.array([1, 0, -1]), i), "must be at least 0"),
        (lambda p, i: (p, i / 255), r"`image` \(height, width, 3\) uint8 .*float64"),
        (lambda p, i: (p, i[..., 0]), r"image \(7, 10\) uint8"),
        (lambda p, i: (p, i[:-1]), r"of the same size.*\(7, 10, 3\), image \(6, 10, 3\)"),
        (lambda p, i: (p[0], i), r"probabilities \(10, 3\)"),
        (lambda p, i: (p[:0], i[:0]), r"probabilities \(0, 10, 3\)"),
        (lambda p, i: (p[None], i[None]), r"probabilities \(1, 7, 10, 3\)"),
    ],
)
def test_other_arrays_are_refused(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ALONE(*change(*scene(7, 10)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gaussian": 5}, r"`gaussian` must be None or a tuple \(sxy, weight\).*=5"),
        ({"gaussian": ()}, "`gaussian` must be None"),
        ({"gaussian": "ab"}, "`gaussian` must be None"),
        ({"gaussian": (1, None)}, "`gaussian` must be None"),
        ({"gaussian": (3,)}, r"`gaussian` must be None or a tuple \(sxy, weight\).*\(3,\)"),
        ({"gaussian": (0.4, 3)}, "deviations of at least 0.5"),
        ({"bilateral": (30, 5)}, r"`bilateral` must be None or a tuple \(sxy, srgb, weight\)"),
        ({"bilateral": (30, 0, 5)}, "deviations of at least 0.5"),
        ({"bilateral": (30, 5, -1)}, "weight of at least 0"),
        ({"bilateral": (30, np.nan, 1)}, "`bilateral` must be None"),
        ({"iterations": -1}, "`iterations` must be a whole number of at least 0.*-1"),
        ({"iterations": 2.5}, "`iterations` must be a whole number"),
        ({"normalization": "NO"}, r"`normalization` must be one of \('symmetric', 'none'\)"),
        ({"backend": "numpy"}, r"`backend` must be one of \('tensorflow', 'pydensecrf'\)"),
    ],
)
def test_other_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenseCRF(**options)


def test_can_be_copied_after_its_first_call() -> None:
    crf, arguments = DenseCRF(gaussian=[2, 3]), scene(4, 5)
    expected = crf(*arguments)
    copy = pickle.loads(pickle.dumps(crf))
    assert copy == crf
    np.testing.assert_array_equal(copy(*arguments), expected)
