"""Pictures with words: a caption above a picture, notes below a sheet.

Everything returned is RGB uint8 `(height, width, 3)` on white. OpenCV draws the letters: text is
plain ASCII, anything else comes out as question marks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfdeconv.visual.overlay import INK, PAPER

_SOFT = (98, 102, 112)
_TITLE, _NOTE = 0.5, 0.42
_LINE = 18


def captioned(image: np.ndarray, title: str, note: str = "") -> np.ndarray:
    """Writes a title and a softer note above a picture.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        title: One line; letters shrink where the picture is narrower.
        note: One line below the title; its place is kept when it is empty.

    Returns:
        `(height + 42, width, 3)` uint8 RGB.

    Example:

    >>> captioned(np.zeros((100, 80, 3), np.uint8), "unpool3", "8 x 8, channel 5").shape
    (142, 80, 3)
    """
    head = np.full((2 * _LINE + 6, image.shape[1], 3), PAPER, np.uint8)
    _write(head, title, _LINE - 4, _TITLE, INK)
    _write(head, note, 2 * _LINE - 4, _NOTE, _SOFT)
    return np.concatenate([head, image])


def with_notes(sheet: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """Writes lines below a picture.

    Args:
        sheet: `(height, width, 3)` uint8 RGB.
        lines: The lines; letters of one that is too long for the picture shrink.

    Returns:
        `(height + 18 * len(lines) + 8, width, 3)` uint8 RGB.
    """
    foot = np.full((_LINE * len(lines) + 8, sheet.shape[1], 3), PAPER, np.uint8)
    for index, line in enumerate(lines):
        _write(foot, line, _LINE * (index + 1) - 4, _NOTE, _SOFT, left=8)
    return np.concatenate([sheet, foot])


def _write(
    sheet: np.ndarray,
    text: str,
    baseline: int,
    scale: float,
    colour: tuple[int, int, int],
    left: int = 0,
) -> None:
    import cv2

    font = cv2.FONT_HERSHEY_DUPLEX
    width = cv2.getTextSize(text, font, scale, 1)[0][0]
    room = sheet.shape[1] - 2 * left
    scale *= min(1.0, room / max(width, 1))
    cv2.putText(sheet, text, (left, baseline), font, scale, colour, 1, cv2.LINE_AA)
