"""Painting annotations: polygons and run lengths become masks, masks become the maps of an image.

Coordinates are in pixels, x to the right and y down, and pixel i spans i to i + 1. A pixel belongs
to a polygon when its centre lies inside by the even-odd rule, so that neighbours neither overlap
nor leave gaps. Nothing is allocated beyond the part of the image that a shape covers.
"""

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from tfdeconv.data.maps import instance_numbers
from tfdeconv.labels import IGNORE_LABEL, VOID_OBJECT

MAX_OBJECTS = VOID_OBJECT - 1
_MAX_COORDINATE = 1e9
# Crossings of edges and rows that are worked on at a time.
_CROSSINGS = 1 << 20


class Patch(NamedTuple):
    """A mask within an image.

    Attributes:
        top: the first row of the mask in the image.
        left: its first column.
        mask: `(height, width)` bool, wholly inside the image.
    """

    top: int
    left: int
    mask: np.ndarray


@dataclass(frozen=True)
class Shape:
    """Something that is painted over what has been painted before.

    Attributes:
        label: its class, 0 for background and 255 for void.
        patch: the pixels that it covers.
        key: shapes of one class with the same key are one instance; None makes an instance of its
            own.
        kind: an "object" gets an instance number; "stuff" gets none; a "crowd" is void in the
            instance map.
    """

    label: int
    patch: Patch
    key: Hashable = None
    kind: Literal["object", "stuff", "crowd"] = "object"


@dataclass
class Maps:
    """The maps of one image.

    Attributes:
        labels: `(height, width)` uint8 labels.
        objects: `(height, width)` uint16 instance map, None where the data has no instances.
        instances: how many instances the map holds.
        dropped: what is not in the maps, and how often.
    """

    labels: np.ndarray
    objects: np.ndarray | None = None
    instances: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


def paint(shapes: Iterable[Shape | str], height: int, width: int) -> Maps:
    """Paints shapes in their order, later ones over earlier ones.

    Args:
        shapes: The shapes; a string in their place is the reason why one was left out.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        The `Maps`, instances numbered from 1 in their order. Those beyond `MAX_OBJECTS` are void
        in the instance map.

    Example:

    >>> maps = paint([Shape(3, fill([[(1, 0), (3, 0), (3, 2), (1, 2)]], 2, 4))], 2, 4)
    >>> maps.labels.tolist()
    [[0, 3, 3, 0], [0, 3, 3, 0]]
    """
    labels = np.zeros((height, width), np.uint8)
    objects = np.zeros((height, width), np.uint16)
    numbers: dict[Hashable, int] = {}
    dropped: Counter[str] = Counter()
    for shape in shapes:
        if isinstance(shape, str):
            dropped[shape] += 1
            continue
        top, left, mask = shape.patch
        if not mask.any():
            dropped["without a pixel"] += 1
            continue
        number = 0
        if shape.kind == "crowd":
            number = VOID_OBJECT
        elif shape.kind == "object" and 0 < shape.label < IGNORE_LABEL:
            key = object() if shape.key is None else (shape.label, shape.key)
            number = numbers.setdefault(key, len(numbers) + 1)
            number = VOID_OBJECT if number > MAX_OBJECTS else number
        rows, columns = mask.shape
        labels[top : top + rows, left : left + columns][mask] = shape.label
        objects[top : top + rows, left : left + columns][mask] = number
    dropped[f"instances beyond {MAX_OBJECTS}"] += max(len(numbers) - MAX_OBJECTS, 0)
    objects, instances = number_objects(objects, dropped, min(len(numbers), MAX_OBJECTS))
    return Maps(labels, objects, instances, dropped)


def number_objects(
    objects: np.ndarray, dropped: Counter[str], painted: int = 0
) -> tuple[np.ndarray, int]:
    """Numbers instances from 1 without gaps, in the order of their numbers so far.

    Args:
        objects: `(height, width)` uint16; 0 for no instance and 65535 for void.
        dropped: Counts the instances that have no pixel.
        painted: How many there were before some were hidden.

    Returns:
        The `(height, width)` uint16 instance map, and the number of instances.
    """
    kept = instance_numbers(objects)
    dropped["hidden by others"] += max(painted - len(kept), 0)
    numbers = np.zeros(VOID_OBJECT + 1, np.uint16)
    numbers[VOID_OBJECT] = VOID_OBJECT
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers[objects], len(kept)


