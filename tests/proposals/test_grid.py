"""The grid: covers every image at every scale with a bounded number of boxes inside it."""

import numpy as np
import pytest

from tfdeconv.proposals import multi_scale_grid

SIZES = [(1, 1), (1, 7), (10_000, 1), (2, 2), (3, 5), (101, 67), (375, 500), (10_000, 8_000)]


def test_the_squares_of_one_scale_by_eye():
    grid = multi_scale_grid(4, 8, scales=(0.5,), overlap=0.5)
    assert grid.dtype == np.float32
    assert grid.tolist() == [[0, 0, 4, 8], [0, 0, 4, 4], [0, 2, 4, 6], [0, 4, 4, 8]]


def test_without_overlap_the_squares_lie_side_by_side():
    grid = multi_scale_grid(6, 6, scales=(1 / 3,), overlap=0)
    assert len(grid) == 1 + 9
    assert grid[1:4].tolist() == [[0, 0, 2, 2], [0, 2, 2, 4], [0, 4, 2, 6]]


@pytest.mark.parametrize("size", SIZES)
def test_boxes_are_few_different_and_inside(size):
    height, width = size
    grid = multi_scale_grid(height, width)
    assert grid[0].tolist() == [0, 0, height, width]
    assert 1 <= len(grid) <= 337
    assert len(np.unique(grid, axis=0)) == len(grid)
    assert (grid[:, :2] >= 0).all() and (grid[:, 2:] <= [height, width]).all()
    assert (grid[:, 2:] - grid[:, :2] >= 1).all()


@pytest.mark.parametrize("size", [(1, 7), (23, 5), (40, 40), (31, 64)])
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.75])
@pytest.mark.parametrize("scale", [0.9, 0.5, 0.31, 0.125])
def test_every_scale_covers_the_image_with_its_overlap(size, scale, overlap):
    height, width = size
    boxes = multi_scale_grid(height, width, (scale,), overlap).astype(int)[1:]
    covered = np.zeros(size, bool)
    for top, left, bottom, right in boxes:
        covered[top:bottom, left:right] = True
    assert covered.all()
    side = max(1, round(scale * max(size)))
    # Whole pixels cost at most one pixel of the overlap.
    for axis in (0, 1):
        starts = np.unique(boxes[:, axis])
        assert (np.diff(starts) <= side * (1 - overlap) + 1).all()


def test_scales_that_cover_a_tiny_image_add_nothing():
    assert multi_scale_grid(1, 1, scales=(1.0, 0.5, 0.01)).tolist() == [[0, 0, 1, 1]]
    assert len(multi_scale_grid(2, 2, scales=(0.5, 0.25, 0.1))) == 1 + 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5), "height=0"),
        ((5, 0), "width=0"),
        ((5, 5, (0.5, 1.5)), r"scales=\(0.5, 1.5\)"),
        ((5, 5, (0.0,)), r"scales=\(0.0,\)"),
        ((5, 5, (0.5,), 1.0), "overlap=1.0"),
        ((5000, 5000, (0.001,)), "at most 100000 boxes"),
    ],
)
def test_misuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        multi_scale_grid(*arguments)
