"""What a label means, from the data to the evaluation: class indices, colours and the void label.

A label map is a `(height, width)` uint8 array of class indices; 0 is the background where the data
has one, and 255 marks pixels that count nowhere. Label PNGs hold these indices as palette or gray
images; the palette is PASCAL VOC's, whose colour is a function of the index.
"""

import os
import struct
import zlib
from pathlib import Path

import numpy as np

from tfdeconv.errors import UserError

IGNORE_LABEL = 255

VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


def palette() -> np.ndarray:
    """Returns the PASCAL VOC palette: the RGB colour of every label.

    Bit `j` of a colour channel, counted from the top, is bit `3 j + channel` of the label, so that
    labels which are close to each other get colours that are far apart.

    Returns:
        `(256, 3)` uint8 array.

    Example:

    >>> palette()[[0, 1, 15, 255]].tolist()
    [[0, 0, 0], [128, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    label = np.arange(256, dtype=np.uint8)
    colours = np.zeros((256, 3), np.uint8)
    for channel in range(3):
        for bit in range(8):
            source = 3 * bit + channel
            if source < 8:
                colours[:, channel] |= ((label >> source) & 1) << (7 - bit)
    return colours


def colours_to_labels(image: np.ndarray) -> np.ndarray:
    """Turns an image in palette colours back into labels.

    Args:
        image: `(height, width, 3)` uint8 RGB image.

    Returns:
        `(height, width)` uint8 labels.

    Raises:
        UserError: when a pixel has a colour that is not in the palette.

    Example:

    >>> colours_to_labels(palette()[None]).tolist() == [list(range(256))]
    True
    """
    pixels = image.astype(np.uint8)
    labels = _LABEL_OF_BITS[_high_bits(pixels)]
    # The palette uses the three highest bits of red and green and the two highest of blue.
    red, green, blue = np.moveaxis(pixels, -1, 0)
    foreign = np.argwhere((red & 31) | (green & 31) | (blue & 63))
    if len(foreign):
        row, column = foreign[0].tolist()
        raise UserError(
            "A label image must hold class indices or colours of the PASCAL VOC palette. Received: "
            f"colour {tuple(pixels[row, column].tolist())} in row {row}, column {column}. "
            "Save it as a palette or 8-bit gray PNG of class indices."
        )
    return labels


def _high_bits(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return (red & 224) | (green >> 3 & 28) | (blue >> 6)


# The bits are a permutation of the labels, so that sorting them inverts it.
_LABEL_OF_BITS = np.argsort(_high_bits(palette())).astype(np.uint8)


def encode_png(labels: np.ndarray) -> bytes:
    """Encodes labels as a palette PNG in the colours of PASCAL VOC.

    Args:
        labels: `(height, width)` uint8 array, at least one pixel.

    Returns:
        The bytes of the file. Viewers show colours; readers of the indices get the labels.

    Raises:
        ValueError: for another shape or dtype.

    Example:

    >>> encode_png(np.zeros((2, 3), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.size == 0:
        raise ValueError(
            "`labels` must be a non-empty (height, width) uint8 array. "
            f"Received: shape={labels.shape}, dtype={labels.dtype}"
        )
    height, width = labels.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = labels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette().tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def read_class_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Reads a `classes.txt`: one class name a line, in the order of the labels.

    Args:
        path: The file, UTF-8. Blank lines at its end are ignored.

    Returns:
        The names, at least two and at most 255.

    Raises:
        UserError: when the file cannot be read, names a class twice, or has a blank line or too
            many of them.
    """
    try:
        lines = Path(path).read_text("utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"`{path}` must be a readable text file. Received: {error}.") from error
    names = tuple(line.strip() for line in lines)
    if not 2 <= len(names) <= IGNORE_LABEL or "" in names or len(set(names)) < len(names):
        raise UserError(
            f"`{path}` must hold 2 to 255 different class names, one a line and none blank. "
            f"Received: {len(names)} lines, {len(set(names))} different."
        )
    return names
