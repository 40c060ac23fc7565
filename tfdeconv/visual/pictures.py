"""Pictures: label maps as colours, panels of one size, captions, contact sheets.

Everything returned is RGB uint8 `(height, width, 3)`. The colours are made for looking at; label
files keep the palette of PASCAL VOC (`tfdeconv.labels.palette`). OpenCV draws the letters: text is
plain ASCII, other characters become question marks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfdeconv.labels import IGNORE_LABEL, palette

INK, PAPER = (38, 40, 46), (255, 255, 255)
_SOFT, _BACKGROUND, _VOID = (98, 102, 112), (45, 48, 56), (222, 220, 212)
_TITLE_SCALE, _TEXT_SCALE = 0.5, 0.42
_LINE, _GAP = 18, 8
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
    """Shows a label map alone: `(height, width)` uint8 -> `(height, width, 3)` uint8 RGB.

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


def colour_map(values: np.ndarray, most: float | None = None) -> np.ndarray:
    """Shows values by colours: `(rows, columns)` float32 -> `(rows, columns, 3)` uint8 RGB.

    Black is zero, or the lowest value where that is negative; light yellow is `most`, the largest
    value by default.

    Example:

    >>> colour_map(np.array([[0.0, 2.0]], np.float32)).tolist()
    [[[0, 0, 4], [252, 255, 164]]]
    """
    import cv2

    low, high = min(0.0, float(values.min())), float(values.max()) if most is None else most
    shares = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
    bytes_ = np.round(255 * shares).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(bytes_, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def size_within(image: np.ndarray, longest: int) -> tuple[int, int]:
    """Returns the height and width of an image resized to a longer side of `longest` pixels.

    Example:

    >>> size_within(np.zeros((375, 500, 3)), 224)
    (168, 224)
    """
    factor = longest / max(image.shape[:2])
    return max(1, round(factor * image.shape[0])), max(1, round(factor * image.shape[1]))


def resized(image: np.ndarray, size: tuple[int, int], blocks: bool = False) -> np.ndarray:
    """Resizes a picture, a map of values or a label map.

    Args:
        image: `(rows, columns, 3)` uint8 RGB, `(rows, columns)` float32 values, or
            `(rows, columns)` uint8 labels, which are never mixed.
        size: Height and width of the result.
        blocks: Whether enlarged pixels are blocks instead of being interpolated.

    Returns:
        The picture: pixels are averaged where it shrinks and interpolated linearly where it grows.

    Example:

    >>> resized(np.uint8([[1, 7]]), (1, 4)).tolist()
    [[1, 1, 7, 7]]
    """
    import cv2

    labels = image.ndim == 2 and image.dtype == np.uint8
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    if labels or (blocks and not shrinks):
        kind = cv2.INTER_NEAREST
    else:
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=kind)


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fits a picture or uint8 labels into a panel of a height and width, centred on white.

    Enlarged pixels are blocks, so that single values of a small map are visible.

    Example:

    >>> fitted(np.uint8([[1], [7]]), (2, 3)).tolist()
    [[255, 1, 255], [255, 7, 255]]
    """
    factor = min(size[0] / image.shape[0], size[1] / image.shape[1])
    rows, columns = (max(1, round(factor * side)) for side in image.shape[:2])
    panel = np.full((*size, *image.shape[2:]), PAPER[0], np.uint8)
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    panel[top : top + rows, left : left + columns] = resized(image, (rows, columns), blocks=True)
    return panel


def legend(class_names: Sequence[str], ids: Sequence[int]) -> np.ndarray:
    """Draws swatches of the labels `ids` with their names, one below the other; 255 is "ignored".

    Raises:
        ValueError: when `ids` is empty or a label has no name.
    """
    import cv2

    unknown = [one for one in ids if not (0 <= one < len(class_names) or one == IGNORE_LABEL)]
    if unknown or not len(ids):
        raise ValueError(
            f"`ids` must name at least one label, each below {len(class_names)}, or {IGNORE_LABEL}."
            f" Received: {unknown[0] if unknown else 'ids=[]'}"
        )
    names = ["ignored" if label == IGNORE_LABEL else class_names[label] for label in ids]
    width = max(_text_width(name, _TEXT_SCALE) for name in names)
    sheet = np.full((22 * len(ids) + 8, 42 + width, 3), PAPER, np.uint8)
    for row, (label, name) in enumerate(zip(ids, names, strict=True)):
        top = 22 * row + 8
        colour = class_colours()[label].tolist()
        cv2.rectangle(sheet, (8, top), (21, top + 13), colour, cv2.FILLED)
        _write(sheet, name, top + 11, left=30, room=width)
    return sheet


def captioned(image: np.ndarray, title: str, note: str = "") -> np.ndarray:
    """Writes a title and a softer note above a picture: 42 rows, also without a note.

    Letters shrink where the picture is narrower than a line.

    Example:

    >>> captioned(np.zeros((100, 80, 3), np.uint8), "unpool3", "8 x 8, channel 5").shape
    (142, 80, 3)
    """
    head = np.full((2 * _LINE + 6, image.shape[1], 3), PAPER, np.uint8)
    _write(head, title, _LINE - 4, _TITLE_SCALE)
    _write(head, note, 2 * _LINE - 4, colour=_SOFT)
    return np.concatenate([head, image])


def with_notes(sheet: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """Writes lines of 18 rows below a picture; letters of a line that is too long shrink."""
    foot = np.full((_LINE * len(lines) + 8, sheet.shape[1], 3), PAPER, np.uint8)
    for index, line in enumerate(lines):
        room = sheet.shape[1] - 2 * _GAP
        _write(foot, line, _LINE * (index + 1) - 4, colour=_SOFT, left=_GAP, room=room)
    return np.concatenate([sheet, foot])


def panels(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Puts rows of images on one white sheet, in cells of the size of the largest one, centred.

    Raises:
        ValueError: when there is no image, or rows differ in number.
    """
    counts = {len(row) for row in rows}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(
            "`rows` must have the same number of images each. "
            f"Received: {[len(row) for row in rows]} images"
        )
    height, width = (max(image.shape[k] for row in rows for image in row) for k in (0, 1))
    shape = _GAP + len(rows) * (height + _GAP), _GAP + counts.pop() * (width + _GAP), 3
    sheet = np.full(shape, PAPER, np.uint8)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            top = _GAP + row * (height + _GAP) + (height - image.shape[0]) // 2
            left = _GAP + column * (width + _GAP) + (width - image.shape[1]) // 2
            sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def _edges(labels: np.ndarray) -> np.ndarray:
    """Class pixels that meet another label, except the ignored one, in one of four directions."""
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


def _text_width(text: str, scale: float) -> int:
    import cv2

    return cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 1)[0][0]


def _write(
    sheet: np.ndarray,
    text: str,
    baseline: int,
    scale: float = _TEXT_SCALE,
    colour: tuple[int, int, int] = INK,
    left: int = 0,
    room: int | None = None,
) -> None:
    """Writes a line that shrinks to fit into `room` pixels, the width of the sheet by default."""
    import cv2

    room = sheet.shape[1] if room is None else room
    scale *= min(1.0, room / max(_text_width(text, scale), 1))
    font = cv2.FONT_HERSHEY_DUPLEX
    cv2.putText(sheet, text, (left, baseline), font, scale, colour, 1, cv2.LINE_AA)
