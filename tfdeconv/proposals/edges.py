"""Edge maps for Edge Boxes: the strength and orientation of the edge at every pixel.

Strength is `(height, width)` float32 in [0, 1], thinned to lines about one pixel wide (Edge Boxes
takes minutes on blurred edges). Orientation is `(height, width)` float32 in [0, pi]: the angle of
the edge's *normal* from the x axis (right) towards the y axis (down), as OpenCV's
`computeOrientation` has it; a vertical edge has 0, a horizontal one pi / 2.
"""

import functools
import gzip
import os
import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfdeconv.errors import UserError

_SMOOTHING_RADIUS = 5
# The slope, in Lab units a pixel, of a just noticeable step (2.3 units) after smoothing.
_FAINTEST_SLOPE = 0.4


class Edges(NamedTuple):
    """The edges of one image.

    Attributes:
        strength: `(height, width)` float32 in [0, 1], thinned; 0 off the edges.
        orientation: `(height, width)` float32 in [0, pi], angle of the normal; see the module.
    """

    strength: np.ndarray
    orientation: np.ndarray


def gradient_edges(image: np.ndarray) -> Edges:
    """Finds edges as maxima of the colour gradient; needs no learned model.

    The gradient is taken in CIE Lab after smoothing with a triangle filter of radius 5, from the
    channel where it is steepest. The steepest slope of the image has strength 1, unless the whole
    image is fainter than the eye sees (a step of 2.3 Lab units): blank images have no edges.

    Args:
        image: `(height, width, 3)` uint8 RGB image, at least 2 pixels high and wide.

    Returns:
        The `Edges`.

    Example:

    >>> image = np.zeros((16, 16, 3), np.uint8)
    >>> image[:, 8:] = 255
    >>> set(np.flatnonzero(gradient_edges(image).strength[5]).tolist()) <= {7, 8}
    True
    """
    import cv2

    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    rise = np.arange(1, _SMOOTHING_RADIUS + 2, dtype=np.float32)
    triangle = np.concatenate([rise, rise[-2::-1]]) / rise[-1] ** 2
    lab = cv2.sepFilter2D(lab, cv2.CV_32F, triangle, triangle, borderType=cv2.BORDER_REFLECT)
    slopes = [
        cv2.Sobel(lab, cv2.CV_32F, *order, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
        for order in ((1, 0), (0, 1))
    ]
    steepest = (slopes[0] ** 2 + slopes[1] ** 2).argmax(axis=-1)[..., None]
    dx, dy = (np.take_along_axis(slope, steepest, axis=-1)[..., 0] for slope in slopes)
    slope = np.hypot(dx, dy)
    strength = slope / max(slope.max(), _FAINTEST_SLOPE)
    orientation = np.mod(np.arctan2(dy, dx), np.float32(np.pi))
    return Edges(thin(strength, orientation), orientation)


def structured_edges(image: np.ndarray, forest: str | os.PathLike[str]) -> Edges:
    """Finds edges with a structured forest, as the authors of Edge Boxes do.

    Args:
        image: `(height, width, 3)` uint8 RGB image.
        forest: The forest in OpenCV's format, `model.yml.gz` or `model.yml`.

    Returns:
        The `Edges`.

    Raises:
        UserError: when the file is missing, damaged or no such forest.

    Reference:
        Dollar, Zitnick: Fast Edge Detection Using Structured Forests, PAMI 2015.
    """
    detector = _detector(os.fspath(forest))
    strength = detector.detectEdges(image.astype(np.float32) / 255)
    orientation = detector.computeOrientation(strength)
    return Edges(thin(strength, orientation), orientation)


def thin(strength: np.ndarray, orientation: np.ndarray, radius: int = 2) -> np.ndarray:
    """Keeps the strength of pixels that are maxima along the normal of their edge.

    The strength at 1 to `radius` pixels along the normal, both ways, is interpolated bilinearly. A
    pixel stays when none of these is larger and those in the direction of `orientation` are
    smaller: of two equal neighbours the farther one stays, and a plateau vanishes (OpenCV's
    `edgesNms` would keep all of it).

    Args:
        strength: `(height, width)` float32, not negative, at least 2 pixels high and wide.
        orientation: `(height, width)` float32, angle of the normal; see the module.
        radius: As in the authors' `edgeBoxes.m`.

    Returns:
        `(height, width)` float32: `strength`, or 0 where it is no maximum.

    Example:

    >>> thin(np.float32([[1, 5, 5, 2]] * 2), np.zeros((2, 4), np.float32)).astype(int).tolist()
    [[0, 0, 5, 0], [0, 0, 5, 0]]
    """
    rows, columns = np.nonzero(strength > 0)
    for step in (*range(1, radius + 1), *range(-radius, 0)):
        angle = orientation[rows, columns]
        beyond = _interpolate(strength, rows + step * np.sin(angle), columns + step * np.cos(angle))
        here = strength[rows, columns]
        stays = here > beyond if step > 0 else here >= beyond
        rows, columns = rows[stays], columns[stays]
    thinned = np.zeros_like(strength)
    thinned[rows, columns] = strength[rows, columns]
    return thinned


def check_forest(path: str | os.PathLike[str]) -> None:
    """Checks that a file holds a structured forest, in a fraction of the time of loading it.

    Raises:
        UserError: when the file is missing, cut short or of another kind.
    """
    try:
        data = Path(path).read_bytes()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise _no_forest(path, error) from error
    # OpenCV divides by the number of trees without looking, which ends the process.
    for entry in (rb"numberOfTrees:\s*[1-9]", rb"childs:", rb"edgeBins:"):
        if not re.search(entry, text):
            raise _no_forest(path, f"a file without `{entry.decode().split(':')[0]}`")


def ximgproc() -> Any:
    """Returns OpenCV's module `cv2.ximgproc`.

    Raises:
        UserError: when OpenCV was installed without its contrib modules.
    """
    import cv2

    if not hasattr(cv2, "ximgproc"):
        raise UserError(
            "Proposals need OpenCV's contrib modules. Received: an OpenCV without `ximgproc`. "
            "Uninstall every opencv package, then install opencv-contrib-python-headless."
        )
    return cv2.ximgproc


@functools.lru_cache(maxsize=1)
def _detector(path: str) -> Any:
    import cv2

    check_forest(path)
    try:
        return ximgproc().createStructuredEdgeDetection(path)
    except cv2.error as error:
        raise _no_forest(path, error) from error


def _no_forest(path: str | os.PathLike[str], reason: object) -> UserError:
    return UserError(
        f"`{os.fspath(path)}` must be a structured forest in OpenCV's format (model.yml.gz). "
        f"Received: {reason}. Give the right file, or choose gradient edges."
    )


def _interpolate(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width = values.shape
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top = np.minimum(rows.astype(np.intp), height - 2)
    left = np.minimum(columns.astype(np.intp), width - 2)
    down, right = rows - top, columns - left
    first, second = values[top, left], values[top + 1, left]
    # A step from the first value, so that equal neighbours give exactly their value.
    first = first + (values[top, left + 1] - first) * right
    second = second + (values[top + 1, left + 1] - second) * right
    return first + (second - first) * down
