"""The best proposal for maps, against loops and by eye, and boxes moved to edges."""

import numpy as np
import pytest

from tests.reference import localisation as reference
from tfdeconv.boxes import iou
from tfdeconv.weak.boxes import (
    BEST_SIDE,
    OCTAVES,
    best_candidate,
    box_scores,
    refine_box,
    to_pixels,
)


@pytest.mark.parametrize(("height", "width"), [(13, 22), (30, 9)])
def test_scores_are_those_of_the_loops(height, width) -> None:
    generator = np.random.default_rng(0)
    maps = {
        side: generator.normal(size=size).astype(np.float32)
        for side, size in ((32, (4, 4)), (64, (8, 7)), (200, (5, 9)))
    }
    corners = np.sort(generator.random((20, 2, 2)), axis=1) * [[[height, width]]]
    boxes = to_pixels(corners.reshape(20, 4), height, width)
    expected = reference.box_scores(maps, boxes, height, width, BEST_SIDE, OCTAVES)
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
    assert to_pixels(boxes, 5, 7).tolist() == expected


def block(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 60, (50, 70, 3), np.uint8)
    image[top:bottom, left:right] += 150
    return image


@pytest.mark.parametrize(
    "box", [[8, 17, 24, 41], [14, 24, 20, 34], [5, 22, 18, 40], [12.4, 20.3, 22.0, 37.7]]
)
def test_a_box_that_is_roughly_right_moves_to_the_edges(box) -> None:
    found = refine_box(block(12, 20, 22, 38), np.array(box))
    assert found.dtype == np.int32
    assert iou(found, np.array([12, 20, 22, 38]))[0, 0] > 0.85


@pytest.mark.parametrize("truth", [[0, 0, 20, 26], [30, 40, 50, 70], [20, 30, 24, 34]])
def test_at_the_border_and_small(truth) -> None:
    found = refine_box(block(*truth), np.add(truth, [0, 0, 2, 2]))
    assert iou(found, np.array(truth))[0, 0] > 0.6
    assert (found >= 0).all() and (found <= [50, 70, 50, 70]).all()


def test_without_edges_the_box_stays() -> None:
    gray = np.full((20, 30, 3), 90, np.uint8)
    assert refine_box(gray, np.array([0, 0, 20, 30])).tolist() == [0, 0, 20, 30]
    assert refine_box(gray[:1, :1], np.array([0, 0, 1, 1])).tolist() == [0, 0, 1, 1]
    tall = refine_box(np.full((300, 2, 3), 90, np.uint8), np.array([10, 0, 90, 2]))
    assert (tall[:2] < tall[2:]).all() and (tall <= [300, 2, 300, 2]).all()


def test_always_the_same() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    found = [refine_box(noise, np.array([10, 10, 25, 30])).tolist() for _ in range(3)]
    assert found[0] == found[1] == found[2]
