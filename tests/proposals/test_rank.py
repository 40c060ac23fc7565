"""The order of proposals: against loops, and what it does to copies of one box."""

import numpy as np
import pytest

from tests.reference import ranking as reference
from tfdeconv.boxes import Proposals
from tfdeconv.proposals.edge_boxes import rank


def proposals(count, seed=0):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 40, (count, 2))
    boxes = np.concatenate([corners, corners + rng.integers(1, 30, (count, 2))], axis=1)
    scores = np.sort(rng.random(count))[::-1]
    return Proposals(boxes.astype(np.float32), scores.astype(np.float32))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 99, 100, 101, 260])
def test_the_order_is_that_of_the_loop(count):
    found = proposals(count, seed=count)
    order, scores = reference.rank(
        found.boxes.tolist(), found.scores.tolist(), 70 * 70, 100, decay_power=5, area_power=0.05
    )
    ranked = rank(found, 70 * 70)
    np.testing.assert_array_equal(ranked.boxes, found.boxes[order].reshape(-1, 4))
    np.testing.assert_allclose(ranked.scores, scores, rtol=1e-6)
    assert ranked.boxes.dtype == ranked.scores.dtype == np.float32
    assert (np.diff(ranked.scores) <= 0).all()


def test_copies_of_a_box_fall_behind_another_object():
    strong, weak = [0, 0, 10, 10], [50, 50, 60, 60]
    copies = [strong, [0, 0, 10, 11], [0, 1, 10, 10]]
    ranked = rank(Proposals(np.float32([*copies, weak]), np.float32([0.9, 0.8, 0.7, 0.4])), 100)
    assert ranked.boxes[:2].tolist() == [strong, weak]
    np.testing.assert_allclose(ranked.scores[:2], [0.9, 0.4], rtol=1e-6)


def test_boxes_of_one_size_apart_keep_their_order_and_scores():
    boxes = np.float32([[0, 0, 4, 5], [0, 9, 4, 14], [9, 0, 14, 4], [9, 9, 13, 14]])
    scores = np.float32([0.5, 0.5, 0.5, 0.1])
    ranked = rank(Proposals(boxes, scores), 20)
    np.testing.assert_array_equal(ranked.boxes, boxes)
    np.testing.assert_array_equal(ranked.scores, scores)


def test_of_equal_scores_the_larger_box_comes_first():
    boxes = np.float32([[0, 0, 4, 4], [10, 10, 42, 42]])
    ranked = rank(Proposals(boxes, np.float32([0.5, 0.5])), 64 * 64)
    np.testing.assert_array_equal(ranked.boxes, boxes[::-1])
    np.testing.assert_allclose(ranked.scores, [0.5 / 4**0.05, 0.5 / 256**0.05], rtol=1e-6)


def test_a_box_that_comes_twice_is_left_without_score():
    box = np.float32([[3, 3, 9, 9]] * 2)
    assert rank(Proposals(box, np.float32([0.5, 0.4])), 36).scores.tolist() == [0.5, 0]
