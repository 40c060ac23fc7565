"""The sheet of switches: the place of every maximum in its window, and in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfdeconv.visual.activation_panels import colour_map, name_of, panel_size
from tfdeconv.visual.captions import captioned, with_notes
from tfdeconv.visual.overlay import class_colours, panels
from tfdeconv.visual.scaling import fitted
from tfdeconv.visual.switches import Level, Switches

_DIMMED = 0.4
_NOTHING = (26, 27, 31)
# Larger panels than those of activations: hundreds of dots and lines must be told apart.
_LARGER = 3 / 2
_LARGEST_DOT = 6
# Windows that are narrower on the panel have no room for a line.
_LEAST_LINED = 16


def draw_switches(
    image: np.ndarray, shown: Switches, class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Draws the switches of every pooling of a network.

    Args:
        image: `(height, width, 3)` uint8 RGB or float in [0, 255], as the network saw it.
        shown: From `network_switches`.
        class_names: The name of every label; their numbers are written without.

    Returns:
        The sheet, uint8 RGB: above, for every pooling window the colour of the place that its
        maximum stood at, the brighter the larger it is; below, the image and the pixels that the
        switches lead to, joined to the middle of their window.
    """
    picture = np.clip(image, 0, 255).astype(np.uint8)
    height, width = panel_size(*picture.shape[:2])
    size = round(_LARGER * height), round(_LARGER * width)
    note = f"{picture.shape[0]} x {picture.shape[1]}, as it is shown"
    above = [captioned(fitted(picture, size), f"{shown.network}: input", note)]
    below = [captioned(_key(shown.levels[0].window, size), "colours", "place in the window")]
    for level in shown.levels:
        rows, columns = level.values.shape
        note = f"{rows} x {columns} windows, channel {level.channel}"
        above.append(captioned(fitted(coloured_places(level), size), level.layer, note))
        found = np.count_nonzero(level.values > 0)
        note = f"{found} of {level.values.size} above zero"
        below.append(captioned(_traced(picture, level, size), "where they stood", note))
    name = name_of(shown.label, class_names)
    notes = [
        "Above: the colour tells which place of its window each maximum stood at, dark is zero. Of "
        f"every pooling the channel that follows the probability of '{name}' most closely.",
        "Below: followed through the poolings before it down to the image, there along the channel "
        "of the largest value; a line leads to it from the middle of its window.",
    ]
    return with_notes(panels([above, below]), notes)


def coloured_places(level: Level) -> np.ndarray:
    """Colours every window by the place of its maximum, dark where the maximum is not above zero.

    Args:
        level: One pooling.

    Returns:
        `(rows, columns, 3)` uint8 RGB.
    """
    high = max(float(level.values.max()), 1e-12)
    share = np.clip(level.values / high, 0, 1)[..., None]
    colours = class_colours()[1 + level.places].astype(np.float64)
    # Roots, since most values are far below the largest one.
    bright = colours * (0.3 + 0.7 * np.sqrt(share))
    return np.where(share > 0, bright, _NOTHING).astype(np.uint8)


def _key(window: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    places = np.arange(window[0] * window[1]).reshape(window)
    side = min(size) // 3
    swatches = fitted(class_colours()[1 + places], (side, side))
    panel = np.full((*size, 3), 255, np.uint8)
    panel[:side, :side] = swatches
    return panel


def _traced(picture: np.ndarray, level: Level, size: tuple[int, int]) -> np.ndarray:
    import cv2

    drawn = (fitted(picture, size) * _DIMMED).astype(np.uint8)
    rows, columns = level.values.shape
    cell = min(size[0] / rows, size[1] / columns)
    radius = min(max(1, round(cell / 10)), _LARGEST_DOT)
    colours = colour_map(np.sqrt(np.maximum(level.values, 0)))
    # The largest last, so that nothing lies over it.
    for index in np.argsort(level.values, axis=None):
        row, column = divmod(int(index), columns)
        if level.values[row, column] <= 0:
            continue
        colour = colours[row, column].tolist()
        middle, place = (
            (round(share[1] * size[1]), round(share[0] * size[0]))
            for share in (level.middles[row, column], level.traced[row, column])
        )
        if cell >= _LEAST_LINED:
            cv2.line(drawn, middle, place, colour, 1, cv2.LINE_AA)
        cv2.circle(drawn, place, radius, colour, cv2.FILLED, cv2.LINE_AA)
    return drawn
