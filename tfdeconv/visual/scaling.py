"""Pictures brought to the size of a panel or a page."""

from __future__ import annotations

import numpy as np

from tfdeconv.visual.overlay import PAPER


def by_factor(image: np.ndarray, factor: float, blocks: bool = False) -> np.ndarray:
    """Shrinks or enlarges a picture.

    Args:
        image: `(rows, columns, 3)` uint8 RGB, `(rows, columns)` float32 values, or
            `(rows, columns)` uint8 labels.
        factor: What both sides are multiplied by.
        blocks: Whether enlarged pixels are blocks rather than a blur.

    Returns:
        The picture, of at least one pixel each way: pixels are averaged where it shrinks and mixed
        linearly where it grows. Labels are never mixed.

    Example:

    >>> by_factor(np.uint8([[1, 7]]), 2).tolist()
    [[1, 1, 7, 7], [1, 1, 7, 7]]
    """
    import cv2

    rows, columns = (max(1, round(factor * side)) for side in image.shape[:2])
    labels = image.ndim == 2 and image.dtype == np.uint8
    if labels or (blocks and factor >= 1):
        kind = cv2.INTER_NEAREST
    else:
        kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, (columns, rows), interpolation=kind)


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fits an image, a colour map or labels into a panel, in the middle of white where it is not.

    Args:
        image: `(rows, columns, 3)` uint8 RGB, or `(rows, columns)` uint8 labels.
        size: Height and width of the panel.

    Returns:
        The panel; enlarged pixels are blocks rather than a blur, since what the pixels of a map are
        is the point of the picture.

    Example:

    >>> fitted(np.uint8([[1], [7]]), (2, 3)).tolist()
    [[255, 1, 255], [255, 7, 255]]
    """
    factor = min(size[0] / image.shape[0], size[1] / image.shape[1])
    picture = by_factor(image, factor, blocks=True)
    rows, columns = picture.shape[:2]
    panel = np.full((*size, *image.shape[2:]), PAPER[0], np.uint8)
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    panel[top : top + rows, left : left + columns] = picture
    return panel
