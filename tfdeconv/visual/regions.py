"""Regions of a photograph: aggregation of more and more of them, and heatmaps with boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tfdeconv import boxes
from tfdeconv.visual.pictures import (
    PAPER,
    captioned,
    colour_map,
    legend,
    overlay,
    panels,
    resized,
    size_within,
    with_notes,
)

COUNTS = (1, 5, 10, 20, 50)
_AGGREGATION_SIDE, _HEATMAP_SIDE = 300, 240
_NEW, _OLD, _TRUTH, _FOUND = (255, 221, 51), (140, 148, 160), (255, 255, 255), (64, 224, 255)
_DIMMED, _HEAT_SHARE = 0.55, 0.6
_GAP = 8


def by_size(regions: np.ndarray) -> np.ndarray:
    """Sorts boxes from large to small; equal ones keep their order: `(n, 4)` -> `(n, 4)`."""
    return regions[np.argsort(-boxes.area(regions), kind="stable")]


def panel_counts(available: int, counts: Sequence[int] = COUNTS) -> list[int]:
    """Returns the numbers of regions with a panel: `counts` below 0.9 `available`, and that.

    Example:

    >>> panel_counts(51), panel_counts(7)
    ([1, 5, 10, 20, 51], [1, 5, 7])
    """
    return [*(count for count in counts if count < 0.9 * available), available]


def draw_aggregation(
    image: np.ndarray,
    regions: np.ndarray,
    labels: Mapping[int, np.ndarray],
    class_names: Sequence[str] | None = None,
) -> np.ndarray:
    """Draws the labels of an image as more regions of it are aggregated.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        regions: `(n, 4)` boxes in the order in which they were aggregated.
        labels: Number of regions -> `(height, width)` uint8 labels after so many, in the order of
            the panels.
        class_names: The name of every label, for the legend; no legend without them.

    Returns:
        The sheet, uint8 RGB. Above: the photograph with the regions, cut at its border, those that
        are new in a panel in yellow. Below: the labels.

    Raises:
        ValueError: when there is nothing to draw.

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        Figure 6.
    """
    if not labels:
        raise ValueError("`labels` must hold a label map. Received: labels={}")
    size = size_within(image, _AGGREGATION_SIDE)
    photograph = resized(image, size)
    scale = size[1] / image.shape[1]
    gap = np.full((_GAP, size[1], 3), PAPER, np.uint8)
    columns, before = [], 0
    for count, found in labels.items():
        sides = (regions[:count, 2:] - regions[:count, :2]).min(1)
        widths = [f"{side:.0f}" for side in dict.fromkeys((sides.max(), sides.min()))]
        note = f"{' to '.join(widths)} pixels wide"
        drawn = with_boxes(photograph, regions[:count] * scale, before)
        titled = captioned(drawn, f"{count} region{'s' * (count != 1)}", note)
        columns.append(np.concatenate([titled, gap, overlay(photograph, resized(found, size))]))
        before = count
    notes = ["Largest regions first, cut at the border; yellow: new in this panel."]
    sheet = with_notes(panels([columns]), notes)
    # The background is not tinted, so that it needs no colour in the legend.
    ids = sorted({*np.unique(np.stack(list(labels.values()))).tolist()} - {0})
    return _side_by_side(sheet, legend(class_names, ids)) if class_names and ids else sheet


def with_boxes(photograph: np.ndarray, regions: np.ndarray, old: int) -> np.ndarray:
    """Draws boxes over a copy of a photograph, which is dimmed.

    Args:
        photograph: `(height, width, 3)` uint8 RGB.
        regions: `(n, 4)` boxes in its pixels; they are cut at its border.
        old: How many of them, the first ones, are gray; the others are yellow and lie above.
    """
    import cv2

    # Dimmed: thin lines are lost on a bright photograph, and thick ones on one another.
    drawn = (photograph * _DIMMED).astype(np.uint8)
    height, width = photograph.shape[:2]
    inside = np.round(boxes.clip(regions, height, width)).astype(int)
    for index, (top, left, bottom, right) in enumerate(inside.tolist()):
        corners = (left, top), (max(left, right - 1), max(top, bottom - 1))
        cv2.rectangle(drawn, *corners, _OLD if index < old else _NEW, 1)
    return drawn


class Heatmap(NamedTuple):
    """What one network found in an image.

    Attributes:
        title: Above the panel, e.g. the pooling.
        note: Below the title.
        heat: `(height, width)` float32 in [0, 1].
        box: `(4,)` the box found: top, left, bottom, right in pixels.
    """

    title: str
    note: str
    heat: np.ndarray
    box: np.ndarray


class Row(NamedTuple):
    """An image with its true boxes, and what networks found in it.

    Attributes:
        image: `(height, width, 3)` uint8 RGB.
        title: Above the photograph, e.g. its class.
        truth: `(n, 4)` boxes.
        heatmaps: One for every network.
    """

    image: np.ndarray
    title: str
    truth: np.ndarray
    heatmaps: Sequence[Heatmap]


def draw_heatmaps(rows: Sequence[Row], notes: Sequence[str]) -> np.ndarray:
    """Draws a row for every image: the photograph, then the heatmaps over it.

    Args:
        rows: At least one, with equally many networks each.
        notes: Lines below the sheet.

    Returns:
        The sheet, uint8 RGB. Panels are 240 pixels on their longer side; true boxes are white,
        those that were found blue.
    """
    sheet = []
    for row in rows:
        panel = [captioned(_framed(row.image, row.truth), row.title)]
        for one in row.heatmaps:
            framed = _framed(heat_over(row.image, one.heat), row.truth, one.box)
            panel.append(captioned(framed, one.title, one.note))
        sheet.append(panel)
    return with_notes(panels(sheet), notes)


def heat_over(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lays a heatmap, `(height, width)` in [0, 1], over the gray photograph.

    Example:

    >>> heat_over(np.full((1, 1, 3), 100, np.uint8), np.ones((1, 1), np.float32)).tolist()
    [[[191, 193, 138]]]
    """
    gray = image.mean(axis=2, keepdims=True)
    return (gray + _HEAT_SHARE * (colour_map(heat) - gray)).astype(np.uint8)


def _framed(image: np.ndarray, truth: np.ndarray, found: np.ndarray | None = None) -> np.ndarray:
    import cv2

    # Resized first, so that lines are equally thin on every photograph.
    picture = resized(image, size_within(image, _HEATMAP_SIDE))
    scale = _HEATMAP_SIDE / max(image.shape[:2])
    coloured = [(box, _TRUTH) for box in truth]
    coloured += [] if found is None else [(found, _FOUND)]
    for box, colour in coloured:
        top, left, bottom, right = np.round(scale * np.asarray(box, np.float64)).astype(int)
        corners = ((int(left), int(top)), (int(right) - 1, int(bottom) - 1))
        # On a dark edge, a line of any colour is visible on any picture.
        cv2.rectangle(picture, *corners, (0, 0, 0), 3)
        cv2.rectangle(picture, *corners, colour, 1)
    return picture


def _side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    height = max(left.shape[0], right.shape[0])
    padded = [
        np.pad(one, ((0, height - len(one)), (0, gap), (0, 0)), constant_values=PAPER[0])
        for one, gap in ((left, 0), (right, _GAP))
    ]
    return np.concatenate(padded, axis=1)
