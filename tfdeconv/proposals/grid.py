"""A multi-scale grid of boxes, for images without usable edges.

Boxes are `top, left, bottom, right` in pixels, half open, whole numbers, inside the image.
"""

import math
from collections.abc import Sequence

import numpy as np

_MOST_BOXES = 100_000


def multi_scale_grid(
    height: int,
    width: int,
    scales: Sequence[float] = (0.5, 0.25, 0.125),
    overlap: float = 0.5,
) -> np.ndarray:
    """Returns the full image and evenly spaced squares of three sizes.

    At scale `s` the squares have sides of `s` times the longer side of the image, cut at its border
    where the image is narrower. Along a side of `n` pixels there are
    `1 + ceil((n - side) / (side * (1 - overlap)))` of them, the first and the last flush with the
    border, so that every pixel is covered at every scale. The number of boxes depends on the
    proportions of the image and not on its size: with the defaults a square of 1024 pixels has
    1 + 9 + 49 + 225 boxes, and no image has more than 337.

    Args:
        height: Height of the image in pixels, at least 1.
        width: Width of the image in pixels, at least 1.
        scales: Sides of the squares over the longer side of the image, each in (0, 1]. Boxes come
            in this order.
        overlap: The least share of a square's side that its neighbour covers, in [0, 1).

    Returns:
        `(n, 4)` float32 boxes, the full image first, each scale row by row, without duplicates.

    Raises:
        ValueError: for an empty image, arguments out of range, or more than 100,000 boxes.

    Example:

    >>> multi_scale_grid(4, 6, scales=(0.5,)).astype(int).tolist()[:4]
    [[0, 0, 4, 6], [0, 0, 3, 3], [0, 2, 3, 5], [0, 3, 3, 6]]
    >>> [len(multi_scale_grid(*size)) for size in ((1, 1), (1, 500), (8000, 10_000))]
    [1, 27, 232]
    """
    if height < 1 or width < 1:
        raise ValueError(
            f"`height` and `width` must be at least 1. Received: height={height}, width={width}"
        )
    if not all(0 < scale <= 1 for scale in scales):
        raise ValueError(f"`scales` must be in (0, 1]. Received: scales={tuple(scales)}")
    if not 0 <= overlap < 1:
        raise ValueError(f"`overlap` must be in [0, 1). Received: overlap={overlap}")
    boxes = [np.array([[0, 0, height, width]])]
    for scale in scales:
        side = max(1, round(scale * max(height, width)))
        tops, lefts = _starts(height, side, overlap), _starts(width, side, overlap)
        if len(tops) * len(lefts) > _MOST_BOXES:
            raise ValueError(
                f"`scales` and `overlap` must give at most {_MOST_BOXES} boxes. Received: "
                f"{len(tops) * len(lefts)} at scale {scale} with overlap={overlap}"
            )
        top, left = (axis.ravel() for axis in np.meshgrid(tops, lefts, indexing="ij"))
        bottom, right = np.minimum(top + side, height), np.minimum(left + side, width)
        boxes.append(np.stack([top, left, bottom, right], axis=1))
    stacked = np.concatenate(boxes)
    _, first = np.unique(stacked, axis=0, return_index=True)
    return stacked[np.sort(first)].astype(np.float32)


def _starts(length: int, side: int, overlap: float) -> np.ndarray:
    free = max(0, length - side)
    # More starts than free pixels would only repeat themselves.
    count = min(1 + math.ceil(free / (side * (1 - overlap))), free + 1)
    return np.floor(np.linspace(0, free, count) + 0.5).astype(np.int64)
