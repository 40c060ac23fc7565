"""The sheet of the paper's Figure 4: the image, and one panel for every activation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfdeconv.visual.activations import Activation, Activations
from tfdeconv.visual.captions import captioned, with_notes
from tfdeconv.visual.overlay import PAPER, overlay, panels
from tfdeconv.visual.scaling import fitted

# The paper's input: maps of 7, 14, 28, 56 and 112 pixels fill it exactly.
SIDE = 224


def draw_activations(
    image: np.ndarray,
    shown: Activations,
    beside: Activations | None = None,
    class_names: Sequence[str] | None = None,
    image_beside: np.ndarray | None = None,
) -> np.ndarray:
    """Draws the activations of one network, and those of another one in rows of their own.

    Args:
        image: `(height, width, 3)` uint8 RGB or float in [0, 255], as the network saw it.
        shown: From `decoder_activations`.
        beside: From `decoder_activations` of another network for the same class.
        class_names: The name of every label; their numbers are written without.
        image_beside: As the other network saw it; as the first one by default.

    Returns:
        The sheet, uint8 RGB, two rows a network: above the maps before every step, below those
        behind it. The longer side of a panel is 224 pixels, one pixel of a map being a block of
        them; dark is zero (or the lowest value, where that is negative), bright the largest.
    """
    rows = _rows(image, shown, class_names)
    if beside is not None:
        rows += _rows(image if image_beside is None else image_beside, beside, class_names)
    columns = max(map(len, rows))
    blank = np.full_like(rows[0][0], PAPER)
    sheet = panels([[*row, *[blank] * (columns - len(row))] for row in rows])
    name = name_of(shown.label, class_names)
    notes = [
        "Above the map that a step enlarges, below what becomes of it: of every layer the channel "
        f"that follows the probability of '{name}' most closely.",
        "A layer without weights shows the channel above it. Every map in a range of its own: dark "
        "is zero, bright its largest value.",
    ]
    return with_notes(sheet, notes)


def colour_map(values: np.ndarray, most: float | None = None) -> np.ndarray:
    """Shows a map by colours from black over red to light yellow.

    Args:
        values: `(rows, columns)` float32.
        most: What is shown lightest; the largest value by default.

    Returns:
        `(rows, columns, 3)` uint8 RGB. Zero is black, or the lowest value where that is negative.

    Example:

    >>> colour_map(np.array([[0.0, 2.0]], np.float32)).tolist()
    [[[0, 0, 4], [252, 255, 164]]]
    """
    import cv2

    low, high = min(0.0, float(values.min())), float(values.max()) if most is None else most
    shares = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
    bytes_ = np.round(255 * shares).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(bytes_, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def panel_size(height: int, width: int) -> tuple[int, int]:
    """Returns the height and width of panels for an image: the longer side is 224 pixels.

    Example:

    >>> panel_size(375, 500), panel_size(64, 64)
    ((168, 224), (224, 224))
    """
    factor = SIDE / max(height, width)
    return max(1, round(factor * height)), max(1, round(factor * width))


def _rows(
    image: np.ndarray, shown: Activations, class_names: Sequence[str] | None
) -> list[list[np.ndarray]]:
    picture = np.clip(image, 0, 255).astype(np.uint8)
    size = panel_size(*picture.shape[:2])
    note = f"{picture.shape[0]} x {picture.shape[1]}, as it is shown"
    above = [captioned(fitted(picture, size), f"{shown.network}: input", note)]
    below = [_prediction(picture, shown, class_names, size)]
    for before, after in shown.steps:
        above.append(_panel(before, size))
        below.append(_panel(after, size))
    if shown.densest is not None:
        above.append(_panel(shown.densest, size))
    else:
        above.append(np.full_like(above[0], PAPER))
    found = fitted(colour_map(shown.probability), size)
    most = f"at most {shown.probability.max():.0%}"
    below.append(captioned(found, f"probability of {name_of(shown.label, class_names)}", most))
    return [above, below]


def _panel(activation: Activation, size: tuple[int, int]) -> np.ndarray:
    rows, columns = activation.values.shape
    note = f"{rows} x {columns}, channel {activation.channel}"
    return captioned(fitted(colour_map(activation.values), size), activation.layer, note)


def _prediction(
    picture: np.ndarray,
    shown: Activations,
    class_names: Sequence[str] | None,
    size: tuple[int, int],
) -> np.ndarray:
    # Enlarged first, so that the line around an object is one pixel of the sheet.
    labelled = overlay(fitted(picture, size), fitted(shown.labels, size))
    found = np.count_nonzero(shown.labels == shown.label) / shown.labels.size
    share = "under 1%" if 0 < found < 0.01 else f"{found:.0%}"
    note = f"{name_of(shown.label, class_names)}: {share} of the pixels"
    return captioned(labelled, "prediction", note)


def name_of(label: int, class_names: Sequence[str] | None) -> str:
    """Returns the name of a class, "class 7" where none is known."""
    return class_names[label] if class_names and label < len(class_names) else f"class {label}"
