"""Which object proposal the maps of a class fit best.

A map says well where a class is and badly how far it reaches; proposals end where objects do.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, equation 2. A score is there the mean of a class's map over the image;
    here it is the mean over a box.
"""

from collections.abc import Mapping

import numpy as np

from tfdeconv.weak.maps import enlarged

# Chosen on drawn images of another seed than those of the results (`training/README.md`).
CANDIDATES = 200
# Pixels, and octaves about them: squares count for a box by its side as it is seen there.
SEEN_SIDE, SEEN_OCTAVES = 40.0, 0.7
# The first proposals are right more often than the later ones.
RANK_OFFSET, RANK_POWER = 5, 0.5


def best_candidate(
    maps: Mapping[int, np.ndarray], candidates: np.ndarray, height: int, width: int
) -> np.ndarray:
    """Returns the box whose class is seen best.

    Args:
        maps: Side of the square that the network was shown -> `(rows, columns)` float32 map of
            one class over the whole image.
        candidates: `(n, 4)` boxes inside the image, best first, at least one: object proposals.
        height: Rows of the image in pixels.
        width: Its columns.

    Returns:
        `(4,)` int32: top, left, bottom, right in pixels.

    Example:

    >>> left_half = {32: np.array([[2.0, 0.0]], np.float32)}
    >>> boxes = np.array([[0, 0, 8, 16], [0, 1, 8, 6], [0, 9, 8, 15]], np.float32)
    >>> best_candidate(left_half, boxes, 8, 16).tolist()
    [0, 1, 8, 6]
    """
    boxes = whole_pixels(candidates, height, width)
    scores = np.maximum(box_scores(maps, boxes, height, width), 0)
    ranks = np.arange(len(boxes)) + RANK_OFFSET
    return boxes[(scores / ranks**RANK_POWER).argmax()]


def box_scores(
    maps: Mapping[int, np.ndarray], boxes: np.ndarray, height: int, width: int
) -> np.ndarray:
    """Returns the mean of a class's maps inside of boxes.

    Small boxes are judged by the maps of large squares and large ones by those of small squares:
    the weight of a square is normal in the octaves between the side at which the box, a square of
    its area, is seen there, and `SEEN_SIDE`.

    Args:
        maps: See `best_candidate`.
        boxes: `(n, 4)` int, none without a pixel, inside the image.
        height: Rows of the image in pixels.
        width: Its columns.

    Returns:
        `(n,)` float64, in the unit of the maps.
    """
    import cv2

    top, left, bottom, right = boxes.T
    areas = (bottom - top) * (right - left)
    sides = np.sqrt(areas / (height * width))
    total, weights = np.zeros(len(boxes)), np.zeros(len(boxes))
    for square, map_ in maps.items():
        sums = cv2.integral(enlarged(map_, height, width).astype(np.float64))
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        octaves = np.log2(sides * square / SEEN_SIDE)
        # Not zero for any box, however far it is from all squares.
        weight = np.exp(-0.5 * (octaves / SEEN_OCTAVES) ** 2) + 1e-9
        total += weight * inside / areas
        weights += weight
    return total / weights


def whole_pixels(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rounds boxes to whole pixels of the image, at least one each: `(n, 4)` -> `(n, 4)` int32.

    Example:

    >>> whole_pixels(np.array([[0.4, 1.6, 0.45, 9.0]]), height=5, width=5).tolist()
    [[0, 2, 1, 5]]
    """
    rounded = np.round(boxes).astype(np.int32)
    first = np.clip(rounded[:, :2], 0, [height - 1, width - 1])
    last = np.clip(rounded[:, 2:], first + 1, [height, width])
    return np.concatenate([first, last], axis=1).astype(np.int32)
