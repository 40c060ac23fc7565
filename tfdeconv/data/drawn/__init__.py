"""The drawn data set: eight textured classes of objects in PASCAL VOC layout, made from a seed.

A picture depends on the seed, its split and its number alone, so that a larger data set begins with
the smaller one. Drawing needs NumPy and OpenCV, no TensorFlow.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from tfdeconv import files
from tfdeconv.data.drawn.objects import CLASSES
from tfdeconv.data.drawn.scene import draw_scene
from tfdeconv.errors import UserError
from tfdeconv.images import encode_jpeg
from tfdeconv.labels import encode_png
from tfdeconv.progress import track

CLASS_NAMES = ("background", *CLASSES)
# Raised whenever the pictures of a seed change, so that two generations never mix in a folder.
VERSION = 1
MOST_OBJECTS = 6
_SPLITS = ("train", "val")
_MARKER = "drawn.json"


def draw_dataset(
    out: str | os.PathLike[str],
    images: int = 800,
    val: int = 100,
    seed: int = 0,
    objects: int | None = None,
) -> Path:
    """Draws a data set in VOC layout into the folder `out`.

    Existing pictures are kept: a second call continues after an interruption or adds pictures. The
    split files are written last.

    Args:
        out: The folder; created, or empty, or a drawn data set of the same seed and objects.
        images: Number of training pictures.
        val: Number of validation pictures.
        seed: Any integer from 0.
        objects: Objects of a picture, 1 to 6; None for two to six. One makes a data set for
            training on image-level classes; of more, hidden ones are dropped.

    Returns:
        `out` as a `Path`. It holds `JPEGImages/*.jpg` (quality 90), `SegmentationClass/*.png` and
        `SegmentationObject/*.png` (palette images, 255 along outlines),
        `ImageSets/Segmentation/{train,val}.txt`, `classes.txt` (background first) and
        `drawn.json` (the seed).

    Raises:
        UserError: when `out` holds anything else or pictures of another seed, when a number is
            out of its range, or when there is no training picture.

    Example:

    ```python
    draw_dataset("drawn", images=800, val=100)
    ```
    """
    if images < 1 or val < 0 or seed < 0:
        raise UserError(
            "`images` must be at least 1, `val` and `seed` at least 0. "
            f"Received: images={images}, val={val}, seed={seed}"
        )
    if objects is not None and not 1 <= objects <= MOST_OBJECTS:
        raise UserError(f"`objects` must be 1 to {MOST_OBJECTS}. Received: objects={objects}")
    root = Path(out)
    _claim(root, {"seed": seed} if objects is None else {"seed": seed, "objects": objects})
    names = {
        split: [f"{split}_{number:05d}" for number in range(count)]
        for split, count in zip(_SPLITS, (images, val), strict=True)
    }
    work = [(split, number) for split in _SPLITS for number in range(len(names[split]))]
    for split, number in track(work, "Drawing"):
        _write_scene(root, names[split][number], (seed, _SPLITS.index(split), number), objects)
    files.write_text(root / "classes.txt", "\n".join(CLASS_NAMES) + "\n")
    for split in _SPLITS:
        text = "".join(name + "\n" for name in names[split])
        files.write_text(root / "ImageSets" / "Segmentation" / f"{split}.txt", text)
    return root


def _claim(root: Path, choices: dict[str, int]) -> None:
    """Marks a new folder as a drawn data set of these choices, or checks that it is one."""
    marker = root / _MARKER
    mine = {"made_by": "tfdeconv draw", "version": VERSION, **choices}
    if marker.is_file():
        found = _read_json(marker)
        if found != mine:
            chosen = ", ".join(f"{name} {value}" for name, value in choices.items())
            raise UserError(
                f"`{root}` must hold synthetic images of {chosen} and version {VERSION} to "
                "be extended. "
                f"Received: {_MARKER} with {found}. Choose another folder, or delete this one."
            )
    elif root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(
            f"`{root}` must be a new or empty folder, or a drawn data set (with {_MARKER}). "
            "Received: something else. Choose another folder; nothing was changed."
        )
    else:
        files.write_json(marker, mine)


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _write_scene(root: Path, name: str, key: tuple[int, int, int], objects: int | None) -> None:
    """Draws the picture of `key`, unless its three files exist; the photograph comes last."""
    photograph = root / "JPEGImages" / f"{name}.jpg"
    maps = [root / folder / f"{name}.png" for folder in ("SegmentationClass", "SegmentationObject")]
    if photograph.exists() and all(path.exists() for path in maps):
        return
    scene = draw_scene(np.random.default_rng(key), objects)
    files.write_bytes(maps[0], encode_png(scene.labels))
    files.write_bytes(maps[1], encode_png(scene.instances))
    files.write_bytes(photograph, encode_jpeg(scene.image, 90))
