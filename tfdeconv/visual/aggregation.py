"""Aggregation with a growing number of regions, largest first (the paper's Figure 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfdeconv import boxes
from tfdeconv.visual.captions import captioned, with_notes
from tfdeconv.visual.overlay import PAPER, legend, overlay, panels
from tfdeconv.visual.scaling import by_factor

COUNTS = (1, 5, 10, 20, 50)
_LONGER_SIDE = 300
_NEW, _OLD = (255, 221, 51), (140, 148, 160)
_DIMMED = 0.55
_GAP = 8


def by_size(regions: np.ndarray) -> np.ndarray:
    """Sorts boxes from large to small; equal ones keep their order: `(n, 4)` -> `(n, 4)`."""
    return regions[np.argsort(-boxes.area(regions), kind="stable")]


def panel_counts(available: int, counts: Sequence[int] = COUNTS) -> list[int]:
    """Returns after how many regions a panel is drawn.

    Args:
        available: Number of regions, at least 1.
        counts: Numbers to stop at on the way.

    Returns:
        `available`, after those of `counts` that are smaller by more than a tenth.

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
    """Draws what is found in an image as more regions of it are aggregated.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        regions: `(n, 4)` boxes in the order in which they were aggregated.
        labels: Number of regions -> `(height, width)` uint8 labels after so many, in the order of
            the panels.
        class_names: The name of every label, for the legend; none is drawn without.

    Returns:
        The sheet, uint8 RGB: above the photograph with the regions, those that are new in a panel
        in yellow, cut where they leave the image; below what was found.

    Raises:
        ValueError: when there is nothing to draw.

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        Figure 6.
    """
    if not labels:
        raise ValueError("`labels` must hold a label map. Received: labels={}")
    photograph = _fitted(image)
    scale = photograph.shape[1] / image.shape[1]
    gap = np.full((_GAP, photograph.shape[1], 3), PAPER, np.uint8)
    columns, before = [], 0
    for count, found in labels.items():
        sides = (regions[:count, 2:] - regions[:count, :2]).min(1)
        widths = [f"{side:.0f}" for side in dict.fromkeys((sides.max(), sides.min()))]
        note = f"{' to '.join(widths)} pixels wide"
        drawn = with_boxes(photograph, regions[:count] * scale, before)
        titled = captioned(drawn, f"{count} region{'s' * (count != 1)}", note)
        columns.append(np.concatenate([titled, gap, overlay(photograph, _fitted(found))]))
        before = count
    sheet = with_notes(
        panels([columns]), ["Largest regions first, cut at the border; yellow: new in this panel."]
    )
    ids = sorted({*np.unique(np.stack(list(labels.values()))).tolist()} - {0})
    # The background is left as it is, so that there is no colour to explain.
    return _beside(sheet, legend(class_names, ids)) if class_names and ids else sheet


def with_boxes(photograph: np.ndarray, regions: np.ndarray, old: int) -> np.ndarray:
    """Draws boxes over a dimmed photograph.

    Args:
        photograph: `(height, width, 3)` uint8 RGB.
        regions: `(n, 4)` boxes in its pixels; they are cut where they leave it.
        old: How many of them, the first ones, are gray; the others are yellow and lie above.

    Returns:
        `(height, width, 3)` uint8 RGB; `photograph` is not changed.
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


def _beside(sheet: np.ndarray, right: np.ndarray) -> np.ndarray:
    missing = sheet.shape[0] - right.shape[0]
    right = np.pad(right, ((max(missing, 0), 0), (0, _GAP), (0, 0)), constant_values=PAPER[0])
    sheet = np.pad(sheet, ((0, max(-missing, 0)), (0, 0), (0, 0)), constant_values=PAPER[0])
    return np.concatenate([sheet, right], axis=1)


def _fitted(image: np.ndarray) -> np.ndarray:
    return by_factor(image, _LONGER_SIDE / max(image.shape[:2]))
