"""What the walk-through of one photograph shows, step by step, and its pictures.

Pictures are made for a page: a photograph of any size is brought to one size of a screen, its boxes
with it, so that lines are thin and the page's weight is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.visual.overlay import PAPER
from tfdeconv.visual.scaling import by_factor

LARGE, SMALL = 560 * 420, 280 * 210
_LONGEST, _MOST_ENLARGED = 1200, 4
_WRONG, _DIMMED = (255, 94, 77), 0.4


class Sample(NamedTuple):
    """One region as the network saw it.

    Attributes:
        crop: `(size, size, 3)` in [0, 255].
        scores: `(rows, columns, classes)` float32 before softmax.
        side: The side of the region in pixels of the photograph.
    """

    crop: np.ndarray
    scores: np.ndarray
    side: int


class Proposed(NamedTuple):
    """What a network for squares saw of a photograph.

    Attributes:
        edges: `(rows, columns)` float32 in [0, 1], where edges were searched for, or None.
        boxes: `(n, 4)` proposals, best first.
        regions: `(m, 4)` the regions that were chosen.
        samples: Some of them, the largest first.
        growth: How scores are combined -> number of regions -> labels after so many, small.
        mean_ious: The same -> mean IoU with the truth, empty without it.
    """

    edges: np.ndarray | None
    boxes: np.ndarray
    regions: np.ndarray
    samples: list[Sample]
    growth: Mapping[str, Mapping[int, np.ndarray]]
    mean_ious: Mapping[str, Mapping[int, float]]


class Walk(NamedTuple):
    """All that is told of one photograph.

    Attributes:
        name: Its file's name.
        network: The network's name.
        image: `(height, width, 3)` uint8 RGB.
        truth: `(height, width)` uint8 or None.
        class_names: The name of every class.
        seen: `(rows, columns, 3)` what a network for whole images was shown; None for another.
        proposed: What a network for squares saw; None for another.
        probabilities: `(rows, columns, classes)` float32 of the whole photograph.
        labels: `(height, width)` uint8.
        refined: `(height, width)` uint8, behind the CRF.
        times: Step -> seconds.
    """

    name: str
    network: str
    image: np.ndarray
    truth: np.ndarray | None
    class_names: tuple[str, ...]
    seen: np.ndarray | None
    proposed: Proposed | None
    probabilities: np.ndarray
    labels: np.ndarray
    refined: np.ndarray
    times: Mapping[str, float]


def scaled(image: np.ndarray, pixels: int = LARGE) -> np.ndarray:
    """Brings a photograph, a map of values or a label map to a size of the page.

    Args:
        image: `(height, width, 3)` uint8, `(height, width)` float32, or uint8 labels.
        pixels: The area wanted; small ones are enlarged at most four times.

    Returns:
        The picture, its longer side at most 1200 pixels. Labels are not mixed.

    Example:

    >>> scaled(np.zeros((3000, 4000, 3), np.uint8)).shape
    (420, 560, 3)
    """
    height, width = image.shape[:2]
    factor = min(
        math.sqrt(pixels / (height * width)), _LONGEST / max(height, width), _MOST_ENLARGED
    )
    return by_factor(image, factor)


def at_size(map_: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Resizes a map of values or labels to the height and width of a picture."""
    import cv2

    kind = cv2.INTER_NEAREST if map_.dtype == np.uint8 else cv2.INTER_LINEAR
    return cv2.resize(map_, like.shape[1::-1], interpolation=kind)


def gray(values: np.ndarray) -> np.ndarray:
    """Shows values in [0, 1] as gray: `(rows, columns)` -> `(rows, columns, 3)` uint8."""
    return np.repeat(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)[..., None], 3, axis=-1)


def marked(
    photograph: np.ndarray, pixels: np.ndarray, void: np.ndarray | None = None
) -> np.ndarray:
    """Marks pixels in red over a dimmed gray photograph.

    Args:
        photograph: `(height, width, 3)` uint8 RGB.
        pixels: `(height, width)` bool, those to mark.
        void: `(height, width)` bool, those that are not judged, white; none by default.

    Returns:
        `(height, width, 3)` uint8 RGB.

    Example:

    >>> marked(np.zeros((1, 2, 3), np.uint8), np.array([[True, False]])).tolist()
    [[[255, 94, 77], [0, 0, 0]]]
    """
    dimmed = (photograph.mean(-1, keepdims=True) * _DIMMED).astype(np.uint8)
    picture = np.repeat(dimmed, 3, axis=-1)
    if void is not None:
        picture[void] = PAPER
    picture[pixels] = _WRONG
    return picture


def errors(photograph: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Marks the pixels whose label is not the truth, white where that is 255; see `marked`."""
    void = truth == IGNORE_LABEL
    return marked(photograph, (labels != truth) & ~void, void)
