"""What the object classes share: the frame they are drawn in, what a drawn object is, colours.

Frames and objects are square areas of `(height, width)`; colours are planes, see `textures.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfdeconv.data.drawing.textures import colour

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
