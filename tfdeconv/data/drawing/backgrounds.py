"""Cluttered backgrounds: clouds of colour, grain, strokes, pebbles and patches of texture.

The clutter has the objects' textures without their shapes, and plain shapes without any texture, so
that neither alone tells an object. All of it is label 0.
"""

from __future__ import annotations

import math

import numpy as np

from tfdeconv.data.drawing.textures import DARK, LIGHT, colour, mix, noise, step, wave

# Colours that lie side by side in one kind of place.
PLACES = (
    ("sand", "cream", "terracotta"),
    ("moss", "teal", "sand"),
    ("sky", "teal", "mint"),
    ("slate", "cream", "sand"),
    ("terracotta", "slate", "sand"),
    ("plum", "indigo", "rose"),
    ("mint", "cream", "moss"),
    ("slate", "indigo", "sky"),
)


def draw_background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draws one background at twice the size.

    Returns:
        `(2 * height, 2 * width, 3)` float32 RGB in [0, 255].
    """
    import cv2

    place = PLACES[rng.integers(len(PLACES))]
    ground = _ground(rng, height, width, place)
    for _ in range(rng.integers(0, 4)):
        _patch(rng, ground)
    # What is soft needs no antialiasing: it is drawn at the final size and doubled only here.
    canvas = cv2.resize(cv2.merge(list(ground)), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    _strokes(rng, canvas, place)
    for _ in range(rng.integers(0, 10)):
        _pebble(rng, canvas, place)
    return canvas


def _ground(
    rng: np.random.Generator, height: int, width: int, place: tuple[str, ...]
) -> np.ndarray:
    """A gradient of muted colours, disturbed by clouds, sometimes with boards, and grain."""
    first, second, third = (_muted(rng, place) for _ in range(3))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width)
    turn = rng.uniform(0, 2 * np.pi)
    slope = x * math.cos(turn) + y * math.sin(turn)
    clouds = noise(rng, (height, width), rng.uniform(2, 6), octaves=5)
    canvas = mix(first, second, np.clip(0.5 * (slope - slope.mean()) + clouds, 0, 1))
    streaks = noise(rng, (height, width), rng.uniform(3, 12), octaves=2)
    canvas = mix(canvas, third, 0.7 * step(streaks - rng.uniform(0.5, 0.8), 0.3))
    if rng.random() < 0.4:
        across = slope * rng.uniform(3, 9) + 0.15 * clouds
        canvas *= 1 - rng.uniform(0.12, 0.3) * step(wave(across) - 0.8, 0.2)
    canvas += (rng.random((height, width), np.float32) - 0.5) * rng.uniform(5, 30)
    return canvas


def _muted(rng: np.random.Generator, place: tuple[str, ...]) -> np.ndarray:
    """A colour of the place, paler or darker and somewhat grayer than an object's."""
    chosen = colour(rng, place)
    gray = mix(chosen, chosen.mean(), rng.uniform(0.1, 0.5))
    return mix(gray, LIGHT if rng.random() < 0.5 else DARK, rng.uniform(0, 0.45))


def _strokes(rng: np.random.Generator, canvas: np.ndarray, place: tuple[str, ...]) -> None:
    """Blades, twigs or cracks: curved lines of about one direction in two or three tones."""
    import cv2

    height, width = canvas.shape[:2]
    tones = [_muted(rng, place) for _ in range(3)]
    main, reach = rng.uniform(0, np.pi), rng.uniform(0.08, 0.5) * width
    for _ in range(rng.integers(0, 45)):
        start = rng.uniform((0, 0), (width, height))
        turn = main + rng.normal(0, 0.35)
        along = np.linspace(0, reach * rng.uniform(0.4, 1), 8)
        side = rng.normal(0, 0.25) * along**2 / reach
        points = start + np.stack(
            [
                along * np.cos(turn) - side * np.sin(turn),
                along * np.sin(turn) + side * np.cos(turn),
            ],
            1,
        )
        tone = tones[rng.integers(3)] * rng.uniform(0.8, 1.2)
        points = np.round(points).astype(np.int32)
        cv2.polylines(canvas, [points], False, tone.ravel().tolist(), int(rng.integers(1, 6)))


def _pebble(rng: np.random.Generator, canvas: np.ndarray, place: tuple[str, ...]) -> None:
    """A plain round, triangular or four-sided thing with a lit side, without any texture."""
    import cv2

    height, width = canvas.shape[:2]
    centre = rng.uniform((0, 0), (width, height))
    tone = colour(rng) if rng.random() < 0.4 else _muted(rng, place)
    size = width * rng.uniform(0.015, 0.09)
    corners = int(rng.choice((3, 4, 24, 24)))
    turn = rng.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
    outline = np.stack([np.cos(turn), np.sin(turn) * rng.uniform(0.5, 1)], 1)
    for scale, factor, shift in ((1.08, 0.55, 0.1), (1.0, 0.85, 0.0), (0.8, 1.05, -0.1)):
        points = np.round(centre + size * (scale * outline + shift)).astype(np.int32)
        cv2.fillPoly(canvas, [points], (tone * factor).ravel().tolist())


def _patch(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """A ragged area of spots, bars, checks or rays: an object's texture in no object's shape."""
    height, width = canvas.shape[1:]
    size = int(width * rng.uniform(0.12, 0.4))
    top, left = (
        rng.integers(-size // 2, height - size // 2),
        rng.integers(-size // 2, width - size // 2),
    )
    rows, columns = slice(max(top, 0), top + size), slice(max(left, 0), left + size)
    region = canvas[:, rows, columns]
    y, x = np.mgrid[0 : region.shape[1], 0 : region.shape[2]].astype(np.float32) / size
    turn, pitch = rng.uniform(0, np.pi), rng.uniform(4, 9)
    a = pitch * (x * math.cos(turn) + y * math.sin(turn))
    b = pitch * (y * math.cos(turn) - x * math.sin(turn))
    kind = rng.integers(4)
    if kind == 0:
        pattern = step(
            rng.uniform(0.25, 0.36) - np.hypot(a - np.floor(a) - 0.5, b - np.floor(b) - 0.5), 0.1
        )
    elif kind == 1:
        pattern = step(wave(a) - 0.5, 0.2)
    elif kind == 2:
        pattern = ((np.floor(a) + np.floor(b)) % 2).astype(np.float32)
    else:
        pattern = step(wave(pitch * np.arctan2(y - 0.5, x - 0.5)) - 0.5, 0.3)
    ragged = noise(rng, region.shape[1:], cells=3, octaves=3) - 1.1 * np.hypot(x - 0.5, y - 0.5)
    first, second = colour(rng), colour(rng)
    filled = mix(mix(first, second, 0.4), second, pattern) * rng.uniform(0.75, 1.05)
    canvas[:, rows, columns] = mix(region, filled, step(ragged - 0.05, 0.05) * rng.uniform(0.6, 1))
