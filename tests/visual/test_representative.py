"""The class and the channels of a picture of activations, against loops and by hand."""

import numpy as np
import pytest

from tests.reference import representative as reference
from tfdeconv.visual.representative import class_probability, main_class, representative_channel


@pytest.mark.parametrize("size", [(7, 5), (3, 5), (2, 2), (1, 5), (1, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_equals_loops(size, seed):
    generator = np.random.default_rng(seed)
    maps = generator.random((*size, 6)).astype(np.float32)
    maps[..., 2] = 0.5
    probability = generator.random((7, 5)).astype(np.float32)
    expected = reference.representative_channel(maps, probability)
    assert representative_channel(maps, probability) == expected


def test_a_channel_is_judged_by_its_form_and_not_by_its_strength():
    probability = np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)
    weak_but_right = np.array([[0, 1], [0, 0]])
    strong_and_opposite = np.array([[9, 0], [9, 9]])
    maps = np.stack([strong_and_opposite, weak_but_right], -1).astype(np.float32)
    assert representative_channel(maps, probability) == 1


@pytest.mark.parametrize("value", [0.0, 0.3, 1e6])
def test_maps_that_vary_nowhere_are_judged_by_their_mean(value):
    maps = np.full((5, 3, 3), value, np.float32)
    maps[..., 1] += 0.5
    probability = np.random.default_rng(0).random((9, 9)).astype(np.float32)
    assert representative_channel(maps, probability) == 1


def scores_of(labels: list[list[int]], classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[np.array(labels)]


def test_the_main_class_has_the_most_pixels_besides_background():
    assert main_class(scores_of([[0, 0, 0], [2, 2, 1]], 3)) == 2


def test_only_what_is_inside_counts():
    scores = scores_of([[2, 2, 1, 0]], 3)
    assert main_class(scores, np.array([[False, False, True, True]])) == 1
    # A mask of twice the size: the network's scores are smaller than its input.
    assert main_class(scores, np.repeat([[False, True]], 4, axis=1)) == 1


def test_where_all_is_background_the_most_probable_class_is_taken():
    scores = np.zeros((2, 2, 4), np.float32)
    scores[..., 0], scores[0, 0, 3] = 5, 1
    assert main_class(scores) == 3


def test_probabilities_are_those_of_softmax_without_overflow():
    scores = np.array([[[1e4, 1e4, -1e4]]], np.float32)
    assert class_probability(scores, 1).tolist() == [[0.5]]
