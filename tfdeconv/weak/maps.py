"""Class activation maps: heatmaps in the size of the image, and the box of Zhou et al.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, section 3.2.
"""

from collections.abc import Sequence

import numpy as np

# Section 3.2: "above 20% of the max value of the CAM".
PAPER_SHARE = 0.2


def upsampled(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """Upsamples a class activation map to the size of its image, bilinearly.

    Args:
        map_: `(rows, columns)` float32 activations of one class, over the full image.
        height, width: Size of the image in pixels.

    Returns:
        `(height, width)` float32.

    Example:

    >>> upsampled(np.array([[-3.0, 4.0]], np.float32), 1, 4).tolist()
    [[-3.0, -1.25, 2.25, 4.0]]
    """
    import cv2

    size = (width, height)
    return cv2.resize(map_.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def heatmap(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """Upsamples a class activation map to its image and scales it to [0, 1].

    Takes the arguments of `upsampled`.

    Returns:
        `(height, width)` float32: negative values are 0, the highest is 1. All 0 if none is
        positive.

    Example:

    >>> heatmap(np.array([[-3.0, 4.0]], np.float32), 1, 4).tolist()
    [[0.0, 0.0, 0.5625, 1.0]]
    """
    positive = np.maximum(upsampled(map_, height, width), 0)
    highest = positive.max()
    return positive / highest if highest > 0 else positive


def mean_heat(maps: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """Returns the mean of the heatmaps of maps of one class, scaled to a maximum of 1.

    Args:
        maps: At least one, of any sizes.
        height, width: Size of the image in pixels.

    Returns:
        See `heatmap`.

    Example:

    >>> mean_heat([np.array([[2.0, 0.0]]), np.array([[4.0, 8.0]])], 1, 2).tolist()
    [[1.0, 0.6666666865348816]]
    """
    heats = [heatmap(map_, height, width) for map_ in maps]
    return heatmap(np.sum(heats, axis=0), height, width)


def box_of(heat: np.ndarray, share: float = PAPER_SHARE) -> np.ndarray:
    """Returns the box around the largest connected part of a heatmap above a threshold.

    Args:
        heat: `(height, width)` float32 in [0, 1], from `heatmap`.
        share: The threshold, a share of the highest value, which is 1.

    Returns:
        `(4,)` int32 box: top, left, bottom, right in pixels. Pixels that touch by a corner are
        connected; of equally large parts the first in reading order is taken. The full image
        if nothing is above the threshold.

    Raises:
        ValueError: when `share` is not between 0 and 1.

    Example:

    >>> heat = np.array([[0.9, 0.0, 0.0, 0.4], [0.0, 0.0, 0.3, 1.0]], np.float32)
    >>> box_of(heat).tolist()
    [0, 2, 2, 4]
    """
    if not 0 < share < 1:
        raise ValueError(f"`share` must be between 0 and 1. Received: share={share}")
    part = largest_part(heat > share)
    return np.array([0, 0, *heat.shape], np.int32) if part is None else part


def largest_part(mask: np.ndarray) -> np.ndarray | None:
    """Returns the box around the largest connected part of a mask.

    Args:
        mask: `(height, width)`, not 0 in the parts.

    Returns:
        `(4,)` int32 box, see `box_of`; None for an empty mask.

    Example:

    >>> largest_part(np.array([[1, 0, 1, 1], [0, 0, 0, 0]])).tolist()
    [0, 2, 1, 4]
    """
    import cv2

    present = mask.astype(np.uint8)
    count, parts, numbers, _ = cv2.connectedComponentsWithStats(present, connectivity=8)
    if count == 1:
        return None
    areas = numbers[1:, cv2.CC_STAT_AREA]
    largest = 1 + np.flatnonzero(areas == areas.max())
    # OpenCV numbers the parts in an order of its own.
    part = parts.ravel()[np.isin(parts, largest).ravel().argmax()]
    left, top, width, height = numbers[part, :4]
    return np.array([top, left, top + height, left + width], np.int32)
