"""Windows that slide over an image at its own resolution, blended into scores row by row.

One row of windows is processed at a time: as soon as no further window touches a row of pixels, its
scores are final and passed on in a strip (`tfdeconv.segmentation.averaging`). Memory grows with the
width of an image and not with its height.

The weight of a window in a grid is one for its rows times one for its columns, so that both sides
of an image are planned alike (`Axis`).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdeconv.choices import LARGEST_WINDOW, MOST_OVERLAP
from tfdeconv.data.whole_images import MEAN_COLOUR
from tfdeconv.segmentation import aggregate
from tfdeconv.segmentation.averaging import SCORES_IN_STRIP, Strips
from tfdeconv.segmentation.network import Network
from tfdeconv.segmentation.regions import size_rule

AUTO = "auto"

# The window of a network that takes any size: about the side of the photographs of PASCAL VOC, for
# which FCN was made.
_OPEN_WINDOW = 512
# The pixels of a batch: 16 windows of 224 pixels have 0.8 million, 4 of 512 a million.
PIXELS_IN_BATCH = 2**20
_LEAST = np.finfo(np.float32).tiny


class SlidingWindows:
    """Runs a network over overlapping square windows of an image, without proposals.

    Scores become probabilities, which are averaged where windows overlap, weighted by how far a
    pixel is inside (`axis_of`). The last windows of a row and a column are moved inward to the
    border of the image. For a network for multiples of a number (`tfdeconv.layers.RequireSize`)
    that is the border of the padded image, as `WholeImage` pads it: all windows then stand on
    multiples, and a pixel whose window covers the network's receptive field has the scores that it
    has in the full image. An image smaller than the window is one window; a network with an input
    size gets black for the rest.

    Args:
        network: the network, for squares of one size or for images of any.
        window: side of the windows in pixels of the scaled image; `"auto"` for the network's input,
            or 512 where it takes any size. Where the two differ, windows are resized to the input;
            a network for multiples of a number gets the next larger multiple.
        overlap: the share of a window's side that it shares with the next one, in [0, 0.9].
        batch_size: the most windows of a batch, fewer of large ones.
        scale: factor by which the image is resized first.

    Attributes:
        window: side of the windows in pixels.
        batch_size: the most windows of a batch.
    """

    def __init__(
        self,
        network: Network,
        window: int | str,
        overlap: float,
        batch_size: int,
        scale: float = 1.0,
    ) -> None:
        self._network, self._overlap, self._scale = network, overlap, scale
        self._rule = size_rule(network.model)
        # As in training.
        self._outside = (0, 0, 0) if network.input_size else MEAN_COLOUR
        side = (network.input_size or _OPEN_WINDOW) if isinstance(window, str) else window
        self.window = side if network.input_size else max(self._fit(side, side))
        # Windows are held at their own size and at the network's.
        pixels = max(network.input_size or 0, self.window) ** 2
        self.batch_size = max(1, min(batch_size, PIXELS_IN_BATCH // pixels))

    def regions(self, height: int, width: int) -> np.ndarray:
        """Returns the windows in pixels of the image: `(m, 4)` int32."""
        size = self._scaled(height, width)
        rows, columns = self._axes(*size)
        corners = np.array([[top, left] for top in rows.starts for left in columns.starts])
        windows = np.hstack([corners, corners + np.array([rows.side, columns.side])])
        return (windows * np.tile([height / size[0], width / size[1]], 2)).round().astype(np.int32)

    def strips(self, image: np.ndarray) -> Strips:
        """Yields the logarithms of the blended probabilities at the size of the image."""
        size = self._scaled(*image.shape[:2])
        return resized(self._blended(image, *size), size, image.shape[:2])

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        return max(1, round(self._scale * height)), max(1, round(self._scale * width))

    def _fit(self, height: int, width: int) -> tuple[int, int]:
        rows, columns = self._rule.fit((height, width)).numpy().tolist()
        return rows, columns

    def _axes(self, height: int, width: int) -> tuple["Axis", "Axis"]:
        sides, multiple = (self.window, self.window), 1
        if self._network.input_size is None:
            height, width = self._fit(height, width)
            sides, multiple = (min(height, sides[0]), min(width, sides[1])), self._rule.multiple
        return (
            axis_of(height, sides[0], self._overlap, multiple),
            axis_of(width, sides[1], self._overlap, multiple),
        )

    def _blended(self, image: np.ndarray, height: int, width: int) -> Strips:
        rows, columns = self._axes(height, width)
        classes = self._network.num_classes
        blended = np.zeros((rows.side, columns.starts[-1] + columns.side, classes), np.float32)
        for index, top in enumerate(rows.starts):
            band = _band(image, height, width, top, min(top + rows.side, height))
            for left, weights, found in self._windows(band, rows.side, columns):
                found *= rows.weights[index][:, np.newaxis, np.newaxis]
                found *= weights[:, np.newaxis]
                blended[:, left : left + columns.side] += found
            last = index + 1 == len(rows.starts)
            done = (height if last else rows.starts[index + 1]) - top
            step = max(1, SCORES_IN_STRIP // blended[0].size)
            for first in range(0, done, step):
                # No probability becomes zero, whose logarithm a CRF would take.
                part = np.maximum(blended[first : min(first + step, done), :width], _LEAST)
                yield np.log(part, out=part)
            blended[:-done] = blended[done:].copy()
            blended[-done:] = 0

    def _windows(
        self, band: np.ndarray, side: int, columns: "Axis"
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        for first in range(0, len(columns.starts), self.batch_size):
            batch = slice(first, first + self.batch_size)
            lefts = columns.starts[batch]
            pictures = np.full((len(lefts), side, columns.side, 3), self._outside, np.float32)
            for picture, left in zip(pictures, lefts, strict=True):
                part = band[:, left : left + columns.side]
                picture[: part.shape[0], : part.shape[1]] = part
            yield from zip(
                lefts, columns.weights[batch], self._probabilities(pictures), strict=True
            )

    def _probabilities(self, pictures: np.ndarray) -> np.ndarray:
        size, side = pictures.shape[1:3], self._network.input_size
        if side is not None and size != (side, side):
            # As regions are for training: bilinearly, half-pixel centres, no antialiasing.
            pictures = tf.raw_ops.ResizeBilinear(
                images=pictures, size=[side, side], half_pixel_centers=True
            )
        scores = self._network(pictures, self.batch_size)
        if scores.shape[1:3] != size:
            scores = tf.image.resize(scores, size, antialias=True)
        return tf.nn.softmax(scores).numpy()


class Axis(NamedTuple):
    """The windows along one side of an image: their length, first pixels, and weights.

    Weights are `(windows, side)` float32, and at every pixel of the image add up to one.
    """

    side: int
    starts: list[int]
    weights: np.ndarray


def axis_of(length: int, side: int, overlap: float, multiple: int = 1) -> Axis:
    """Places windows along one side of an image.

    Each follows the one before at `side * (1 - overlap)` pixels, rounded down to `multiple`; the
    last one is moved back to the end of the image.

    A weight rises from the edge of a window as sin^2 and is flat after `side * overlap` pixels: a
    tapered cosine (Tukey) window, a Hann window at an overlap of a half and more. It is nowhere
    zero; weights are divided by their sum. Pixels near the edge of a window, whose surroundings the
    network does not get, count least, no seam shows, and a single window keeps its scores.

    Args:
        length: pixels of the image. Where it is less than `side` there is one window.
        side: pixels of a window.
        overlap: the share of a window that it shares with the next one, in [0, 0.9].
        multiple: steps are multiples of it, so that a network that halves its maps gets each pixel
            in the same place of its grid; length and side must be multiples, too.

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
    ramp = min(side - step, side // 2)
    taper = np.ones(side)
    if ramp:
        taper[:ramp] = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / ramp) ** 2
        taper[-ramp:] = taper[ramp - 1 :: -1]
    total = np.zeros(last + side)
    for start in starts:
        total[start : start + side] += taper
    weights = [taper / total[start : start + side] for start in starts]
    return Axis(side, starts, np.array(weights, np.float32))


