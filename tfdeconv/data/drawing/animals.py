"""The animals of the drawn data set: starfish, ladybird, fish and shell.

Each function draws in a frame of about [-1, 1], `p.x` right and `p.y` down, and varies its shape
and texture with the generator. What makes the class is the two together.
"""

from __future__ import annotations

import numpy as np

from tfdeconv.data.drawing.shapes import Frame, Object, dome, typical
from tfdeconv.data.drawing.textures import DARK, LIGHT, colour, mix, step, wave, whole


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
    for y in np.linspace(-0.28, 0.66, whole(rng, 2, 5)).tolist():
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
    spread, ribs = rng.uniform(0.8, 0.95), whole(rng, 4, 7)
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
