"""Labels: class indices, the void label, palettes and class names.

A label map is a `(height, width)` uint8 array of class indices; 0 is the background where the data
has one, and pixels of 255 are ignored in losses, metrics and evaluation. Label PNGs hold the
indices as palette or gray images; the palette is the data's own, or PASCAL VOC's.

An instance map is a `(height, width)` uint16 array of instance numbers: 0 for no instance, 65535
for void. Its file is a palette or 8-bit gray PNG, in which 255 is void, or, beyond 254 instances, a
16-bit gray PNG.
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfdeconv.errors import UserError

IGNORE_LABEL = 255
VOID_OBJECT = 65535

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


def colour_code(colours: Any) -> Any:
    """Returns a number for each RGB colour in an array or tensor, `(..., 3)` -> `(...)`.

    It has the three highest bits of red and green and the two highest of blue, the bits of VOC's
    palette: the numbers of its colours are 0 to 255 in another order.
    """
    return colours[..., 0] // 32 * 32 + colours[..., 1] // 32 * 4 + colours[..., 2] // 64


# Sorting a permutation inverts it.
LABEL_OF_CODE = np.argsort(colour_code(palette())).astype(np.uint8)


def labels_of_indices(
    colours: np.ndarray, class_names: Sequence[str] | None = None
) -> np.ndarray | None:
    """Returns the label of each index of a palette PNG.

    The index is the label, whatever its colour, with one exception: programs that make PNGs smaller
    drop unused colours of PASCAL VOC's palette and sort the others, and then the label follows from
    the colour. That is assumed when the palette holds only colours of VOC's palette, each once
    (black at the end aside) and not in VOC's order, and

    - the classes are VOC's or unknown, and every colour is that of one of them or of the void; or
    - the classes are others, the void's colour is at another index than 255, and every other colour
      is that of a class.

    Without void, a palette of VOC's colours sorted by such a program cannot be distinguished from
    one of other dark colours: the index is the label.

    Args:
        colours: `(n, 3)` uint8 RGB, the palette of the file, n at most 256.
        class_names: Those of the data set; None when they are unknown.

    Returns:
        `(n,)` uint8, the label of every index, or None where the indices are the labels.

    Example:

    >>> labels_of_indices(palette()[[15, 255, 0]]).tolist()
    [15, 255, 0]
    >>> labels_of_indices(palette()[[0, 2, 1]], ("ground", "grass", "sky")) is None
    True
    """
    labels = LABEL_OF_CODE[colour_code(colours)]
    lit = np.flatnonzero(colours.any(axis=1))
    # A palette may be filled up with black to the length that its file had before.
    used = labels[: lit[-1] + 1 if len(lit) else 0]
    in_order = np.array_equal(used, np.arange(len(used)))
    if in_order or len(set(used.tolist())) < len(used) or (palette()[labels] != colours).any():
        return None
    if class_names is None:
        return labels
    possible = ((used < len(class_names)) | (used == IGNORE_LABEL)).all()
    has_void = IGNORE_LABEL in used[:IGNORE_LABEL]
    return labels if possible and (tuple(class_names) == VOC_CLASSES or has_void) else None


def apply_palette(
    indices: np.ndarray, colours: np.ndarray, class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Converts the `(height, width)` uint8 indices of a palette PNG to labels of the same shape.

    The other arguments are those of `labels_of_indices`.

    Raises:
        UserError: when an index other than 255, the void, is beyond the end of the palette.
    """
    beyond = (indices >= len(colours)) & (indices != IGNORE_LABEL)
    if beyond.any():
        row, column = np.argwhere(beyond)[0].tolist()
        raise UserError(
            "A palette image must have indices within its palette. Received: index "
            f"{indices[row, column]} of {len(colours)} colours in row {row}, column {column}. "
            "Save it as a palette or 8-bit gray PNG of class indices."
        )
    labels = labels_of_indices(colours, class_names)
    if labels is None:
        return indices
    return np.pad(labels, (0, 256 - len(labels)), constant_values=IGNORE_LABEL)[indices]


def encode_png(labels: np.ndarray, colours: np.ndarray | None = None) -> bytes:
    """Encodes labels as a palette PNG.

    Args:
        labels: `(height, width)` uint8 array, at least one pixel.
        colours: `(n, 3)` uint8 RGB, the colours of labels 0 to n - 1, n at most 256; those of
            PASCAL VOC when None. Labels beyond them are white, the void has VOC's colour.

    Returns:
        The bytes of the file.

    Raises:
        ValueError: for another shape or dtype.

    Example:

    >>> encode_png(np.zeros((2, 3), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    from PIL import Image

    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.size == 0:
        raise ValueError(
            "`labels` must be a non-empty (height, width) uint8 array. "
            f"Received: shape={labels.shape}, dtype={labels.dtype}"
        )
    image = Image.fromarray(labels)
    image.putpalette(full_palette(colours).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def encode_objects(objects: np.ndarray) -> bytes:
    """Encodes an instance map as a PNG: of 8 bits with a palette, of 16 bits beyond 254 instances.

    Args:
        objects: `(height, width)` uint16 array, at least one pixel; 65535 is void.

    Returns:
        The bytes of the file; `tfdeconv.images.decode_objects` gives the array back.

    Raises:
        ValueError: for another shape or dtype.

    Example:

    >>> [encode_objects(np.array([[number]], np.uint16))[24] for number in (254, 255, 65535)]
    [8, 16, 8]
    """
    from PIL import Image

    if objects.ndim != 2 or objects.dtype != np.uint16 or objects.size == 0:
        raise ValueError(
            "`objects` must be a non-empty (height, width) uint16 array. "
            f"Received: shape={objects.shape}, dtype={objects.dtype}"
        )
    void = objects == VOID_OBJECT
    if not ((objects >= IGNORE_LABEL) & ~void).any():
        return encode_png(np.where(void, IGNORE_LABEL, objects).astype(np.uint8))
    file = io.BytesIO()
    Image.fromarray(objects).save(file, "PNG")
    return file.getvalue()


def full_palette(colours: np.ndarray | None) -> np.ndarray:
    """Returns the `(256, 3)` uint8 palette that `encode_png` writes for some colours."""
    if colours is None:
        return palette()
    if colours.ndim != 2 or colours.shape[1] != 3 or len(colours) > 256:
        raise ValueError(
            f"`colours` must be at most 256 RGB triples. Received: shape={colours.shape}"
        )
    # White is none of VOC's colours: this is never mistaken for VOC's palette in another order.
    whole = np.full((256, 3), 255, np.uint8)
    whole[IGNORE_LABEL] = palette()[IGNORE_LABEL]
    whole[: len(colours)] = colours
    return whole


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
            f"`{path}` must hold 2 to 255 different class names, one per line, without "
            "blank lines. "
            f"Received: {len(names)} lines, {len(set(names))} different."
        )
    return names
