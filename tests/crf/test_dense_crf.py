"""DenseCRF against plain loops and exact sums, in graphs, and with arguments of every kind."""

import dataclasses
import pickle

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import crf as reference
from tfdeconv.crf import DenseCRF, permutohedral
from tfdeconv.export.fresh_process import run_in_fresh_process

ALONE = DenseCRF(gaussian=(3, 2), bilateral=None, iterations=2)
RAW = DenseCRF((2, 0.3), (9, 20, 0.5), iterations=2, normalization="none")


def scene(height: int, width: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A picture of two halves under some noise, and coarse probabilities that hint at them."""
    rng = np.random.default_rng(height)
    image = rng.integers(0, 30, (height, width, 3)) + 60
    image[:, width // 2 :] += 90
    scores = rng.standard_normal((height, width, classes))
    scores[:, : width // 2, 0] += 1
    scores[:, width // 2 :, -1] += 1
    probabilities = np.exp(scores)
    return probabilities / probabilities.sum(axis=-1, keepdims=True), image.astype(np.uint8)


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


def soft_scene() -> tuple[np.ndarray, np.ndarray]:
    """An ellipse on a slope of colours, under noise of 4 levels; probabilities that say little."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:24, :24]
    inside = ((y - 12) / 8) ** 2 + ((x - 12) / 6) ** 2 < 1
    image = np.stack([100 + 30 * inside + x, 120 - 30 * inside + y / 2, 90 + 0 * x], axis=-1)
    image += rng.normal(0, 4, image.shape)
    scores = 0.5 * rng.standard_normal((24, 24, 3))
    scores[..., 0] += 0.5 * inside
    scores[..., 2] += 0.5 * ~inside
    probabilities = np.exp(scores)
    return probabilities / probabilities.sum(axis=-1, keepdims=True), image.astype(np.uint8)


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
        ({"gaussian": 5}, r"`gaussian` must be None or \(sxy, weight\).*=5"),
        ({"gaussian": ()}, "`gaussian` must be None"),
        ({"gaussian": "ab"}, "`gaussian` must be None"),
        ({"gaussian": (1, None)}, "`gaussian` must be None"),
        ({"gaussian": (3,)}, r"`gaussian` must be None or \(sxy, weight\).*\(3,\)"),
        ({"gaussian": (0.4, 3)}, "deviations of at least 0.5"),
        ({"bilateral": (30, 5)}, r"`bilateral` must be None or \(sxy, srgb, weight\)"),
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


ANY_SIZE = [tf.TensorSpec((None,) * 3, name="p"), tf.TensorSpec((None,) * 3, tf.uint8, "image")]


def test_one_graph_for_any_size() -> None:
    run = tf.function(RAW, input_signature=ANY_SIZE)
    for size in ((8, 5), (1, 1), (13, 20)):
        arguments = scene(*size)
        np.testing.assert_allclose(run(*arguments), RAW(*arguments), atol=1e-5)
    assert run.experimental_get_tracing_count() == 1
    probabilities, image = scene(6, 9)
    for wrong, message in (
        (probabilities[:, :, :2], "must be at least 0 and sum to one"),
        (probabilities.transpose(1, 0, 2), "must be as large as `image`"),
        (probabilities[:, :, :1], "at least 2 classes"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(wrong, image)
    for wrong_image in (image[:, :, :1], image[:, :, [0, 1, 2, 0]]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`image` RGB"):
            run(probabilities, wrong_image)


@pytest.mark.parametrize("size", [(0, 2), (2, 0), (0, 0)])
def test_an_empty_image_in_a_graph_is_told(size: tuple[int, int]) -> None:
    run = tf.function(RAW, input_signature=ANY_SIZE)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one pixel"):
        run(np.zeros((*size, 3), np.float32), np.zeros((*size, 3), np.uint8))


def test_can_be_copied_after_its_first_call() -> None:
    crf, arguments = DenseCRF(gaussian=[2, 3]), scene(4, 5)
    expected = crf(*arguments)
    copy = pickle.loads(pickle.dumps(crf))
    assert copy == crf
    np.testing.assert_array_equal(copy(*arguments), expected)


def test_in_a_data_pipeline() -> None:
    arguments = [scene(6, 9), scene(11, 4)]
    specs = (tf.TensorSpec((None, None, 3), tf.float64), tf.TensorSpec((None, None, 3), tf.uint8))
    data = tf.data.Dataset.from_generator(lambda: iter(arguments), output_signature=specs)
    data = data.map(RAW, num_parallel_calls=2)
    assert data.element_spec == tf.TensorSpec((None, None, 3), tf.float32)
    for found, given in zip(data, arguments, strict=True):
        np.testing.assert_allclose(found, RAW(*given), atol=1e-5)


def test_served_without_python(tmp_path) -> None:
    module = tf.Module()
    module.crf = tf.function(lambda p, image: {"q": RAW(p, image)}, input_signature=ANY_SIZE)
    tf.saved_model.save(module, tmp_path, {"crf": module.crf})
    requests = {}
    for call, size in enumerate(((7, 10), (5, 3))):
        probabilities, image = scene(*size)
        requests[f"{call}/crf/p"] = probabilities.astype(np.float32)
        requests[f"{call}/crf/image"] = image
    answers, warnings = run_in_fresh_process(tmp_path, requests)
    assert not warnings
    for call in (0, 1):
        expected = RAW(requests[f"{call}/crf/p"], requests[f"{call}/crf/image"])
        np.testing.assert_allclose(answers[f"{call}/crf/q"], expected, atol=1e-5)
