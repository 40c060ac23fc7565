"""Which squares the network sees, and in which order."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.windows import enlarge_to_square
from tfdeconv.segmentation.regions import choose_regions


def choose(boxes: list, height: int, width: int, limit: int = 50, input_size: int = 4) -> list:
    boxes = tf.constant(np.array(boxes, np.float32).reshape(-1, 4))
    return choose_regions(boxes, height, width, limit, input_size).numpy().tolist()


WHOLE = [-1, -1, 11, 11]


def test_the_whole_image_comes_first_and_boxes_keep_their_order() -> None:
    chosen = choose([[0, 0, 5, 5], [5, 5, 10, 10], [2, 2, 7, 8]], 10, 10)
    assert chosen == [WHOLE, [0, 0, 6, 6], [5, 5, 11, 11], [1, 2, 8, 9]]


@pytest.mark.parametrize(("height", "width"), [(375, 500), (7, 1), (1, 7), (1, 1), (8000, 10000)])
def test_the_whole_image_is_one_square(height: int, width: int) -> None:
    assert choose([], height, width) == [enlarge_to_square((0, 0, height, width))]


def test_limit_counts_boxes_beside_the_whole_image() -> None:
    boxes = [[i, 0, i + 4, 4] for i in range(6)]
    assert [len(choose(boxes, 10, 10, limit)) for limit in (0, 1, 3, 6, 50)] == [1, 2, 4, 7, 7]


def test_boxes_without_area_are_dropped_and_do_not_count() -> None:
    boxes = [[3, 3, 3, 9], [3, 3, 9, 3], [8, 8, 2, 2], [0, 0, 5, 5]]
    assert choose(boxes, 10, 10, limit=1) == [WHOLE, [0, 0, 6, 6]]
    assert choose(boxes[:3], 10, 10) == [WHOLE]


def test_equal_regions_are_used_once_and_do_not_count() -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 5, 5], [0, 0, 5.01, 4.99], [0, 0, 5, 3], [5, 5, 10, 10]]
    assert choose(boxes, 10, 10, limit=3) == [
        WHOLE,
        [0, 0, 6, 6],
        [0, -1, 6, 5],
        [5, 5, 11, 11],
    ]


def test_boxes_outside_the_image_are_dropped() -> None:
    outside = [[0, 20, 5, 25], [-9, 0, -4, 5], [0, -9, 5, -4], [20, 0, 25, 5]]
    assert choose([*outside, [0, 9, 5, 14]], 10, 10) == [WHOLE, [0, 9, 6, 15]]


def test_small_regions_are_dropped_as_in_the_release() -> None:
    # 112 of 224 pixels in a photograph of VOC's size: 1.2 * 93 = 111.6 counts, 1.2 * 92 does not.
    boxes = [[0, 0, 92, 92], [0, 0, 93, 93]]
    assert [r[2] - r[0] for r in choose(boxes, 375, 500, input_size=224)] == [600, 112]


def test_in_small_images_regions_may_be_smaller() -> None:
    assert [r[2] - r[0] for r in choose([[0, 0, 8, 8]], 40, 30, input_size=224)] == [48, 10]
    assert [r[2] - r[0] for r in choose([[0, 0, 8, 8]], 41, 30, input_size=224)] == [49]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**29])
@pytest.mark.parametrize("place", [0, 3])
def test_boxes_that_are_no_place_are_refused(value: float, place: int) -> None:
    box = [0.0, 0.0, 5.0, 5.0]
    box[place] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite"):
        choose([box], 10, 10)


def test_same_in_a_graph_that_knows_no_size_and_is_traced_once() -> None:
    size = tf.TensorSpec((), tf.int32)
    graph = tf.function(
        lambda boxes, height, width: choose_regions(boxes, height, width, 50, 4),
        input_signature=[tf.TensorSpec((None, 4)), size, size],
    )
    for boxes, height, width in (([], 3, 9), ([[0, 0, 5, 5], [2, 2, 9, 9]], 20, 10)):
        given = np.array(boxes, np.float32).reshape(-1, 4)
        assert graph(given, height, width).numpy().tolist() == choose(boxes, height, width)
    assert graph.experimental_get_tracing_count() == 1
    assert graph.get_concrete_function().output_shapes.as_list() == [None, 4]
