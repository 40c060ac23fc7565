"""Aggregation of region scores again, as plain loops over pixels in float64."""

import math

import numpy as np


def taps(length: int, start: float, stop: float, pixel: int) -> list[tuple[int, float]]:
    """Source pixels and weights of output pixel `pixel` when `length` pixels fill [start, stop).

    The tent kernel is one source pixel wide to either side where the map grows and as wide as the
    shrinking where it shrinks; weights outside the map are left out and the others add up to one.
    """
    per_pixel = length / (stop - start)
    centre = (pixel + 0.5 - start) * per_pixel - 0.5
    reach = max(1.0, per_pixel)
    weights = [(i, max(0.0, 1.0 - abs(i - centre) / reach)) for i in range(length)]
    total = sum(weight for _, weight in weights)
    return [(i, weight / total) for i, weight in weights if weight > 0]


def covered(start: float, stop: float, length: int) -> range:
    """The pixels of 0..length-1 whose centres are in [start, stop)."""
    return range(max(0, math.ceil(start - 0.5)), min(length, math.ceil(stop - 0.5)))


def aggregate(
    scores: np.ndarray, regions: np.ndarray, height: int, width: int, mode: str
) -> np.ndarray:
    """What `tfdeconv.segmentation.aggregate.aggregate` computes."""
    at_pixel: dict[tuple[int, int], list[np.ndarray]] = {}
    scores = scores.astype(np.float64)
    if mode != "raw_max":
        scores = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    for scores_of_region, (top, left, bottom, right) in zip(scores, regions.tolist(), strict=True):
        rows, columns = scores_of_region.shape[:2]
        for y in covered(top, bottom, height):
            for x in covered(left, right, width):
                value = np.zeros(scores.shape[-1])
                for i, row_weight in taps(rows, top, bottom, y):
                    for j, column_weight in taps(columns, left, right, x):
                        value += row_weight * column_weight * scores_of_region[i, j]
                at_pixel.setdefault((y, x), []).append(value)
    result = np.zeros((height, width, scores.shape[-1]))
    for (y, x), values in at_pixel.items():
        combined = np.mean(values, axis=0) if mode == "mean" else np.max(values, axis=0)
        result[y, x] = np.maximum(combined, 0) if mode == "raw_max" else combined
    return result
