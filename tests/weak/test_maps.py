"""Heatmaps, boxes and pseudo-labels: against loops, and small ones that the eye can check."""

import numpy as np
import pytest

from tests.reference import localisation as reference
from tfdeconv.weak.maps import box_of, heatmap, mean_heat
from tfdeconv.weak.pseudo_labels import pseudo_labels


@pytest.mark.parametrize(
    ("size", "image"), [((3, 4), (13, 22)), ((1, 5), (7, 7)), ((6, 2), (6, 5)), ((4, 4), (3, 2))]
)
def test_heatmaps_are_those_of_the_loops(size, image) -> None:
    map_ = np.random.default_rng(0).normal(size=size).astype(np.float32)
    found = heatmap(map_, *image)
    assert found.dtype == np.float32 and found.shape == image
    np.testing.assert_allclose(found, reference.heatmap(map_, *image), atol=1e-5)


def test_where_nothing_is_positive_there_is_no_heat() -> None:
    assert not heatmap(np.full((2, 3), -1.0), 5, 5).any()


def test_the_mean_of_maps_of_several_sizes() -> None:
    generator = np.random.default_rng(0)
    maps = [generator.normal(size=size).astype(np.float32) for size in ((3, 4), (5, 2), (1, 1))]
    expected = sum(reference.heatmap(map_, 11, 8) for map_ in maps)
    np.testing.assert_allclose(mean_heat(maps, 11, 8), expected / expected.max(), atol=1e-5)
    assert not mean_heat([-np.ones((2, 2))] * 2, 3, 3).any()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_boxes_are_those_of_the_loops(seed, share) -> None:
    noise = np.random.default_rng(seed).random((4, 6)).astype(np.float32)
    heat = heatmap(noise - 0.3, 9 + seed, 17)
    assert box_of(heat, share).tolist() == reference.box_of(heat, share)


def test_boxes_of_noise_with_many_parts() -> None:
    for seed in range(5):
        heat = np.random.default_rng(seed).random((9, 11)).astype(np.float32)
        assert box_of(heat, 0.75).tolist() == reference.box_of(heat, 0.75)


def test_the_largest_part_counts_and_corners_connect() -> None:
    heat = np.array(
        [
            [9, 9, 0, 0, 0],
            [0, 0, 0, 0, 3],
            [0, 0, 0, 3, 0],
            [9, 0, 3, 0, 0],
        ]
    )
    assert box_of(heat / 9, 0.2).tolist() == [1, 2, 4, 5]
    assert box_of(heat / 9, 0.4).tolist() == [0, 0, 1, 2]


def test_the_first_of_equal_parts_and_the_whole_image_of_none() -> None:
    heat = np.array([[0.0, 0, 1], [1, 0, 0]])
    assert box_of(heat, 0.5).tolist() == [0, 2, 1, 3]
    assert box_of(np.zeros((2, 3)), 0.5).tolist() == [0, 0, 2, 3]


def test_pseudo_labels_are_those_of_the_loops() -> None:
    generator = np.random.default_rng(0)
    heats = {label: generator.random((7, 5)).astype(np.float32) for label in (2, 1, 20)}
    found = pseudo_labels(heats, 0.5, 0.8)
    assert found.dtype == np.uint8 and set(np.unique(found)) == {0, 1, 2, 20, 255}
    np.testing.assert_array_equal(found, reference.pseudo_labels(heats, 0.5, 0.8))


def test_on_a_threshold() -> None:
    heat = np.array([[0.25, 0.26, 0.5]])
    assert pseudo_labels({4: heat, 5: heat}, 0.25, 0.5).tolist() == [[0, 255, 4]]


def test_wrong_arguments() -> None:
    heat = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"between 0 and 1. Received: share=1.5"):
        box_of(heat, 1.5)
    with pytest.raises(ValueError, match=r"Received: 1 heatmaps, low=0.5, high=0.4"):
        pseudo_labels({1: heat}, 0.5, 0.4)
    with pytest.raises(ValueError, match="Received: 0 heatmaps"):
        pseudo_labels({}, 0.1, 0.4)
