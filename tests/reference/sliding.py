"""Sliding windows and their blending again, as plain loops over pixels in float64."""

import math
from collections.abc import Callable

import numpy as np

# What is shown of a window: `(side, side, 3)` -> `(side, side, classes)` probabilities.
Network = Callable[[np.ndarray], np.ndarray]


def starts(length: int, side: int, step: int) -> list[int]:
    """Steps from the first pixel on; a window that would leave the image ends where it ends."""
    found = [0]
    while found[-1] + side < length:
        found.append(min(found[-1] + step, length - side))
    return found


def weight(place: int, side: int, overlap: int) -> float:
    """The weight at one pixel of a window: a squared sine from either edge, one in between."""
    ramp = min(overlap, side // 2)
    from_edge = min(place, side - 1 - place) + 0.5
    return math.sin(math.pi / 2 * from_edge / ramp) ** 2 if from_edge < ramp else 1.0


def slide(image: np.ndarray, network: Network, side: int, overlap: int) -> np.ndarray:
    """The mean of the probabilities of all windows over a pixel, weighted; black is added to
    images smaller than a window."""
    height, width = image.shape[:2]
    total: dict[tuple[int, int], float] = {}
    result: dict[tuple[int, int], np.ndarray] = {}
    for top in starts(height, side, side - overlap):
        for left in starts(width, side, side - overlap):
            shown = np.zeros((side, side, 3))
            part = image[top : top + side, left : left + side]
            shown[: part.shape[0], : part.shape[1]] = part
            probabilities = network(shown)
            for y in range(part.shape[0]):
                for x in range(part.shape[1]):
                    share = weight(y, side, overlap) * weight(x, side, overlap)
                    place = top + y, left + x
                    total[place] = total.get(place, 0.0) + share
                    result[place] = result.get(place, 0.0) + share * probabilities[y, x]
    classes = next(iter(result.values())).shape[0]
    blended = np.zeros((height, width, classes))
    for place, value in result.items():
        blended[place] = value / total[place]
    return blended


def depths(height: int, width: int, side: int, overlap: int) -> np.ndarray:
    """How many pixels of its surroundings every window shows that covers a pixel, at least.

    The border of the image hides nothing: there is no more beyond it.
    """
    depth = np.full((height, width), max(height, width))
    for axis, length in enumerate((height, width)):
        for start in starts(length, side, side - overlap):
            for pixel in range(start, min(start + side, length)):
                before = pixel - start if start > 0 else length
                after = start + side - 1 - pixel if start + side < length else length
                line = (pixel, slice(None)) if axis == 0 else (slice(None), pixel)
                depth[line] = np.minimum(depth[line], min(before, after))
    return depth


def covering(height: int, width: int, side: int, overlap: int) -> np.ndarray:
    """How many windows cover each pixel."""
    count = np.zeros((height, width), int)
    for top in starts(height, side, side - overlap):
        for left in starts(width, side, side - overlap):
            count[top : top + side, left : left + side] += 1
    return count
