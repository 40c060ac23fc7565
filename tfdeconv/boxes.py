"""Boxes, and the one convention for them.

A box is `top, left, bottom, right` in pixels of the image, half open (`bottom` and `right` are the
first row and column outside), and may leave the image. Many boxes are an `(n, 4)` array.
"""

import json
import os
import zipfile
from typing import Any, NamedTuple

import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.files import replacing


class Proposals(NamedTuple):
    """Object proposals of one image, best first.

    Attributes:
        boxes: `(n, 4)` float32, top, left, bottom, right in pixels.
        scores: `(n,)` float32 objectness, descending.
    """

    boxes: np.ndarray
    scores: np.ndarray


def area(boxes: np.ndarray) -> np.ndarray:
    """Returns the areas of boxes in square pixels, 0 for inverted ones: `(n, 4)` -> `(n,)` float64.

    Example:

    >>> area(np.array([[0, 0, 2, 3], [5, 5, 5, 9]])).tolist()
    [6.0, 0.0]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return sides[:, 0] * sides[:, 1]


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns intersection over union of every box of `a` with every box of `b`.

    Args:
        a: `(n, 4)` boxes.
        b: `(m, 4)` boxes.

    Returns:
        `(n, m)` float64 in [0, 1]; 0 where both boxes have no area.

    Example:

    >>> iou(np.array([[0, 0, 2, 2]]), np.array([[0, 1, 2, 3], [7, 7, 8, 8]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    a = np.asarray(a, np.float64).reshape(-1, 4)
    b = np.asarray(b, np.float64).reshape(-1, 4)
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    union = area(a)[:, None] + area(b)[None, :] - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def clip(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cuts boxes at the border of an image; a box outside it is left without area.

    Example:

    >>> clip(np.array([[-3, 2, 9, 4]]), height=5, width=5).tolist()
    [[0, 2, 5, 4]]
    """
    boxes = np.asarray(boxes).reshape(-1, 4)
    return np.clip(boxes, 0, np.array([height, width, height, width], boxes.dtype))


def save(
    path: str | os.PathLike[str], proposals: dict[str, Proposals], settings: dict[str, Any]
) -> None:
    """Writes the proposals of many images to one `.npz` file, completely or not at all.

    Args:
        path: The file to write.
        proposals: Image name (the file name without its ending) -> `Proposals`.
        settings: How they were made, as a note in the file; anything that JSON can hold.
    """
    none = Proposals(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    boxes, scores = zip(none, *proposals.values(), strict=True)
    arrays: dict[str, Any] = {
        "names": np.array(list(proposals), np.str_),
        "ends": np.cumsum([len(found) for found in boxes[1:]], dtype=np.int64),
        "boxes": np.concatenate(boxes).astype(np.float32),
        "scores": np.concatenate(scores).astype(np.float32),
        "settings": np.array(json.dumps(settings), np.str_),
    }
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def load(path: str | os.PathLike[str]) -> dict[str, Proposals]:
    """Reads what `save` wrote: image name -> `Proposals`.

    Raises:
        UserError: when the file is missing, damaged or of another kind.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            names, ends, boxes, scores = (
                arrays[name] for name in ("names", "ends", "boxes", "scores")
            )
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"`{path}` must be a proposal file written by `tfdeconv propose`. "
            f"Received: {error}. Make it again."
        ) from error
    stops = ends.tolist()
    return {
        str(name): Proposals(boxes[start:stop], scores[start:stop])
        for name, start, stop in zip(names, [0, *stops], stops, strict=False)
    }
