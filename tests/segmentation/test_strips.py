"""Scores in strips: resized and combined as they would be in one piece."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.reference import aggregation as reference
from tfdeconv.segmentation.averaging import combined
from tfdeconv.segmentation.sliding import resized


def cut(scores: np.ndarray, *rows: int) -> Iterator[np.ndarray]:
    """Scores in strips of so many rows, the rest in the last one."""
    return iter(np.split(scores, np.cumsum(rows)))


def random_scores(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [(13, 9), (30, 21), (5, 4), (1, 1), (7, 30), (26, 18), (12, 9)])
@pytest.mark.parametrize("rows", [(), (1, 1, 1, 1), (6,), (3, 7)])
def test_resizing_strips_is_resizing_the_whole(size: tuple[int, int], rows: tuple) -> None:
    scores = random_scores(13, 9)
    strips = list(resized(cut(scores, *rows), (13, 9), size, most=3 * size[1] * 4))
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

    found = resized(strips(), (100, 3), (40, 3))
    done = 0
    while done < 40:
        done += len(next(found))
        # 2.5 rows become one; to either side as many have a weight, and strips have two rows.
        assert len(taken) * 2 <= done * 2.5 + 10


def test_strips_of_other_heights_are_combined() -> None:
    a, b, c = random_scores(8, 6, 1), random_scores(8, 6, 2), random_scores(4, 3, 3)
    strips = list(combined(lambda x, y: x + 2 * y, [cut(a, 3), cut(b, 1, 4)]))
    assert [len(strip) for strip in strips] == [1, 2, 2, 3]
    np.testing.assert_allclose(np.concatenate(strips), a + 2 * b, rtol=1e-6)
    enlarged = np.concatenate(list(resized(cut(c), (4, 3), (8, 6))))
    found = combined(lambda x, y: x + y, [resized(cut(c), (4, 3), (8, 6)), cut(a, 5)])
    np.testing.assert_allclose(np.concatenate(list(found)), enlarged + a, rtol=1e-6, atol=1e-6)
