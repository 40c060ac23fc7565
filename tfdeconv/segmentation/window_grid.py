"""Where windows stand along one side of an image, and how much each counts at every pixel.

Windows of a grid have a weight for their rows times one for their columns, so that everything can
be said of one side alone.
"""

import math
from typing import NamedTuple

import numpy as np


class Axis(NamedTuple):
    """The windows along one side of an image.

    Attributes:
        side: pixels of a window.
        starts: the first pixel of each, rising.
        weights: `(windows, side)` float32, how much each counts at its pixels: at every pixel of
            the image the weights of all windows add up to one.
    """

    side: int
    starts: list[int]
    weights: np.ndarray


def axis_of(length: int, side: int, overlap: float, multiple: int = 1) -> Axis:
    """Places windows along one side of an image.

    Each follows the one before at `side * (1 - overlap)` pixels, rounded down to `multiple`; the
    last one is moved back to the end of the image.

    A weight rises from the edge of a window as sin^2 and is flat after `side * overlap` pixels: a
    tapered cosine (Tukey) window, at an overlap of a half and more a whole Hann window. It is
    nowhere zero. Where two windows overlap as they should, one rises as the other falls and they
    add up to one by themselves; elsewhere weights are divided by their sum. So the pixels that a
    network knows least about, with nothing of their surroundings beyond the edge, count least, no
    seam shows, and where a single window is, its scores are not touched.

    Args:
        length: pixels of the image. Where it is less than `side` there is one window.
        side: pixels of a window.
        overlap: the share of a window that the next one covers, too, in [0, 0.9].
        multiple: steps are multiples of it. Where length and side are, too, all windows stand on
            multiples: a network that halves its maps sees each pixel in the same place of its grid.

    Example:

    >>> axis = axis_of(length=10, side=4, overlap=0.25)
    >>> axis.starts, axis.weights[1].tolist()
    ([0, 3, 6], [0.5, 1.0, 1.0, 0.5])

    Reference:
        Harris: On the Use of Windows for Harmonic Analysis with the Discrete Fourier Transform,
        Proceedings of the IEEE 66, 1978, section V.C and V.D (Hann and Tukey windows).
    """
    # Of 10 pixels and an overlap of 0.9 one is left, and not 0.99.
    apart = math.floor(side * (1 - overlap) + 1e-6)
    step = min(max(apart // multiple * multiple, multiple), side)
    last = max(0, length - side)
    starts = [*range(0, last, step), last]
    taper = _tapered(side, side - step)
    total = np.zeros(last + side)
    for start in starts:
        total[start : start + side] += taper
    weights = [taper / total[start : start + side] for start in starts]
    return Axis(side, starts, np.array(weights, np.float32))


def _tapered(side: int, overlap: int) -> np.ndarray:
    ramp = min(overlap, side // 2)
    taper = np.ones(side)
    rising = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / ramp) ** 2 if ramp else taper[:0]
    taper[:ramp], taper[side - ramp :] = rising, rising[::-1]
    return taper
