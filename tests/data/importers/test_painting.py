"""Painting: against the definition, a pixel at a time, and run lengths against an encoder."""

from collections import Counter

import numpy as np
import pytest

from tests.data.importers.drawn import compress
from tfdeconv.data.importers import painting
from tfdeconv.data.importers.painting import Patch, Shape


def whole(patch: Patch, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    rows, columns = patch.mask.shape
    mask[patch.top : patch.top + rows, patch.left : patch.left + columns] = patch.mask
    return mask


def is_inside(ring, x: float, y: float) -> bool:
    """The even-odd rule by its definition: an odd number of edges to the right."""
    count = 0
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        count += (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    return count % 2 == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_polygon_covers_the_centres_inside(seed):
    generator = np.random.default_rng(seed)
    height, width = 9, 12
    ring = generator.uniform(-5, 17, (generator.integers(3, 12), 2))
    expected = [[is_inside(ring, x + 0.5, y + 0.5) for x in range(width)] for y in range(height)]
    assert whole(painting.fill([ring], height, width), height, width).tolist() == expected


def test_neighbours_tile_and_far_corners_do_no_harm():
    left = painting.fill([np.array([(0, 0), (2.5, 0), (2.5, 4), (0, 4)])], 4, 6)
    right = painting.fill([np.array([(2.5, 0), (9e8, 0), (9e8, 4), (2.5, 4)])], 4, 6)
    assert (whole(left, 4, 6) ^ whole(right, 4, 6)).all()


def test_holes_and_several_rings():
    patch = painting.fill(
        [painting.rectangle(0, 0, 5, 5), painting.rectangle(7, 0, 8, 1)],
        6,
        8,
        [painting.rectangle(1, 1, 4, 4)],
    )
    assert whole(patch, 6, 8).sum() == 25 - 9 + 1


def test_an_ellipse_has_its_area():
    outline = painting.ellipse((20, 15), (10, 5), 90)
    mask = painting.fill([outline], 40, 40).mask
    assert mask.shape == (20, 10) and abs(mask.sum() - np.pi * 50) < 5


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [[1, 2, 3]], "abc", [[float("nan"), 1]], [1e10, 1], [[None, 1]], 5]
)
def test_coordinates_that_are_none(values):
    with pytest.raises(ValueError, match="coordinates"):
        painting.as_points(values)


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths(seed):
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 3000, generator.integers(1, 30)).tolist()
    total = sum(counts)
    assert painting.as_runs(counts, total).tolist() == counts
    assert painting.as_runs(compress(counts), total).tolist() == counts
    mask = painting.expand(np.array(counts))
    assert len(mask) == total and mask.sum() == sum(counts[1::2])


@pytest.mark.parametrize(
    "counts",
    [[1, 2], [7], [-1, 7], [3, 3.0], [True, 5], "", "é", "o", "0" * 3, " ", "oooooooooo0", None],
)
def test_run_lengths_that_do_not_fill(counts):
    with pytest.raises(ValueError, match="run lengths"):
        painting.as_runs(counts, 6)


def test_order_hidden_objects_and_groups():
    def box(left, right):
        return painting.fill([painting.rectangle(left, 0, right, 1)], 1, 6)

    shapes = [
        Shape(1, box(0, 2)),
        Shape(2, box(0, 3)),
        "of an unknown class",
        Shape(3, box(3, 4), key=7),
        Shape(3, box(5, 6), key=7),
        Shape(1, box(4, 5), kind="crowd"),
        Shape(2, box(9, 12)),
        Shape(0, box(0, 1)),
    ]
    maps = painting.paint(shapes, 1, 6)
    assert maps.labels.tolist() == [[0, 2, 2, 3, 1, 3]]
    assert maps.objects.tolist() == [[0, 1, 1, 2, 65535, 2]] and maps.instances == 2
    expected = {"hidden by others": 1, "of an unknown class": 1, "without a pixel": 1}
    assert +maps.dropped == Counter(expected)


def test_more_instances_than_8_bits_hold():
    shapes = [
        Shape(1, painting.fill([painting.rectangle(x, 0, x + 1, 2 if x else 1)], 2, 300))
        for x in range(256)
    ]
    maps = painting.paint(shapes, 2, 300)
    assert maps.instances == 256 and not +maps.dropped
    assert maps.objects[0, :257].tolist() == [*range(1, 257), 0]


def test_instances_beyond_the_limit_are_void(monkeypatch):
    monkeypatch.setattr(painting, "MAX_OBJECTS", 2)
    shapes = [Shape(1, painting.fill([painting.rectangle(x, 0, x + 1, 1)], 1, 4)) for x in range(4)]
    maps = painting.paint(shapes, 1, 4)
    assert maps.instances == 2 and +maps.dropped == Counter({"instances beyond 2": 2})
    assert maps.labels.tolist() == [[1, 1, 1, 1]]
    assert maps.objects.tolist() == [[1, 2, 65535, 65535]]
