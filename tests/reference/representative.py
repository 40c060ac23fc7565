"""Which channel follows a probability map, again: loops over pixels and overlapping areas."""

import math

import numpy as np


def average(map_: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The mean of a map over the rectangle that each of fewer pixels covers."""
    height, width = map_.shape
    result = np.zeros((rows, columns))
    for y in range(rows):
        for x in range(columns):
            for i in range(height):
                for j in range(width):
                    down = _overlap(i, i + 1, y * height / rows, (y + 1) * height / rows)
                    across = _overlap(j, j + 1, x * width / columns, (x + 1) * width / columns)
                    result[y, x] += map_[i, j] * down * across
    return result * rows * columns / (height * width)


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's, or None where one of the maps is the same everywhere."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    pairs = [(float(x), float(y)) for x, y in zip(a.ravel(), b.ravel(), strict=True)]
    mean_a, mean_b = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    both = sum((x - mean_a) * (y - mean_b) for x, y in pairs)
    squares = [sum((x - mean_a) ** 2 for x, _ in pairs), sum((y - mean_b) ** 2 for _, y in pairs)]
    return both / math.sqrt(squares[0] * squares[1])


def representative_channel(maps: np.ndarray, probability: np.ndarray) -> int:
    """What `tfdeconv.visual.activations.representative_channel` finds, in smaller maps."""
    target = average(probability, *maps.shape[:2])
    found = [correlation(maps[..., k], target) for k in range(maps.shape[-1])]
    if all(value is None for value in found):
        return int(np.argmax([maps[..., k].mean() for k in range(maps.shape[-1])]))
    return int(np.argmax([-2 if value is None else value for value in found]))


def _overlap(a: float, b: float, c: float, d: float) -> float:
    return max(0.0, min(b, d) - max(a, c))