def resized(
    strips: Strips, size: tuple[int, ...], wanted: tuple[int, ...], most: int = SCORES_IN_STRIP
) -> Strips:
    """Resizes a score map bilinearly, antialiased where it shrinks, as its rows come.

    Args:
        strips: of a map with height and width `size`.
        wanted: height and width of the result.
        most: the most scores of a strip of the result, which has a row at least.

    Example:

    >>> coarse = iter([np.array([[[0.0]]], np.float32), np.array([[[4.0]]], np.float32)])
    >>> [strip[:, 0, 0].tolist() for strip in resized(coarse, (2, 1), (4, 1))]
    [[0.0, 1.0, 3.0, 4.0]]
    """
    if size == wanted:
        yield from strips
        return
    height, width = wanted
    scale = height / size[0]
    # The rows to either side of a point that have a weight there, and one for rounding.
    reach = max(1.0, 1 / scale) + 1
    held, first, done = None, 0, 0
    for strip in strips:
        held = strip if held is None else np.concatenate([held, strip])
        last = first + len(held)
        ready = height if last == size[0] else math.floor((last - reach) * scale)
        step = max(1, most // (width * held.shape[-1]))
        for top in range(done, ready, step):
            bottom = min(top + step, ready)
            region = [first * scale - top, 0.0, last * scale - top, float(width)]
            yield _part(held, region, [0, 0, bottom - top, width]).numpy()
        done = max(done, ready)
        needless = max(0, math.floor(done / scale - reach) - first)
        held, first = held[needless:], first + needless


def require_window(window: int | str | None, overlap: float) -> None:
    """Raises a `ValueError` for a `window` or `overlap` of `Segmenter` that is out of range."""
    whole = isinstance(window, int) and not isinstance(window, bool)
    if window not in (None, AUTO) and not (whole and 1 <= int(window or 0) <= LARGEST_WINDOW):
        raise ValueError(
            f"`window` must be a whole number of pixels from 1 to {LARGEST_WINDOW}, {AUTO!r}, or "
            f"None for none. Received: window={window!r}"
        )
    # Comparisons with NaN are false.
    if not 0 <= overlap <= MOST_OVERLAP:
        raise ValueError(
            f"`overlap` must be a share from 0 to {MOST_OVERLAP}. Received: overlap={overlap}"
        )


@tf.function(
    input_signature=[
        tf.TensorSpec((None, None, None)),
        tf.TensorSpec((4,)),
        tf.TensorSpec((4,), tf.int32),
    ]
)
def _part(scores: tf.Tensor, region: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
    return aggregate.resize_part(scores, region, part)


def _band(image: np.ndarray, height: int, width: int, top: int, bottom: int) -> np.ndarray:
    """Returns some rows of an image resized to another size, computed from the rows they need."""
    if image.shape[:2] == (height, width):
        return image[top:bottom]
    across, along = width / image.shape[1], height / image.shape[0]
    first = max(0, math.floor(top / along) - 2)
    rows = image[first : math.ceil(bottom / along) + 2]
    return tf.raw_ops.ScaleAndTranslate(
        images=rows[np.newaxis],
        size=[bottom - top, width],
        scale=[along, across],
        translation=[first * along - top, 0.0],
        kernel_type="triangle",
        antialias=False,
    )[0].numpy()
