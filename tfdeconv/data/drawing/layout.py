"""Where the objects of a picture are: placed front to back, the hidden ones dropped.

Lengths are pixels of the canvas, which has twice the size of the picture.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tfdeconv.data.drawing.animals import fish, ladybird, shell, starfish
from tfdeconv.data.drawing.shapes import Frame
from tfdeconv.data.drawing.textures import light, noise, whole
from tfdeconv.data.drawing.things import kite, leaf, mushroom, wheel

# In the order of their labels, from 1.
CLASSES = {
    function.__name__: function
    for function in (starfish, ladybird, leaf, fish, mushroom, wheel, shell, kite)
}
# Degrees either way; the others turn freely.
TURN = {"fish": 35, "mushroom": 25, "kite": 60}

LEAST_VISIBLE = 0.45  # An object of which less can be seen is dropped.
LEAST_CORE = 100  # Pixels of the double-size canvas that must remain inside the void line.
SIZES = (0.1, 0.9)  # Length of an object over the picture's shorter side.


class Placed(NamedTuple):
    """An object on the canvas, over whose edges it may reach: `top`, `left` may be negative."""

    label: int
    top: int
    left: int
    inside: np.ndarray
    colours: np.ndarray


def arrange(
    rng: np.random.Generator, height: int, width: int, lamp: np.ndarray, objects: int | None = None
) -> list[Placed]:
    """Places objects from front to back, mostly small ones in front, and drops the hidden ones.

    Args:
        rng: The source of randomness.
        height: Rows of the canvas.
        width: Its columns.
        lamp: `(3,)` float32, the direction of the light.
        objects: How many objects are wanted; None for two to six, as chance has it.

    Returns:
        The objects from back to front.
    """
    import cv2

    wanted = whole(rng, 2, 7) if objects is None else objects
    sizes = SIZES[0] + (SIZES[1] - SIZES[0]) * rng.random(wanted) ** 1.4
    sizes = sizes[np.argsort(sizes * np.exp(rng.normal(0, 0.5, wanted)))]
    taken = np.zeros((height, width), np.uint8)
    kept: list[Placed] = []
    for size in (*sizes.tolist(), 0.3, 0.3, 0.3):
        if len(kept) == wanted:
            break
        for _ in range(4):
            thing = _place(rng, height, width, size, lamp)
            part, inner = overlap(taken, thing)
            seen = thing.inside[inner] & (taken[part] == 0)
            core = cv2.erode(seen.view(np.uint8), np.ones((5, 5), np.uint8)).sum()
            if seen.sum() >= LEAST_VISIBLE * thing.inside.sum() and core >= LEAST_CORE:
                taken[part] |= thing.inside[inner]
                kept.append(thing)
                break
    return kept[::-1]


def overlap(canvas: np.ndarray, thing: Placed, down: int = 0, right: int = 0) -> tuple:
    """Slices of the part of an object, moved, that lies on the canvas: there, in the object."""
    top, left = thing.top + down, thing.left + right
    height, width = thing.inside.shape
    rows = slice(max(top, 0), min(top + height, canvas.shape[0]))
    columns = slice(max(left, 0), min(left + width, canvas.shape[1]))
    inner = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    return (rows, columns), inner


def _place(
    rng: np.random.Generator, height: int, width: int, size: float, lamp: np.ndarray
) -> Placed:
    """Draws an object of a random class, turned, stretched and lit, at a random place."""
    label = whole(rng, 1, len(CLASSES) + 1)
    name = tuple(CLASSES)[label - 1]
    half = 0.5 * size * min(height, width)
    reach = int(1.1 * half) + 2
    limit = TURN.get(name, 180)
    turn = math.radians(rng.uniform(-limit, limit))
    cosine, sine = math.cos(turn), math.sin(turn)
    line = np.arange(-reach, reach + 1, dtype=np.float32) / half
    x, y = line * cosine + line[:, None] * sine, line[:, None] * cosine - line * sine
    x = x * ((1 if rng.random() < 0.5 else -1) / rng.uniform(0.8, 1.0))
    y = y / rng.uniform(0.85, 1.0)
    sway = rng.uniform(0, 0.06)
    x, y = x + sway * np.sin(3 * y + turn), y + sway * np.sin(3 * x - turn)
    drawn = CLASSES[name](Frame(x, y, np.hypot(x, y), np.arctan2(y, x)), rng)
    factor, shine = light(drawn.relief * half, lamp, drawn.gloss)
    worn = 0.9 + 0.2 * noise(rng, x.shape, cells=6, octaves=3)
    colours = drawn.colours * (factor * worn) + shine
    margin = 0.6 * half
    row = rng.uniform(min(margin, height / 2), max(height - margin, height / 2))
    column = rng.uniform(min(margin, width / 2), max(width - margin, width / 2))
    return Placed(label, int(row) - reach, int(column) - reach, drawn.inside, colours)