def as_points(values: object) -> np.ndarray:
    """Turns a list of coordinates into points.

    Args:
        values: Pairs `[[x, y], ...]`, or `[x, y, x, y, ...]`.

    Returns:
        `(n, 2)` float64.

    Raises:
        ValueError: when it is no such list, or a number is not finite or beyond a thousand million.
    """
    try:
        points = np.asarray(values, np.float64)
        if points.ndim == 1:
            points = points.reshape(-1, 2)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("coordinates that are no pairs of numbers") from error
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError("coordinates that are no pairs of numbers")
    # Not a number is not smaller than anything.
    if not (np.abs(points) <= _MAX_COORDINATE).all():
        raise ValueError("coordinates that are not finite, or beyond a thousand million")
    return points


def fill(
    rings: Sequence[np.ndarray] | Sequence[Sequence[tuple[float, float]]],
    height: int,
    width: int,
    holes: Sequence[np.ndarray] = (),
) -> Patch:
    """Fills the union of polygons.

    Args:
        rings: `(n, 2)` points of each polygon, which may leave the image.
        height: Rows of the image.
        width: Columns of the image.
        holes: Polygons that are taken out of it.

    Returns:
        The `Patch`, empty when no centre of a pixel is inside.
    """
    arrays = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings if len(ring) > 2]
    if not arrays:
        return _EMPTY
    top, left, bottom, right = _box(np.concatenate(arrays), height, width)
    mask = np.zeros((bottom - top, right - left), bool)
    for ring in arrays:
        _add(mask, ring - (left, top), True)
    for hole in holes:
        if len(hole) > 2:
            _add(mask, np.asarray(hole, np.float64) - (left, top), False)
    return Patch(top, left, mask)


def ellipse(
    centre: Sequence[float] | np.ndarray, radii: Sequence[float] | np.ndarray, turned: float = 0
) -> np.ndarray:
    """Returns the outline of an ellipse as a polygon of 180 corners.

    Args:
        centre: Its x and y.
        radii: Half of its width and height.
        turned: Degrees by which it is turned clockwise about its centre.
    """
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.asarray(radii)
    return turn(outline, turned) + np.asarray(centre)


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    """Turns `(n, 2)` points clockwise about the origin."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])


def stroke(points: np.ndarray, thickness: float) -> list[np.ndarray]:
    """Returns a line as polygons: a rectangle for each of its `(n, 2)` points' segments."""
    rectangles = []
    for start, end in itertools.pairwise(points):
        along = end - start
        length = np.hypot(*along)
        if length > 0:
            aside = np.array([-along[1], along[0]]) * (thickness / 2 / length)
            rectangles.append(np.stack([start + aside, end + aside, end - aside, start - aside]))
    return rectangles


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Returns the four corners of an upright rectangle; opposite sides may be swapped."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def area(rings: Sequence[np.ndarray]) -> float:
    """Returns the sum of the areas of polygons, by the shoelace formula."""
    total = 0.0
    for ring in rings:
        x, y = ring.T
        if len(ring) > 2:
            closed = x[-1] * y[0] - y[-1] * x[0]
            total += abs(np.dot(x[:-1], y[1:]) - np.dot(y[:-1], x[1:]) + closed) / 2
    return total


def clip(mask: np.ndarray, top: int, left: int, height: int, width: int) -> Patch:
    """Returns the part of a mask at `top`, `left` that lies inside the image."""
    rows = slice(max(-top, 0), max(min(height - top, mask.shape[0]), 0))
    columns = slice(max(-left, 0), max(min(width - left, mask.shape[1]), 0))
    return Patch(max(top, 0), max(left, 0), mask[rows, columns])


