"""Boxes that move to where colours change."""

import numpy as np
import pytest

from tfdeconv import boxes
from tfdeconv.weak.outline import outlined


def block(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 60, (50, 70, 3), np.uint8)
    image[top:bottom, left:right] += 150
    return image


@pytest.mark.parametrize(
    "box", [[8, 17, 24, 41], [14, 24, 20, 34], [5, 22, 18, 40], [12.4, 20.3, 22.0, 37.7]]
)
def test_a_box_that_is_roughly_right_moves_to_the_edges(box) -> None:
    found = outlined(block(12, 20, 22, 38), np.array(box))
    assert found.dtype == np.int32
    assert boxes.iou(found, np.array([12, 20, 22, 38]))[0, 0] > 0.85


@pytest.mark.parametrize("truth", [[0, 0, 20, 26], [30, 40, 50, 70], [20, 30, 24, 34]])
def test_at_the_border_and_small(truth) -> None:
    found = outlined(block(*truth), np.add(truth, [0, 0, 2, 2]))
    assert boxes.iou(found, np.array(truth))[0, 0] > 0.6
    assert (found >= 0).all() and (found <= [50, 70, 50, 70]).all()


def test_without_edges_the_box_stays() -> None:
    gray = np.full((20, 30, 3), 90, np.uint8)
    assert outlined(gray, np.array([0, 0, 20, 30])).tolist() == [0, 0, 20, 30]
    assert outlined(gray[:1, :1], np.array([0, 0, 1, 1])).tolist() == [0, 0, 1, 1]
    tall = outlined(np.full((300, 2, 3), 90, np.uint8), np.array([10, 0, 90, 2]))
    assert (tall[:2] < tall[2:]).all() and (tall <= [300, 2, 300, 2]).all()


def test_always_the_same() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    found = [outlined(noise, np.array([10, 10, 25, 30])).tolist() for _ in range(3)]
    assert found[0] == found[1] == found[2]
