"""Windows that slide over an image at its own resolution, blended into one score map.

A row of windows is worked on at a time: as soon as no further window touches a row of pixels, its
scores are final and passed on. Held are the rows that one row of windows covers; memory grows with
the width of an image and not with its height.
"""

import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.data.whole_images import MEAN_COLOUR
from tfdeconv.segmentation.any_size import run_any_size, size_rule
from tfdeconv.segmentation.augmented import mean_of_views, with_mirror_image
from tfdeconv.segmentation.checks import as_scores
from tfdeconv.segmentation.graph import runner
from tfdeconv.segmentation.score_map import SCORES_IN_STRIP, ScoreMap, resized
from tfdeconv.segmentation.window_grid import Axis, axis_of

# The window of a network that takes any size: about the side of the photographs of PASCAL VOC, for
# which FCN was made.
_OPEN_WINDOW = 512
# What a batch shows a network: 16 windows of 224 pixels have 0.8 million, 4 of 512 a million.
_PIXELS_IN_BATCH = 2**20
_LEAST = np.finfo(np.float32).tiny


class SlidingWindows:
    """Runs a network over overlapping square windows of an image, without proposals.

    What a network says of a window is turned into probabilities, which are averaged where windows
    overlap, weighted by how far a pixel is inside (`tfdeconv.segmentation.window_grid`). The last
    windows of a row and a column are moved inward to the border of the image, or for a network for
    multiples of a number (`tfdeconv.layers.RequireSize`) of the image with the rows and columns
    that `WholeImage`, too, adds below and to the right. All windows then stand on multiples
    of it, and wherever they show as much of its surroundings as the network looks at, a pixel has
    the scores that it has in the whole image. An image smaller than the window is shown as a whole,
    to a network of a fixed size with black for the rest of the window.

    Args:
        model: Keras model from RGB in [0, 255], of one square size or of any, to scores.
        window: side of the windows in pixels of the image as it is shown; None for the network's
            input, or 512 where it takes any size. Where the two differ, windows are resized to the
            input; a network for multiples of a number gets the next larger multiple.
        overlap: the share of a window's side that the next one covers, too, in [0, 0.9].
        batch_size: the most windows of a batch, fewer of large ones.
        flip: whether the network sees the mirror image of every window, too.
        scales: what the size of the image is multiplied by before windows slide over it, one view
            each.
    """

    needs_boxes = False
    images_in_batch = 1

    def __init__(
        self,
        model: keras.Model,
        window: int | None,
        overlap: float,
        batch_size: int,
        flip: bool,
        scales: Sequence[float],
    ) -> None:
        self._input, self._classes = model.input_shape[1], model.output_shape[-1]
        self._overlap, self._scales = overlap, scales
        self._rule = size_rule(model)
        # What networks see around an image in training.
        self._outside = (0, 0, 0) if self._input else MEAN_COLOUR
        side = window or self._input or _OPEN_WINDOW
        self.window = side if self._input else max(self._rule.fit(side, side))
        # Windows are held at their own size and at the network's.
        pixels = max(self._input or 0, self.window) ** 2
        self.batch_size = max(1, min(batch_size, _PIXELS_IN_BATCH // pixels))
        self.run = runner(model, self.batch_size)
        if flip:
            self.run = with_mirror_image(self.run)

    def regions(self, height: int, width: int, boxes: np.ndarray) -> np.ndarray:
        """Returns the windows of all scales in pixels of the image: `(m, 4)` int32."""
        found = []
        for scale in self._scales:
            size = _scaled(height, scale), _scaled(width, scale)
            rows, columns = self._axes(*size)
            factors = np.tile([height / size[0], width / size[1]], 2)
            for top in rows.starts:
                for left in columns.starts:
                    box = np.array([top, left, top + rows.side, left + columns.side])
                    found.append((box * factors).round())
        return np.array(found, np.int32)

    def scores(self, image: np.ndarray, boxes: np.ndarray) -> ScoreMap:
        """Returns the logarithms of the blended probabilities of an image, row by row.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            boxes: not used.

        Raises:
            UserError: while the map is gone through: when the network cannot take the size of a
                window, or gives NaN.
        """
        height, width = image.shape[:2]
        views = []
        for scale in self._scales:
            size = _scaled(height, scale), _scaled(width, scale)
            views.append(resized(ScoreMap(*size, self._strips(image, *size)), height, width))
        return mean_of_views(views)

    def _axes(self, height: int, width: int) -> tuple[Axis, Axis]:
        sides, multiple = (self.window, self.window), 1
        if self._input is None:
            height, width = self._rule.fit(height, width)
            sides, multiple = (min(height, sides[0]), min(width, sides[1])), self._rule.multiple
        rows, columns = (
            axis_of(length, side, self._overlap, multiple)
            for length, side in zip((height, width), sides, strict=True)
        )
        return rows, columns

    def _strips(self, image: np.ndarray, height: int, width: int) -> Iterator[np.ndarray]:
        rows, columns = self._axes(height, width)
        blended = np.zeros((rows.side, columns.starts[-1] + columns.side, self._classes), "f4")
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
        self, band: np.ndarray, side: int, columns: Axis
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
        size = pictures.shape[1:3]
        if self._input is None:
            scores = run_any_size(self.run, pictures)
        else:
            if size != (self._input, self._input):
                # As regions are for training: bilinearly, half-pixel centres, no antialiasing.
                pictures = tf.raw_ops.ResizeBilinear(
                    images=pictures, size=[self._input] * 2, half_pixel_centers=True
                ).numpy()
            scores = self.run(pictures)
        scores = as_scores(scores)
        if scores.shape[1:3] != size:
            scores = tf.image.resize(scores, size, antialias=True)
        return tf.nn.softmax(scores).numpy()


def _scaled(length: int, scale: float) -> int:
    return max(1, round(scale * length))


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
