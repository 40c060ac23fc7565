"""The sheet of the paper's Figure 4: the image, and one panel for every activation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfdeconv.visual.activations import Activation, Activations
from tfdeconv.visual.captions import captioned, with_notes
from tfdeconv.visual.overlay import PAPER, overlay, panels

# The paper's input: maps of 7, 14, 28, 56 and 112 pixels fill it exactly.
_SIDE = 224


def draw_activations(
    image: np.ndarray,
    shown: Activations,
    beside: Activations | None = None,
    class_names: Sequence[str] | None = None,
) -> np.ndarray:
    """Draws the activations of one network, and those of another one in a row of their own.

    Args:
        image: `(height, width, 3)` uint8 RGB or float in [0, 255], as the network saw it.
        shown: From `unpooling_activations`.
        beside: From `upsampling_activations` for the same image.
        class_names: The name of every label; their numbers are written without.

    Returns:
        The sheet, uint8 RGB. Panels are 224 pixels wide, one pixel of a map being a block of them;
        dark is zero (or the lowest value, where that is negative), bright the largest of the map.
    """
    picture = np.clip(image, 0, 255).astype(np.uint8)
    first, *others = shown.rows
    size = f"{picture.shape[0]} x {picture.shape[1]}, as the network sees it"
    rows = [[captioned(_resized(picture), "input", size), *map(_panel, first)]]
    for row in others:
        rows.append([_prediction(picture, shown, class_names), *map(_panel, row)])
    if beside is not None:
        for row in beside.rows:
            rows.append([_prediction(picture, beside, class_names), *map(_panel, row)])
    blank = np.full_like(rows[0][0], PAPER)
    columns = max(map(len, rows))
    sheet = panels([[*row, *[blank] * (columns - len(row))] for row in rows])
    notes = [
        "Of every layer, the channel whose map follows the probability of "
        f"'{_name(shown.label, class_names)}' most closely; an unpooled map shows the channel "
        f"that it puts back{', scores that of the class' * (beside is not None)}.",
        "Every map in a range of its own: dark is zero, bright its largest value.",
    ]
    return with_notes(sheet, notes)


def colour_map(values: np.ndarray) -> np.ndarray:
    """Shows a map by colours from black over red to light yellow.

    Args:
        values: `(rows, columns)` float32.

    Returns:
        `(rows, columns, 3)` uint8 RGB. Zero is black, or the lowest value where that is negative.

    Example:

    >>> colour_map(np.array([[0.0, 2.0]], np.float32)).tolist()
    [[[0, 0, 4], [252, 255, 164]]]
    """
    import cv2

    low, high = min(0.0, float(values.min())), float(values.max())
    shares = (values - low) / (high - low) if high > low else np.zeros_like(values)
    bytes_ = np.round(255 * shares).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(bytes_, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def _panel(activation: Activation) -> np.ndarray:
    rows, columns = activation.values.shape
    note = f"{rows} x {columns}, channel {activation.channel}"
    return captioned(_resized(colour_map(activation.values)), activation.layer, note)


def _prediction(
    picture: np.ndarray, shown: Activations, class_names: Sequence[str] | None
) -> np.ndarray:
    # Enlarged first, so that the line around an object is one pixel of the sheet.
    labelled = overlay(_resized(picture), _resized(shown.labels))
    found = np.count_nonzero(shown.labels == shown.label) / shown.labels.size
    share = "under 1%" if 0 < found < 0.01 else f"{found:.0%}"
    note = f"{_name(shown.label, class_names)}: {share} of the pixels"
    return captioned(labelled, f"{shown.network}: prediction", note)


def _resized(image: np.ndarray) -> np.ndarray:
    import cv2

    # Blocks rather than a blur: what the pixels of a map are is the point of the picture.
    shrinks = image.ndim == 3 and max(image.shape[:2]) > _SIDE
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return cv2.resize(image, (_SIDE, _SIDE), interpolation=kind)


def _name(label: int, class_names: Sequence[str] | None) -> str:
    return class_names[label] if class_names and label < len(class_names) else f"class {label}"
