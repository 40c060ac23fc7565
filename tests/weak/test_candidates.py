"""The proposal that maps fit best: against loops, and small ones that the eye can check."""

import numpy as np
import pytest

from tests.reference import localisation as reference
from tfdeconv.weak.candidates import (
    SEEN_OCTAVES,
    SEEN_SIDE,
    best_candidate,
    box_scores,
    whole_pixels,
)


@pytest.mark.parametrize(("height", "width"), [(13, 22), (30, 9)])
def test_scores_are_those_of_the_loops(height, width) -> None:
    generator = np.random.default_rng(0)
    maps = {
        side: generator.normal(size=size).astype(np.float32)
        for side, size in ((32, (4, 4)), (64, (8, 7)), (200, (5, 9)))
    }
    corners = np.sort(generator.random((20, 2, 2)), axis=1) * [[[height, width]]]
    boxes = whole_pixels(corners.reshape(20, 4), height, width)
    expected = reference.box_scores(maps, boxes, height, width, SEEN_SIDE, SEEN_OCTAVES)
    np.testing.assert_allclose(box_scores(maps, boxes, height, width), expected, atol=1e-5)


def test_small_boxes_are_judged_by_large_squares_and_large_ones_by_small_squares() -> None:
    maps = {40: np.full((1, 1), 1.0), 400: np.full((1, 1), 7.0)}
    boxes = np.array([[0, 0, 100, 100], [0, 0, 10, 10], [50, 2, 60, 12]], np.int32)
    np.testing.assert_allclose(box_scores(maps, boxes, 100, 100), [1, 7, 7], atol=1e-3)


def test_the_first_of_equal_boxes_and_of_none_that_is_seen() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 4, 4, 8], [4, 0, 8, 4]], np.float32)
    assert best_candidate({40: np.ones((1, 1))}, boxes, 8, 8).tolist() == [0, 0, 4, 4]
    assert best_candidate({40: -np.ones((1, 1))}, boxes, 8, 8).tolist() == [0, 0, 4, 4]
    # Twice as high and one place behind: 2 / 6 ** 0.5 is more than 1 / 5 ** 0.5.
    maps = {40: np.repeat(np.array([[1.0, 2.0]], np.float32), 4, axis=1)}
    assert best_candidate(maps, boxes, 8, 8).tolist() == [0, 4, 4, 8]


def test_boxes_of_less_than_a_pixel_have_one() -> None:
    boxes = np.array([[2.2, 3.1, 2.4, 3.3], [4.9, 6.9, 5.0, 7.0], [0.0, 0.0, 5.0, 7.0]])
    expected = [[2, 3, 3, 4], [4, 6, 5, 7], [0, 0, 5, 7]]
    assert whole_pixels(boxes, 5, 7).tolist() == expected
