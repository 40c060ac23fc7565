"""Label maps as colours, over the photograph or alone, with a legend and as contact sheets.

Everything returned is RGB uint8 `(height, width, 3)`. The colours are made for looking at; label
files keep the palette of PASCAL VOC (`tfdeconv.labels.palette`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfdeconv.labels import IGNORE_LABEL, palette

INK, PAPER = (38, 40, 46), (255, 255, 255)
_BACKGROUND, _VOID = (45, 48, 56), (222, 220, 212)
# Far apart in hue and lightness, also for colour-blind eyes as far as that goes.
_COLOURS = (
    (238, 102, 119), (51, 187, 238), (142, 209, 79), (68, 96, 200), (255, 176, 59),
    (0, 153, 136), (200, 150, 255), (255, 228, 94), (204, 51, 17), (120, 220, 200),
    (170, 51, 119), (250, 190, 212), (34, 136, 51), (150, 100, 60), (140, 170, 255),
    (200, 190, 130), (110, 60, 180), (255, 130, 60), (60, 110, 130), (190, 190, 200),
)  # fmt: skip


def class_colours() -> np.ndarray:
    """Returns the colour of every label: `(256, 3)` uint8 RGB, dark for 0 and light for 255.

    Labels 1 to 20 have colours that are easy to tell apart; further ones take those of the palette
    of PASCAL VOC.
    """
    colours = palette()
    colours[0] = _BACKGROUND
    colours[1 : len(_COLOURS) + 1] = _COLOURS
    colours[IGNORE_LABEL] = _VOID
    return colours


def colorize(labels: np.ndarray) -> np.ndarray:
    """Shows a label map alone.

    Args:
        labels: `(height, width)` uint8 labels, 255 = ignored.

    Returns:
        `(height, width, 3)` uint8 RGB.

    Example:

    >>> colorize(np.array([[0, 255]], np.uint8)).tolist()
    [[[45, 48, 56], [222, 220, 212]]]
    """
    _require_labels(labels)
    return class_colours()[labels]


def overlay(image: np.ndarray, labels: np.ndarray, alpha: float = 0.55) -> np.ndarray:
    """Lays the class colours over a photograph.

    Background stays as it is. A class is tinted, with a line in its pure colour, one pixel wide,
    along its inner edge. Ignored pixels are veiled in white.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        labels: `(height, width)` uint8 labels of the same size, 255 = ignored.
        alpha: Share of the class colour in a tinted pixel, 0 to 1.

    Returns:
        `(height, width, 3)` uint8 RGB; `image` is not changed.

    Raises:
        ValueError: when the sizes differ or `alpha` is out of range.

    Example:

    >>> overlay(np.zeros((1, 1, 3), np.uint8), np.array([[255]], np.uint8), 0.5).tolist()
    [[[127, 127, 127]]]
    """
    _require_labels(labels)
    if image.shape != (*labels.shape, 3):
        raise ValueError(
            "`image` must be (height, width, 3) with the size of `labels`. "
            f"Received: image.shape={image.shape}, labels.shape={labels.shape}"
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"`alpha` must be between 0 and 1. Received: alpha={alpha}")
    colours = class_colours()
    colours[IGNORE_LABEL] = PAPER
    share = np.where(labels == 0, 0.0, alpha)
    share[_edges(labels)] = 1.0
    mixed = image + share[..., None] * (colours[labels] - image.astype(np.float64))
    return mixed.astype(np.uint8)


def legend(class_names: Sequence[str], ids: Sequence[int]) -> np.ndarray:
    """Draws swatches with the names of classes, one below the other.

    Args:
        class_names: The name of every label from 0.
        ids: The labels to show, in this order; 255 is shown as "ignored".

    Returns:
        `(22 * len(ids) + 8, width, 3)` uint8 RGB, as wide as the longest name needs.

    Raises:
        ValueError: when `ids` is empty or a label has no name.
    """
    import cv2

    for label in ids:
        if not (0 <= label < len(class_names) or label == IGNORE_LABEL):
            raise ValueError(
                f"`ids` must be below {len(class_names)}, or {IGNORE_LABEL}. Received: {label}"
            )
    if not len(ids):
        raise ValueError("`ids` must name at least one label. Received: ids=[]")
    names = ["ignored" if label == IGNORE_LABEL else class_names[label] for label in ids]
    sheet = np.full((22 * len(ids) + 8, 42 + max(map(_text_width, names)), 3), PAPER, np.uint8)
    for row, (label, name) in enumerate(zip(ids, names, strict=True)):
        top = 22 * row + 8
        colour = class_colours()[label].tolist()
        cv2.rectangle(sheet, (8, top), (21, top + 13), colour, cv2.FILLED)
        _write(sheet, name, 30, top + 11)
    return sheet


def panels(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str] = ()) -> np.ndarray:
    """Puts images of any sizes on one sheet, a column for every title.

    Args:
        rows: Rows of `(height, width, 3)` uint8 RGB images, the same number in each.
        titles: A short caption for every column; none when empty.

    Returns:
        The sheet, uint8 RGB on white. A cell is as large as the largest image; smaller ones are
        centred, none is scaled.

    Raises:
        ValueError: when there is no image, or rows or titles differ in number.
    """
    counts = {len(row) for row in rows}
    if len(counts) != 1 or 0 in counts or (titles and {len(titles)} != counts):
        raise ValueError(
            "`rows` must have the same number of images each, and `titles` as many or none. "
            f"Received: {[len(row) for row in rows]} images, {len(titles)} titles"
        )
    height = max(image.shape[0] for row in rows for image in row)
    width = max(image.shape[1] for row in rows for image in row)
    gap, head = 8, 24 if titles else 8
    columns = counts.pop()
    sheet = np.full(
        (head + len(rows) * (height + gap), gap + columns * (width + gap), 3), PAPER, np.uint8
    )
    for column, title in enumerate(titles):
        _write(sheet, title, gap + column * (width + gap), 16)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            top = head + row * (height + gap) + (height - image.shape[0]) // 2
            left = gap + column * (width + gap) + (width - image.shape[1]) // 2
            sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def _edges(labels: np.ndarray) -> np.ndarray:
    """Class pixels that meet another label, except the ignored one, above, below or beside."""
    padded = np.pad(labels, 1, mode="edge")
    edges = np.zeros(labels.shape, bool)
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        other = padded[rows : rows + labels.shape[0], columns : columns + labels.shape[1]]
        edges |= (other != labels) & (other != IGNORE_LABEL)
    return edges & (labels != 0) & (labels != IGNORE_LABEL)


def _require_labels(labels: np.ndarray) -> None:
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(
            "`labels` must be a (height, width) uint8 array. "
            f"Received: shape={labels.shape}, dtype={labels.dtype}"
        )


def _text_width(text: str) -> int:
    import cv2

    return cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 0.42, 1)[0][0]


def _write(sheet: np.ndarray, text: str, left: int, baseline: int) -> None:
    import cv2

    font = cv2.FONT_HERSHEY_DUPLEX
    cv2.putText(sheet, text, (left, baseline), font, 0.42, INK, 1, cv2.LINE_AA)
