"""Heatmaps over photographs with boxes, and two ways of pooling side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfdeconv.visual.activation_panels import colour_map
from tfdeconv.visual.captions import captioned, with_notes
from tfdeconv.visual.overlay import panels
from tfdeconv.visual.scaling import by_factor

_SIDE = 240
_TRUTH, _FOUND = (255, 255, 255), (64, 224, 255)
_SHARE = 0.6


class Seen(NamedTuple):
    """What one network saw in an image.

    Attributes:
        title: Above the panel, e.g. the pooling.
        note: Below the title.
        heat: `(height, width)` float32 in [0, 1].
        box: `(4,)` box around it: top, left, bottom, right in pixels.
    """

    title: str
    note: str
    heat: np.ndarray
    box: np.ndarray


class Row(NamedTuple):
    """An image with its truth, and what networks saw in it.

    Attributes:
        image: `(height, width, 3)` uint8 RGB.
        title: Above the photograph, e.g. its class.
        truth: `(n, 4)` boxes.
        seen: One for every network.
    """

    image: np.ndarray
    title: str
    truth: np.ndarray
    seen: Sequence[Seen]


def draw_localisation(rows: Sequence[Row], notes: Sequence[str]) -> np.ndarray:
    """Draws a row for every image: the photograph, then the heatmaps over it.

    Args:
        rows: At least one, with equally many networks each.
        notes: Lines below the sheet.

    Returns:
        The sheet, uint8 RGB. Panels are 240 pixels on their longer side; the true boxes are white,
        those that were found blue.
    """
    sheet = [[_photograph(row), *(_heat(row, seen) for seen in row.seen)] for row in rows]
    return with_notes(panels(sheet), notes)


def heat_over(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lays a heatmap over the gray photograph: `(height, width, 3)` uint8, dark to light yellow.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        heat: `(height, width)` float32 in [0, 1].

    Example:

    >>> heat_over(np.full((1, 1, 3), 100, np.uint8), np.ones((1, 1), np.float32)).tolist()
    [[[191, 193, 138]]]
    """
    gray = image.mean(axis=2, keepdims=True)
    return (gray + _SHARE * (colour_map(heat) - gray)).astype(np.uint8)


def _photograph(row: Row) -> np.ndarray:
    return captioned(_boxed(row.image, row.truth), row.title)


def _heat(row: Row, seen: Seen) -> np.ndarray:
    picture = _boxed(heat_over(row.image, seen.heat), row.truth, seen.box)
    return captioned(picture, seen.title, seen.note)


def _boxed(image: np.ndarray, truth: np.ndarray, found: np.ndarray | None = None) -> np.ndarray:
    import cv2

    scale = _SIDE / max(image.shape[:2])
    # Enlarged first, so that lines are equally thin on every photograph.
    picture = by_factor(image, scale)
    coloured = [(box, _TRUTH) for box in truth]
    coloured += [] if found is None else [(found, _FOUND)]
    for box, colour in coloured:
        top, left, bottom, right = np.round(scale * np.asarray(box, np.float64)).astype(int)
        corners = ((int(left), int(top)), (int(right) - 1, int(bottom) - 1))
        # On a dark edge, a line of any colour is seen on any picture.
        cv2.rectangle(picture, *corners, (0, 0, 0), 3)
        cv2.rectangle(picture, *corners, colour, 1)
    return picture
