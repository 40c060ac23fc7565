"""From a class activation map to a heatmap, a box, and labels for training.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, section 3.2.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tfdeconv.labels import IGNORE_LABEL

# Section 3.2: "above 20% of the max value of the CAM".
PAPER_SHARE = 0.2
# Of the heat of a map of averages: background up to the one, object from the other on.
LOW, HIGH = 0.2, 0.7


def enlarged(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarges a class activation map to its image, bilinear between the centres of its pixels.

    Args:
        map_: `(rows, columns)` float32 activations of one class, over the whole image.
        height: Rows of the image in pixels.
        width: Its columns.

    Returns:
        `(height, width)` float32.

    Example:

    >>> enlarged(np.array([[-3.0, 4.0]], np.float32), 1, 4).tolist()
    [[-3.0, -1.25, 2.25, 4.0]]
    """
    import cv2

    size = (width, height)
    return cv2.resize(map_.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def heatmap(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarges a class activation map to its image and brings it into [0, 1].

    Args:
        map_: See `enlarged`.
        height: Rows of the image in pixels.
        width: Its columns.

    Returns:
        `(height, width)` float32: negative values 0, the highest 1; all 0 where none is positive.

    Example:

    >>> heatmap(np.array([[-3.0, 4.0]], np.float32), 1, 4).tolist()
    [[0.0, 0.0, 0.5625, 1.0]]
    """
    positive = np.maximum(enlarged(map_, height, width), 0)
    highest = positive.max()
    return positive / highest if highest > 0 else positive


def mean_heat(maps: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """Returns the mean of the heatmaps of several maps of one class, its highest value 1 again.

    Args:
        maps: At least one, of any sizes; see `heatmap`.
        height: Rows of the image in pixels.
        width: Its columns.

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
        connected; of equally large parts the first in reading order is taken. The whole image
        where nothing is above the threshold.

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
        mask: `(height, width)`, not 0 where something is.

    Returns:
        `(4,)` int32 box, see `box_of`; None where nothing is.

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


def pseudo_labels(heats: Mapping[int, np.ndarray], low: float, high: float) -> np.ndarray:
    """Turns the heatmaps of the classes of an image into a label map to train on.

    Args:
        heats: Label from 1 -> `(height, width)` float32 in [0, 1], for every class that the image
            is known to have; at least one.
        low: At and below this the pixel is background.
        high: At and above this it has the class of the highest value.

    Returns:
        `(height, width)` uint8 labels; 255, which counts nowhere, in between. Of equal values the
        first class of `heats` wins.

    Raises:
        ValueError: when there is no heatmap, or not 0 <= low < high <= 1.

    Example:

    >>> pseudo_labels({3: np.array([[0.1, 0.4, 0.9]])}, low=0.2, high=0.5).tolist()
    [[0, 255, 3]]
    """
    if not heats or not 0 <= low < high <= 1:
        raise ValueError(
            "`heats` must hold a heatmap, and thresholds must be 0 <= low < high <= 1. "
            f"Received: {len(heats)} heatmaps, low={low}, high={high}"
        )
    stack = np.stack(list(heats.values()))
    highest = stack.max(axis=0)
    labels = np.array(list(heats), np.uint8)[stack.argmax(axis=0)]
    labels[highest < high] = IGNORE_LABEL
    labels[highest <= low] = 0
    return labels
