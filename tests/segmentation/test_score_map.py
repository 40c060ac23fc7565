"""Maps in strips: resized, combined and labelled as they would be in one piece."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.reference import aggregation as reference
from tfdeconv.segmentation import score_map
from tfdeconv.segmentation.score_map import ScoreMap, collected, combined, label_pixels, resized


def cut(scores: np.ndarray, *rows: int) -> ScoreMap:
    """A map in strips of so many rows, the rest in the last one."""
    return ScoreMap(*scores.shape[:2], np.split(scores, np.cumsum(rows)))


def random_scores(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [(13, 9), (30, 21), (5, 4), (1, 1), (7, 30), (26, 18), (12, 9)])
@pytest.mark.parametrize("rows", [(), (1, 1, 1, 1), (6,), (3, 7)])
def test_resizing_strips_is_resizing_the_whole(size: tuple[int, int], rows: tuple) -> None:
    scores = random_scores(13, 9)
    found = resized(cut(scores, *rows), *size, scores_in_strip=3 * size[1] * 4)
    strips = list(found.strips)
    assert all(1 <= len(strip) <= 4 for strip in strips) or size == (13, 9)
    whole = np.concatenate(strips)
    # The reference takes logarithms of probabilities: all classes of a pixel differ by one number.
    expected = reference.aggregate(scores[np.newaxis], np.array([[0, 0, *size]]), *size, "max")
    difference = whole - expected
    np.testing.assert_allclose(
        difference, np.broadcast_to(difference.mean(axis=-1, keepdims=True), whole.shape), atol=1e-4
    )


def test_only_the_rows_at_hand_are_held() -> None:
    taken = []

    def strips() -> Iterator[np.ndarray]:
        for index in range(50):
            taken.append(index)
            yield np.full((2, 3, 2), index, np.float32)

    found = iter(resized(ScoreMap(100, 3, strips()), 40, 3).strips)
    done = 0
    while done < 40:
        done += len(next(found))
        # 2.5 rows become one; to either side as many have a weight, and strips have two rows.
        assert len(taken) * 2 <= done * 2.5 + 10


def test_maps_in_other_strips_and_sizes_are_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = random_scores(8, 6, 1), random_scores(8, 6, 2), random_scores(4, 3, 3)
    monkeypatch.setattr(score_map, "SCORES_IN_STRIP", 40)
    found = combined([cut(a, 3), cut(b, 1, 4)], lambda x, y: x + 2 * y)
    np.testing.assert_allclose(collected(found), a + 2 * b, rtol=1e-6)
    enlarged = collected(resized(cut(c), 8, 6))
    found = combined([cut(c), cut(a, 5)], lambda x, y: x + y)
    np.testing.assert_allclose(collected(found), enlarged + a, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("description", [None, "Labelling"])
def test_labels_are_the_first_of_the_largest(description: str | None) -> None:
    scores = np.array([[[1, 1, 0], [0, 2, 2]], [[0, 0, 0], [-3, -2, -1]]], np.float32)
    labels = label_pixels(cut(scores, 1), description)
    assert labels.dtype == np.uint8 and labels.tolist() == [[0, 1], [0, 2]]
