"""Combining region scores into one map, against plain loops and small maps the eye can check."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import aggregation as reference
from tests.segmentation.combining import aggregate
from tfdeconv.segmentation.aggregate import MODES, Canvas, add, finish, start

REGIONS = {
    "inside, growing and shrinking": [[0, 0, 9, 9], [2, 3, 5, 6], [1, 4, 8, 11]],
    "over every border": [[-3, -2, 6, 7], [4, 8, 12, 16], [-5, 5, 4, 14], [6, -9, 15, 0]],
    "around the image": [[-20, -10, 25, 35]],
    "not square": [[1, 2, 4, 12], [-2, 3, 9, 5]],
    "one pixel": [[3, 4, 4, 5], [0, 0, 1, 1]],
    "equal twice": [[2, 2, 7, 7], [2, 2, 7, 7]],
    "fractions": [[0.5, 1.25, 6.5, 7.75], [-1.4, 2.6, 3.4, 9.0], [2.6, 2.6, 3.4, 3.4]],
    "nothing to see": [[3, 3, 3, 9], [50, 50, 60, 60], [-9, 0, 0, 5], [5, 5, 2, 2], [1, 1, 3, 3]],
}


def example(regions: list[list[float]], rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(len(regions))
    scores = rng.standard_normal((len(regions), rows, columns, 3)).astype(np.float32)
    return scores, np.array(regions, np.float32 if isinstance(regions[0][0], float) else np.int32)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (5, 8), (1, 1)])
@pytest.mark.parametrize("regions", REGIONS.values(), ids=list(REGIONS))
def test_equals_plain_loops(regions: list, rows: int, columns: int, mode: str) -> None:
    scores, boxes = example(regions, rows, columns)
    expected = reference.aggregate(scores, boxes, 9, 13, mode)
    result = aggregate(tf.constant(scores), tf.constant(boxes), 9, 13, mode)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("mode", MODES)
def test_images_of_several_strips(mode: str) -> None:
    scores, boxes = example(
        [[0, 0, 70, 70], [20, -10, 90, 60], [31, 1, 33, 3], [64, 0, 80, 8]], 7, 7
    )
    expected = reference.aggregate(scores, boxes, 75, 6, mode)
    np.testing.assert_allclose(aggregate(scores, boxes, 75, 6, mode), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (40, 1)])
def test_images_one_pixel_wide(height: int, width: int, mode: str) -> None:
    scores, boxes = example([[-3, -4, 44, 43], [0, 0, 3, 3]], 5, 5)
    expected = reference.aggregate(scores, boxes, height, width, mode)
    result = aggregate(scores, boxes, height, width, mode)
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("mode", MODES)
def test_same_in_a_graph_that_knows_no_size_and_is_traced_once(mode: str) -> None:
    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 3)),
            tf.TensorSpec((None, 4), tf.int32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
        ]
    )
    def graph(scores: tf.Tensor, regions: tf.Tensor, height: int, width: int) -> tf.Tensor:
        return aggregate(scores, regions, height, width, mode)

    for count, height, width in ((2, 5, 6), (3, 40, 7), (1, 3, 70)):
        scores, boxes = example([[0, 0, 30, 30], [-2, 1, 5, 8], [3, 3, 50, 50]][:count], 4, 4)
        expected = reference.aggregate(scores, boxes, height, width, mode)
        np.testing.assert_allclose(graph(scores, boxes, height, width), expected, atol=1e-5)
    assert graph.experimental_get_tracing_count() == 1
    assert graph.get_concrete_function().output_shapes.as_list() == [None, None, 3]


@pytest.mark.parametrize("mode", MODES)
def test_batches_give_what_all_at_once_gives(mode: str) -> None:
    scores, boxes = example(
        [[0, 0, 9, 9], [2, 3, 5, 6], [1, 4, 8, 11], [-4, -4, 5, 5], [2, 0, 4, 2]], 6, 6
    )
    canvas = start(9, 13, 3, mode)
    for first in (0, 2, 4):
        canvas = add(canvas, scores[first : first + 2], boxes[first : first + 2], mode)
    expected = aggregate(scores, boxes, 9, 13, mode)
    np.testing.assert_allclose(finish(canvas, mode), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_uncovered_pixels_are_background_and_never_nan(mode: str) -> None:
    scores = tf.math.log([[[[0.25, 0.75]]]])
    result = aggregate(scores, tf.constant([[0, 1, 1, 2]]), 1, 3, mode).numpy()
    inside = [0, 0] if mode == "raw_max" else np.log([0.25, 0.75])
    np.testing.assert_allclose(result, [[[0, 0], inside, [0, 0]]], atol=1e-6)
    assert result.argmax(axis=-1).tolist() == [[0, int(mode != "raw_max"), 0]]
    nothing = aggregate(tf.zeros((0, 4, 4, 2)), tf.zeros((0, 4), tf.int32), 2, 3, mode)
    assert nothing.numpy().tolist() == np.zeros((2, 3, 2)).tolist()


def test_the_modes_on_numbers_the_eye_can_check() -> None:
    scores = tf.math.log([[[[0.8, 0.2]]], [[[0.5, 0.5]]]])
    regions = tf.constant([[0, 0, 1, 2], [0, 1, 1, 3]])
    largest = tf.exp(aggregate(scores, regions, 1, 3))[0]
    np.testing.assert_allclose(largest, [[0.8, 0.2], [0.8, 0.5], [0.5, 0.5]], rtol=1e-6)
    mean = tf.exp(aggregate(scores, regions, 1, 3, mode="mean"))[0]
    between = np.sqrt([0.8 * 0.5, 0.2 * 0.5])
    np.testing.assert_allclose(mean, [[0.8, 0.2], between, [0.5, 0.5]], rtol=1e-6)
    raw = tf.constant([[[[4.0, -8.0]]], [[[2.0, -2.0]]]])
    release = aggregate(raw, regions, 1, 3, mode="raw_max")[0]
    assert release.numpy().tolist() == [[4, 0], [4, 0], [2, 0]]


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_a_constant_of_a_region_changes_no_label(mode: str) -> None:
    scores, boxes = example([[0, 0, 9, 9], [2, 3, 5, 6], [1, 4, 8, 11]], 6, 6)
    constants = np.array([100.0, -50.0, 3.0], np.float32).reshape(3, 1, 1, 1)
    expected = aggregate(scores, boxes, 9, 13, mode)
    result = aggregate(scores + constants, boxes, 9, 13, mode)
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_a_region_of_the_size_of_its_map_is_left_pixel_by_pixel() -> None:
    scores = tf.reshape(tf.range(2 * 5 * 5 * 2, dtype=tf.float32), (2, 5, 5, 2))
    result = aggregate(scores, tf.constant([[0, 0, 5, 5], [1, 6, 6, 11]]), 6, 11, "raw_max")
    np.testing.assert_array_equal(result[:5, :5], scores[0])
    np.testing.assert_array_equal(result[1:6, 6:11], scores[1])
    np.testing.assert_array_equal(result[:1, 5:], np.zeros((1, 6, 2)))


def test_half_precision_scores_are_combined_in_float32() -> None:
    scores = tf.constant(np.full((3, 2, 2, 2), 60000), tf.float16)
    result = aggregate(scores, tf.constant([[0, 0, 2, 2]] * 3), 2, 2, mode="raw_max")
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, np.full((2, 2, 2), 59999), atol=20)
    mean = aggregate(scores, tf.constant([[0, 0, 2, 2]] * 3), 2, 2, mode="mean")
    np.testing.assert_allclose(tf.exp(mean), np.full((2, 2, 2), 0.5), rtol=1e-6)


def test_nan_scores_are_not_hidden() -> None:
    scores = tf.constant([[[[np.nan, 1.0]]], [[[1.0, 1.0]]]])
    for mode in ("max", "mean"):
        result = aggregate(scores, tf.constant([[0, 0, 1, 1], [0, 0, 1, 1]]), 1, 1, mode)
        assert np.isnan(result[0, 0, 0])


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`mode` must be one of .*Received: mode='sum'"):
        aggregate(tf.zeros((1, 2, 2, 2)), tf.zeros((1, 4), tf.int32), 2, 2, mode="sum")


def test_a_canvas_passes_through_a_function() -> None:
    scores, boxes = example([[0, 0, 4, 4]], 3, 3)
    step = tf.function(lambda canvas: add(canvas, scores, boxes, "max"))
    canvas = step(start(4, 4, 3, "max"))
    assert isinstance(canvas, Canvas)
    assert canvas.count.numpy().tolist() == np.ones((4, 4)).tolist()
