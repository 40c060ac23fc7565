"""Colours, noise and light for the drawn data set.

A colour is `(3, 1, 1)` and an area of colours `(3, height, width)`, float32 RGB in [0, 255]: planes
first, because NumPy is several times faster so. Fields are `(height, width)` float32. Every random
choice comes from the generator that is passed in.
"""

from __future__ import annotations

import numpy as np

COLOURS = {
    "coral": (232, 88, 76),
    "amber": (238, 160, 44),
    "lemon": (244, 214, 88),
    "moss": (104, 148, 58),
    "mint": (140, 204, 164),
    "teal": (34, 138, 138),
    "sky": (90, 166, 220),
    "indigo": (66, 82, 164),
    "plum": (142, 70, 142),
    "rose": (230, 126, 160),
    "cream": (244, 230, 200),
    "sand": (214, 182, 134),
    "terracotta": (186, 94, 56),
    "slate": (92, 106, 124),
}
DARK = np.array((38, 34, 40), np.float32).reshape(3, 1, 1)
LIGHT = np.array((250, 244, 232), np.float32).reshape(3, 1, 1)


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """Draws a plain `int` in [low, high): NumPy's own would make float64 of float32."""
    return int(rng.integers(low, high))


def colour(rng: np.random.Generator, names: tuple[str, ...] = ()) -> np.ndarray:
    """Draws one named colour (any, when `names` is empty) and varies it a little."""
    names = names or tuple(COLOURS)
    base = np.array(COLOURS[names[rng.integers(len(names))]])
    varied = np.clip(base * rng.uniform(0.82, 1.1) + rng.normal(0, 9, 3), 8, 250)
    return varied.astype(np.float32).reshape(3, 1, 1)


def mix(base: np.ndarray, other: np.ndarray, weight: np.ndarray | float) -> np.ndarray:
    """Blends `other` over `base` with a weight or a field of weights in [0, 1]."""
    return base + (other - base) * weight


def step(field: np.ndarray, softness: float = 0.04) -> np.ndarray:
    """1 where `field` is positive, 0 where it is negative, linear in a band `softness` wide."""
    return np.clip(field * np.float32(1 / softness) + np.float32(0.5), 0, 1)


def wave(phase: np.ndarray) -> np.ndarray:
    """A triangle wave of period 1 in [0, 1]: 0 at the integers, 1 half-way between them."""
    return 1 - np.abs(2 * (phase - np.floor(phase)) - 1)


def noise(
    rng: np.random.Generator, shape: tuple[int, ...], cells: float, octaves: int
) -> np.ndarray:
    """Sums octaves of smooth random grids into a cloudy field, about [0, 1] with mean 0.5.

    Args:
        shape: Height and width.
        cells: Number of grid cells along the longer side; it doubles with every octave.
        octaves: Number of grids; the weight halves with every one.
    """
    import cv2

    height, width = shape
    total = np.full(shape, 0.5, np.float32)
    longer = max(height, width)
    for octave in range(octaves):
        size = cells * 2**octave
        rows = min(int(size * height / longer) + 2, height)
        columns = min(int(size * width / longer) + 2, width)
        grid = rng.random((rows, columns), np.float32) - np.float32(0.5)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return total


def light(
    height_field: np.ndarray, direction: np.ndarray, gloss: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lights a relief.

    Args:
        height_field: `(height, width)` float32, in pixels.
        direction: `(3,)` unit vector towards the lamp; x right, y down, z towards the viewer.
        gloss: Strength of the highlight, 0 for a matt surface.

    Returns:
        Two `(height, width)` float32 fields: the factor for the colours and the white to add.
    """
    import cv2

    slope_x = cv2.Sobel(height_field, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope_y = cv2.Sobel(height_field, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    facing = direction[2] - slope_x * direction[0] - slope_y * direction[1]
    facing /= np.sqrt(1 + slope_x**2 + slope_y**2)
    factor = 0.52 + 0.62 * np.clip(facing, 0, 1)
    return factor, (gloss * 160) * np.clip(facing, 0, 1) ** 24
