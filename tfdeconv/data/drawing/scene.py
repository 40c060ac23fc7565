"""One picture of the drawn data set: background, objects from back to front, labels, the camera.

Everything is drawn at twice the final size and shrunk; a pixel's label is the object that covers
most of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfdeconv.data.drawing.backgrounds import draw_background
from tfdeconv.data.drawing.layout import Placed, arrange, overlap
from tfdeconv.data.drawing.textures import noise, whole
from tfdeconv.labels import IGNORE_LABEL


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

    height, width = whole(rng, 150, 171), whole(rng, 190, 211)
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
