"""The eight classes of the drawn data set, and the colours, noise and light they are drawn with.

A colour is `(3, 1, 1)` and an area of colours `(3, height, width)`, float32 RGB in [0, 255]: planes
first, because NumPy is several times faster so. Fields are `(height, width)` float32. Every random
choice comes from the generator that is passed in.

A class is a function that draws in a frame of about [-1, 1], `p.x` right and `p.y` down, and varies
shape and texture. What makes the class is the two together.
"""

from __future__ import annotations

from typing import NamedTuple

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
# Every class shares its colours with others: the colour alone tells nothing.
PREFERRED = {
    "starfish": ("coral", "amber", "plum", "terracotta"),
    "ladybird": ("coral", "amber", "lemon", "rose"),
    "leaf": ("moss", "mint", "amber", "terracotta"),
    "fish": ("sky", "amber", "teal", "lemon"),
    "mushroom": ("coral", "terracotta", "plum", "indigo"),
    "wheel": ("slate", "indigo", "teal", "coral"),
    "shell": ("rose", "cream", "sand", "plum"),
    "kite": ("lemon", "indigo", "rose", "teal"),
}


class Frame(NamedTuple):
    """Coordinates of every pixel in an object's frame, `(height, width)` float32 each."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray


class Object(NamedTuple):
    """A drawn object.

    Attributes:
        inside: Where the object is, `(height, width)` bool.
        colours: `(3, height, width)` float32 RGB.
        relief: Its height towards the viewer in units of the frame, `(height, width)` float32.
        gloss: Strength of its highlight, 0 to 1.
    """

    inside: np.ndarray
    colours: np.ndarray
    relief: np.ndarray
    gloss: float


def dome(field: np.ndarray, width: float = 0.35) -> np.ndarray:
    """A relief that rises from 0 where `field` is 0 to a rounded top where it is `width`."""
    t = np.clip(field / width, 0, 1)
    return np.sqrt(t * (2 - t)) * (0.9 * width)


def typical(rng: np.random.Generator, name: str) -> np.ndarray:
    """A colour that the class often has, or, one time in four, any."""
    return colour(rng, PREFERRED[name] if rng.random() < 0.75 else ())


def integer(rng: np.random.Generator, low: int, high: int) -> int:
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


def starfish(p: Frame, rng: np.random.Generator) -> Object:
    """Five (rarely six) tapering arms with rows of bumps along each."""
    arms = 6 if rng.random() < 0.15 else 5
    turn = 2 * np.pi / arms
    angle = p.angle + rng.uniform(-0.35, 0.35) * p.radius
    off_axis = (angle / turn - np.floor(angle / turn) - 0.5) * turn
    along, across = p.radius * np.cos(off_axis), p.radius * np.sin(off_axis)
    width = rng.uniform(0.24, 0.32) * np.sqrt(np.clip(1.0 - along, 0, None)) + 0.015
    field = np.where(along < 1.0, width - np.abs(across), -1.0)
    base, bumps = typical(rng, "starfish"), mix(colour(rng), LIGHT, 0.6)
    pitch = rng.uniform(0.13, 0.17)
    row = np.minimum(np.abs(across), np.abs(np.abs(across) - 0.6 * width))
    beads = (along / pitch - np.floor(along / pitch) - 0.5) * pitch
    dots = step(0.3 * pitch - np.hypot(beads, row))
    colours = mix(mix(base * 0.72, base, step(field - 0.05, 0.12)), bumps, dots)
    return Object(field > 0, colours, dome(field, 0.25) + 0.02 * dots, 0.1)


def ladybird(p: Frame, rng: np.random.Generator) -> Object:
    """A round back with a seam and pairs of dark spots, and a dark head with pale cheeks."""
    slim = rng.uniform(0.74, 0.86)
    body = 1 - np.hypot(p.x / slim, (p.y - 0.14) / 0.84)
    head = 1 - np.hypot(p.x / (0.56 * slim), (p.y + 0.66) / 0.34)
    dark = mix(DARK, colour(rng), 0.1)
    spots = np.full_like(p.x, -1.0)
    for y in np.linspace(-0.28, 0.66, integer(rng, 2, 5)).tolist():
        x = rng.uniform(0.3, 0.44) * (1.1 - 0.5 * abs(y))
        radius = rng.uniform(0.13, 0.2)
        spots = np.maximum(spots, radius - np.hypot(np.abs(p.x) - x, p.y - y))
    neck = step(-0.42 - p.y)
    seam = step(0.03 - np.abs(p.x))
    base = typical(rng, "ladybird")
    colours = mix(mix(base, dark, np.maximum(step(spots), seam)), dark, neck)
    cheeks = step(0.1 - np.hypot(np.abs(p.x) - 0.27, p.y + 0.6))
    colours = mix(colours, LIGHT, cheeks)
    field = np.maximum(body, 0.8 * head)
    return Object(field > 0, colours, dome(field, 0.9), 0.8)


def fish(p: Frame, rng: np.random.Generator) -> Object:
    """A rounded body with a forked tail, fins, bars across the flank and an eye."""
    depth = rng.uniform(0.42, 0.56)
    t = np.clip((p.x + 1) / 1.55, 0, 1)
    body = depth * np.clip(np.sin(np.pi * t**0.66), 0, 1) ** 0.7 - np.abs(p.y)
    spread = np.clip((p.x - 0.3) / 0.65, 0, 1)
    fork = 0.98 - 0.2 * np.clip(1 - np.abs(p.y) / 0.4, 0, 1) - p.x
    tail = np.minimum(0.06 + 0.36 * spread - np.abs(p.y), fork)
    tail = np.where(p.x > 0.3, tail, -1.0)
    crest = depth + 0.2 - 1.6 * (p.x + 0.1) ** 2 + p.y
    fin = np.where((np.abs(p.x) < 0.5) & (p.y < 0), crest, -1.0)
    field = np.maximum(np.maximum(body, tail), fin)
    base, bars = typical(rng, "fish"), colour(rng)
    bars = mix(bars, LIGHT if base.mean() < bars.mean() else DARK, 0.5)
    fins = mix(typical(rng, "fish"), bars, 0.3)
    count = rng.uniform(2.2, 3.6)
    stripe = step(wave(count * (p.x + 0.18 * np.abs(p.y)) + rng.random()) - 0.52, 0.2)
    colours = mix(mix(base, LIGHT, 0.55 * np.clip(p.y * 2.2, 0, 1)), bars, stripe * (p.x > -0.55))
    rays = fins * (0.75 + 0.25 * wave(14 * p.y + 3 * p.x))
    colours = mix(colours, rays, step(-body))
    eye = np.hypot(p.x + 0.68, p.y + 0.1)
    colours = mix(mix(colours, LIGHT, step(0.12 - eye)), DARK, step(0.065 - eye))
    return Object(field > 0, colours, dome(field, 0.45), 0.4)


def shell(p: Frame, rng: np.random.Generator) -> Object:
    """A scallop: ribs that fan out from the hinge, a wavy rim, growth bands and two ears."""
    y = 0.78 - p.y
    fan, reach = np.arctan2(p.x, y), np.hypot(p.x, y)
    spread, ribs = rng.uniform(0.8, 0.95), integer(rng, 4, 7)
    phase = fan / spread * ribs + 0.5
    rim = 1.7 * np.cos(0.75 * fan) * (0.95 + 0.05 * wave(phase))
    field = np.minimum(rim - reach, (spread - np.abs(fan)) * reach)
    ears = np.minimum(0.16 - np.abs(y - 0.1), 0.42 - np.abs(p.x) - 0.3 * y)
    outline = np.maximum(field, ears)
    base, band = typical(rng, "shell"), colour(rng)
    bands = wave(reach * rng.uniform(2.0, 3.2) + rng.random() - 0.06 * wave(phase))
    colours = mix(base, band, 0.6 * step(bands - 0.5, 0.4))
    colours = colours * (0.6 + 0.45 * wave(phase))
    colours = np.where((field > 0), colours, base * 0.8)
    relief = dome(outline, 0.7) + 0.05 * wave(phase) * np.clip(reach, 0, 1)
    return Object(outline > 0, colours, relief, 0.25)


def leaf(p: Frame, rng: np.random.Generator) -> Object:
    """A pointed blade with a curved midrib, paired side veins, a toothed edge and a stalk."""
    bend = rng.uniform(-0.25, 0.25)
    across = p.x - bend * (1 - p.y**2)
    t = np.clip((p.y + 1) / 1.75, 0, 1)
    teeth = integer(rng, 7, 13)
    profile = np.sin(np.pi * t ** rng.uniform(0.7, 1.1)) * rng.uniform(0.46, 0.64)
    width = profile * (1 - rng.uniform(0.03, 0.16) * wave(teeth * t))
    stalk = np.where((p.y > 0.6) & (p.y < 1), 0.05 - np.abs(across), -1.0)
    blade = np.where(t * (1 - t) > 0, width - np.abs(across), -1.0)
    field = np.maximum(blade, stalk)
    base, tip = typical(rng, "leaf"), typical(rng, "leaf")
    base = mix(base, tip, 0.6 * np.clip(-p.y, 0, 1))
    phase = t * integer(rng, 6, 9) + np.abs(across) * rng.uniform(1.6, 2.6)
    veins = np.maximum(step(wave(phase) - 0.8, 0.25), step(0.035 - np.abs(across)))
    colours = mix(base, base * 0.55 if rng.random() < 0.5 else mix(base, LIGHT, 0.6), veins)
    colours = colours * (0.86 + 0.14 * step(across))
    relief = 0.12 * dome(field, 0.5) + 0.03 * wave(phase) - 0.25 * np.abs(across)
    return Object(field > 0, colours, relief.astype(np.float32), 0.15)


def mushroom(p: Frame, rng: np.random.Generator) -> Object:
    """A domed cap with pale flecks and a gilled rim on a pale, slightly bent stem."""
    brim = rng.uniform(-0.1, 0.15)
    sag = 0.12 * (1 - p.x**2)
    cap = 1 - np.hypot(p.x / 0.95, (p.y - brim) / (brim + 1))
    cap = np.where(
        p.y < brim + sag, np.maximum(cap, 0.14 - np.abs(p.y - brim) - 0.14 * p.x**2), -1.0
    )
    middle = p.x - rng.uniform(-0.2, 0.2) * (p.y - brim)
    stem = rng.uniform(0.17, 0.3) * (1 + 0.35 * (p.y - 0.3) ** 2) - np.abs(middle)
    stem = np.where((p.y > brim - 0.1) & (p.y < 1 - 0.5 * middle**2), stem, -1.0)
    base, pale = typical(rng, "mushroom"), mix(colour(rng, ("cream", "sand")), LIGHT, 0.4)
    flecks = np.full_like(p.x, -1.0)
    for _ in range(integer(rng, 7, 12)):
        x, y = rng.uniform(-0.75, 0.75), rng.uniform(-0.85, brim - 0.12)
        flecks = np.maximum(flecks, rng.uniform(0.06, 0.14) - np.hypot(p.x - x, (p.y - y) * 1.3))
    gills = step(p.y - brim - 0.3 * sag, 0.05)
    colours = mix(base, pale, step(flecks))
    colours = mix(colours, pale * (0.55 + 0.4 * wave(9 * p.x)), gills)
    shaft = pale * (0.7 + 0.3 * step(p.y - brim - 0.45, 0.5) - 0.12 * wave(7 * middle))
    colours = np.where((cap > 0), colours, shaft)
    relief = np.where(cap > 0, dome(cap, 0.8), dome(stem, 0.25) * 0.8)
    return Object((cap > 0) | (stem > 0), colours, relief, 0.35)


def wheel(p: Frame, rng: np.random.Generator) -> Object:
    """A tyre, a rim and spokes around a hub."""
    count = integer(rng, 5, 11)
    tyre, hub = rng.uniform(0.7, 0.8), rng.uniform(0.14, 0.24)
    base, panel = typical(rng, "wheel"), mix(colour(rng), DARK, 0.55)
    off_axis = np.abs(wave(p.angle * count / (2 * np.pi) + 0.5))
    spokes = step(rng.uniform(0.07, 0.11) - (1 - off_axis) * np.pi / count * p.radius, 0.05)
    colours = mix(panel, base, spokes)
    colours = mix(colours, mix(base, LIGHT, 0.35), step(0.09 - np.abs(p.radius - tyre + 0.06)))
    rubber = mix(DARK, colour(rng), 0.15) * (0.75 + 0.5 * wave(p.angle * 36 / (2 * np.pi)))
    colours = mix(colours, rubber, step(p.radius - tyre))
    colours = mix(colours, mix(base, LIGHT, 0.2), step(hub - p.radius))
    colours = mix(colours, DARK, step(0.4 * hub - p.radius))
    relief = dome(np.minimum(1 - p.radius, p.radius - tyre + 0.12), 0.14) + 0.05 * spokes
    return Object(p.radius < 1, colours, relief + dome(hub - p.radius, 0.1), 0.4)


def kite(p: Frame, rng: np.random.Generator) -> Object:
    """Four panels in two colours over a cross of spars, and a tail with bows."""
    cross, half, foot = rng.uniform(-0.42, -0.2), rng.uniform(0.54, 0.74), 0.66
    drop = np.where(p.y < cross, (cross - p.y) / (cross + 1), (p.y - cross) / (foot - cross))
    field = (1 - drop - np.abs(p.x) / half) * 0.5
    first, second = typical(rng, "kite"), colour(rng)
    second = mix(second, LIGHT if first.mean() < second.mean() else DARK, 0.3)
    panels = ((p.x > 0) ^ (p.y > cross)).astype(np.float32)
    stripes = step(wave((np.abs(p.x) / half + drop) * integer(rng, 2, 4)) - 0.62, 0.1)
    colours = mix(mix(first, second, panels), mix(second, first, panels), 0.8 * stripes)
    spars = np.minimum(np.abs(p.x), np.abs(p.y - cross))
    colours = mix(colours, DARK, step(0.022 - spars, 0.02))
    sway = (
        rng.uniform(0.04, 0.1)
        * np.sin((p.y - foot) * rng.uniform(7, 11))
        * (1 if rng.random() < 0.5 else -1)
    )
    away = np.abs(p.x - sway)
    pinch = np.abs((p.y - foot) / 0.19 - np.round((p.y - foot) / 0.19)) * 0.19
    bow = np.where(away < 0.15, 0.02 + 0.45 * away - pinch, -1.0)
    tail = np.where((p.y > foot - 0.03) & (p.y < 1), np.maximum(0.022 - away, bow), -1.0)
    colours = np.where((field > 0), colours, mix(second, DARK, step(0.03 - away)))
    return Object((field > 0) | (tail > 0), colours, -0.25 * spars, 0.1)


# In the order of their labels, from 1.
CLASSES = {
    function.__name__: function
    for function in (starfish, ladybird, leaf, fish, mushroom, wheel, shell, kite)
}
