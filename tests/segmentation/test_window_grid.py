"""Where windows stand and what they count: covered, adding up to one, and as plain loops say."""

import numpy as np
import pytest

from tests.reference import sliding as reference
from tfdeconv.segmentation.sliding import axis_of


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize(("length", "side"), [(1, 1), (5, 8), (8, 8), (9, 8), (61, 10), (40, 7)])
def test_windows_cover_the_image_and_add_up_to_one(length: int, side: int, overlap: float) -> None:
    axis = axis_of(length, side, overlap)
    total, count = np.zeros(max(length, side)), np.zeros(max(length, side), int)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        assert 0 <= start <= max(0, length - side) and (weights > 0).all()
        total[start : start + side] += weights
        count[start : start + side] += 1
    np.testing.assert_allclose(total, 1, rtol=1e-6)
    assert axis.starts == sorted(set(axis.starts)) and count.min() >= 1
    # Where a window is alone, its scores are not touched at all.
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        assert np.all(weights[count[start : start + side] == 1] == 1)


@pytest.mark.parametrize(("length", "side", "overlap"), [(61, 10, 0.3), (40, 7, 0.5), (9, 8, 0.75)])
def test_weights_are_those_of_plain_loops(length: int, side: int, overlap: float) -> None:
    axis = axis_of(length, side, overlap)
    pixels = side - int(side * (1 - overlap))
    assert axis.starts == reference.starts(length, side, side - pixels)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        for place in range(side):
            others = [start + place - other for other in axis.starts]
            total = sum(reference.weight(i, side, pixels) for i in others if 0 <= i < side)
            expected = reference.weight(place, side, pixels) / total
            assert weights[place] == pytest.approx(expected, rel=1e-5)


def test_what_the_eye_can_check() -> None:
    axis = axis_of(10, 4, 0.25)
    # At 3, 6 and 10 pixels; the ramps of one pixel cross at a half.
    assert axis.starts == [0, 3, 6]
    np.testing.assert_allclose(
        axis.weights, [[1, 1, 1, 0.5], [0.5, 1, 1, 0.5], [0.5, 1, 1, 1]], rtol=1e-6
    )
    assert axis_of(3, 8, 0.5).starts == [0]


def test_steps_are_multiples() -> None:
    assert axis_of(160, 64, 0.25, multiple=32).starts == [0, 32, 64, 96]
    assert axis_of(160, 64, 0.0, multiple=32).starts == [0, 64, 96]
    # A step is never nothing.
    assert axis_of(128, 32, 0.9, multiple=32).starts == [0, 32, 64, 96]
    assert axis_of(12, 10, 0.9).starts == [0, 1, 2]
