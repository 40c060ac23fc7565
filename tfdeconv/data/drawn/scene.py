"""One picture of the drawn data set: background, objects from back to front, labels, the camera.

Everything is drawn at twice the final size, the canvas; a pixel's label is the object that covers
most of it. The background has the objects' textures without their shapes, and plain shapes without
any texture, so that neither alone identifies an object.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tfdeconv.data.drawn.objects import (
    CLASSES,
    DARK,
    LIGHT,
    Frame,
    colour,
    integer,
    light,
    mix,
    noise,
    step,
    wave,
)
from tfdeconv.labels import IGNORE_LABEL

# Degrees either way; the others turn freely.
TURN = {"fish": 35, "mushroom": 25, "kite": 60}

LEAST_VISIBLE = 0.45  # An object of which less can be seen is dropped.
LEAST_CORE = 100  # Pixels of the double-size canvas that must remain inside the void line.
SIZES = (0.1, 0.9)  # Length of an object over the picture's shorter side.
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


class Scene(NamedTuple):
    """A picture with its truth.

    Attributes:
        image: `(height, width, 3)` uint8 RGB.
        labels: `(height, width)` uint8 class indices, 255 along outlines.
        instances: `(height, width)` uint8: 0 background, then 1, 2, ...; 255 where `labels` has it.
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray


def draw_scene(rng: np.random.Generator, objects: int | None = None) -> Scene:
    """Draws a picture of about 160 x 200 pixels, one in three upright, with two to six objects.

    Args:
        rng: The only source of randomness: the same generator state gives the same picture.
        objects: How many objects in place of two to six; fewer where not all can be seen.

    Returns:
        The `Scene`. Its instances are numbered without gaps from back to front. The void line
        around every object, and between two that touch, is two pixels wide.
    """
    import cv2

    height, width = integer(rng, 150, 171), integer(rng, 190, 211)
    if rng.random() < 1 / 3:
        height, width = width, height
    turn, tilt = rng.uniform(-np.pi, 0), rng.uniform(0.5, 1.0)
    lamp = np.array(
        (np.cos(turn) * np.cos(tilt), np.sin(turn) * np.cos(tilt), np.sin(tilt)), np.float32
    )
    canvas = np.stack(cv2.split(draw_background(rng, height, width)))
    placed = arrange(rng, 2 * height, 2 * width, lamp, objects)
    owner = np.zeros((2 * height, 2 * width), np.uint8)
    for number, thing in enumerate(placed, start=1):
        _paint(canvas, owner, thing, number, lamp)
    image = cv2.resize(cv2.merge(list(canvas)), (width, height), interpolation=cv2.INTER_AREA)
    instances = _shrink_labels(owner, len(placed))
    table = np.zeros(256, np.uint8)
    table[1 : len(placed) + 1] = [thing.label for thing in placed]
    table[IGNORE_LABEL] = IGNORE_LABEL
    return Scene(_photograph(rng, image), table[instances], instances)


def _paint(
    canvas: np.ndarray, owner: np.ndarray, thing: Placed, number: int, lamp: np.ndarray
) -> None:
    """Lays an object's soft shadow and the object on the canvas; enters it in the owner map."""
    import cv2

    side = thing.inside.shape[0]
    throw = -0.05 * side * lamp[:2] / np.hypot(*lamp[:2])
    part, inner = overlap(owner, thing, int(throw[1]), int(throw[0]))
    blur = 2 * (side // 24) + 1
    shadow = cv2.blur(thing.inside.astype(np.float32), (blur, blur), borderType=cv2.BORDER_CONSTANT)
    canvas[:, *part] *= 1 - 0.45 * shadow[inner]
    part, inner = overlap(owner, thing)
    inside = thing.inside[inner]
    np.copyto(canvas[:, *part], thing.colours[:, *inner], where=inside)
    np.copyto(owner[part], number, where=inside)


def _shrink_labels(owner: np.ndarray, count: int) -> np.ndarray:
    """Halves the owner map by majority; void is where 3 x 3 pixels have more than one owner."""
    import cv2

    height, width = owner.shape[0] // 2, owner.shape[1] // 2
    share = [
        cv2.resize((owner == number) * np.uint8(240), (width, height), interpolation=cv2.INTER_AREA)
        for number in range(count + 1)
    ]
    instances = np.argmax(share, axis=0).astype(np.uint8)
    square = np.ones((3, 3), np.uint8)
    edge = cv2.dilate(instances, square) != cv2.erode(instances, square)
    instances[edge] = IGNORE_LABEL
    return instances


def _photograph(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Uneven light, a slight blur and sensor noise; returns uint8."""
    import cv2

    height, width = image.shape[:2]
    image = image * (rng.uniform(0.65, 0.9) + 0.4 * noise(rng, (height, width), 1.5, 1))[..., None]
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.25, 0.7))
    grain = rng.random(image.shape, np.float32) - rng.random(image.shape, np.float32)
    image += grain * rng.uniform(3, 12)
    return np.clip(image, 0, 255).astype(np.uint8)


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

    wanted = integer(rng, 2, 7) if objects is None else objects
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
    label = integer(rng, 1, len(CLASSES) + 1)
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
