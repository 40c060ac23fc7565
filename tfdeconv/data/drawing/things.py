"""The plants and things of the drawn data set: leaf, mushroom, wheel and kite.

Each function draws in a frame of about [-1, 1], `p.x` right and `p.y` down, and varies its shape
and texture with the generator. What makes the class is the two together.
"""

from __future__ import annotations

import numpy as np

from tfdeconv.data.drawing.shapes import Frame, Object, dome, typical
from tfdeconv.data.drawing.textures import DARK, LIGHT, colour, mix, step, wave, whole


def leaf(p: Frame, rng: np.random.Generator) -> Object:
    """A pointed blade with a curved midrib, paired side veins, a toothed edge and a stalk."""
    bend = rng.uniform(-0.25, 0.25)
    across = p.x - bend * (1 - p.y**2)
    t = np.clip((p.y + 1) / 1.75, 0, 1)
    teeth = whole(rng, 7, 13)
    profile = np.sin(np.pi * t ** rng.uniform(0.7, 1.1)) * rng.uniform(0.46, 0.64)
    width = profile * (1 - rng.uniform(0.03, 0.16) * wave(teeth * t))
    stalk = np.where((p.y > 0.6) & (p.y < 1), 0.05 - np.abs(across), -1.0)
    blade = np.where(t * (1 - t) > 0, width - np.abs(across), -1.0)
    field = np.maximum(blade, stalk)
    base, tip = typical(rng, "leaf"), typical(rng, "leaf")
    base = mix(base, tip, 0.6 * np.clip(-p.y, 0, 1))
    phase = t * whole(rng, 6, 9) + np.abs(across) * rng.uniform(1.6, 2.6)
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
    for _ in range(whole(rng, 7, 12)):
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
    count = whole(rng, 5, 11)
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
    stripes = step(wave((np.abs(p.x) / half + drop) * whole(rng, 2, 4)) - 0.62, 0.1)
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
