"""Drawn sources for the tests of the importers, and what is read back from a data set."""

import json
from pathlib import Path

import numpy as np

from tfdeconv import images
from tfdeconv.data import maps, voc


def photograph(path: Path, height: int = 4, width: int = 6) -> Path:
    """Writes a gray photograph, PNG or JPEG by the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), 90, np.uint8)
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    path.write_bytes(images.encode_jpeg(pixels) if jpeg else images.encode_png(pixels))
    return path


def write_json(path: Path, value) -> Path:
    """Writes a value as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")
    return path


def picture(path: Path, pixels, mode: str | None = None) -> Path:
    """Writes an array as an image file with Pillow."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.asarray(pixels)
    image = Image.fromarray(pixels.astype(np.uint8) if pixels.dtype == int else pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def read(data: Path, image_id: str, split: str = "train"):
    """Returns the labels and instances of an image as lists, as training reads them."""
    labels, objects = maps.read_maps(voc.read_split(data, split), image_id)
    return labels.tolist(), None if objects is None else objects.tolist()


def ids(data: Path, split: str = "train") -> tuple[str, ...]:
    """Returns what a split lists."""
    return voc.read_split(data, split).ids


def classes(data: Path) -> list[str]:
    """Returns the names of the classes."""
    return (data / "classes.txt").read_text("utf-8").splitlines()


def compress(counts: list[int]) -> str:
    """COCO's compressed run lengths, as its own encoder writes them."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            ended = value == (-1 if bits & 16 else 0)
            text += chr(48 + (bits if ended else bits | 32))
            if ended:
                break
    return text