def as_runs(counts: object, pixels: int) -> np.ndarray:
    """Reads run lengths that alternate between 0 and 1 and begin with 0.

    Args:
        counts: A list of numbers, or COCO's compressed string.
        pixels: How many pixels they must fill exactly.

    Returns:
        `(n,)` int64.

    Raises:
        ValueError: when they are no run lengths, or do not fill the mask.
    """
    if isinstance(counts, str):
        runs = _decompress(counts)
    else:
        if not isinstance(counts, list) or not all(type(count) is int for count in counts):
            raise ValueError("run lengths that are not a list of integers")
        if not all(0 <= count <= pixels for count in counts):
            raise ValueError(f"run lengths outside 0 to {pixels}")
        runs = np.array(counts, np.int64)
    if (runs < 0).any() or (runs > pixels).any() or runs.sum() != pixels:
        raise ValueError(f"run lengths that do not fill the mask of {pixels} pixels exactly")
    return runs


def expand(runs: np.ndarray) -> np.ndarray:
    """Turns run lengths into their `(pixels,)` bool mask."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def _decompress(text: str) -> np.ndarray:
    # 6 bits a character from "0" on: 5 bits of a number, lowest first, and one for "goes on". The
    # last of a number's bits is its sign; from the fourth number on, a run is a difference to the
    # one before the last.
    if not text.isascii():
        raise ValueError("compressed run lengths with signs that do not belong there")
    signs = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 48
    if ((signs < 0) | (signs > 63)).any():
        raise ValueError("compressed run lengths with signs that do not belong there")
    last = np.flatnonzero(signs < 32)
    if not len(signs) or not len(last) or last[-1] != len(signs) - 1:
        raise ValueError("compressed run lengths that are cut short")
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > 7:
        raise ValueError("compressed run lengths with a number of more than 35 bits")
    places = np.arange(len(signs)) - np.repeat(first, lengths)
    numbers = np.add.reduceat((signs & 31) << (5 * places), first)
    numbers -= ((signs[last] & 16) > 0) * (np.int64(1) << (5 * lengths))
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def _box(points: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    # The first and last pixels whose centres may be inside.
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    left, top = min(max(math.ceil(left - 0.5), 0), width), min(max(math.ceil(top - 0.5), 0), height)
    right = min(max(math.floor(right - 0.5) + 1, left), width)
    bottom = min(max(math.floor(bottom - 0.5) + 1, top), height)
    return top, left, bottom, right


def _add(mask: np.ndarray, ring: np.ndarray, value: bool) -> None:
    """Sets the pixels inside one polygon, in coordinates of the mask."""
    top, left, bottom, right = _box(ring, *mask.shape)
    if bottom == top or right == left:
        return
    ring = ring - (left, top)
    inside = _inside(ring, bottom - top, right - left)
    mask[top:bottom, left:right][inside] = value


def _inside(ring: np.ndarray, height: int, width: int) -> np.ndarray:
    # Each edge flips the pixels to the right of where it crosses the middle of a row; running sums
    # along the rows then tell inside (odd) from outside (even).
    start, end = ring, np.concatenate([ring[1:], ring[:1]])
    swapped = start[:, 1] > end[:, 1]
    upper, lower = np.where(swapped[:, None], end, start), np.where(swapped[:, None], start, end)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(np.int64)
    count = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(np.int64) - first
    crossing = np.flatnonzero(count > 0)
    flips = np.zeros((height, width + 1), np.uint8)
    step = max(_CROSSINGS // height, 1)
    for chunk in (crossing[i : i + step] for i in range(0, len(crossing), step)):
        edge = np.repeat(chunk, count[chunk])
        behind = np.repeat(np.cumsum(count[chunk]) - count[chunk], count[chunk])
        row = first[edge] + np.arange(len(edge)) - behind
        (x0, y0), (x1, y1) = upper[edge].T, lower[edge].T
        x = x0 + (row + 0.5 - y0) / (y1 - y0) * (x1 - x0)
        column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
        places = row * (width + 1) + column
        np.add.at(flips.reshape(-1), places, 1)
    return (np.cumsum(flips, axis=1, dtype=np.uint8)[:, :width] & 1).astype(bool)


_EMPTY = Patch(0, 0, np.zeros((0, 0), bool))
