"""Combining regions in batches on a canvas of bounded size, for images of any size.

Regions are in pixels of the image. Where the image has too many pixels for its scores to be held,
the canvas is smaller, and labels and scores are enlarged strip by strip as they are read.
"""

import math

import numpy as np
import tensorflow as tf

from tfdeconv.segmentation import aggregate
from tfdeconv.segmentation.aggregate import Canvas
from tfdeconv.segmentation.score_map import (
    SCORES_IN_STRIP,
    ScoreMap,
    label_pixels,
    resized,
)

# Scores on the canvas, height x width x classes: a quarter of a gigabyte, held three times at most.
MAX_SCORES = 2**26
_SCORES_IN_STRIP = SCORES_IN_STRIP


def canvas_size(height: int, width: int, num_classes: int) -> tuple[int, int]:
    """Returns height and width of the canvas on which an image's scores are combined.

    Args:
        height: rows of the image.
        width: columns of the image.
        num_classes: number of classes.

    Returns:
        The image's own size where that makes at most `MAX_SCORES` scores, otherwise a smaller one
        of nearly the same proportions.

    Example:

    >>> canvas_size(375, 500, num_classes=21), canvas_size(8000, 10_000, num_classes=21)
    ((375, 500), (1598, 1998))
    """
    factor = math.sqrt(MAX_SCORES / (height * width * num_classes))
    if factor >= 1:
        return height, width
    # The narrow side first: it cannot go below one pixel, and the other one makes up for that.
    narrow = max(1, int(min(height, width) * factor))
    wide = min(
        max(height, width), int(max(height, width) * factor), MAX_SCORES // (narrow * num_classes)
    )
    return (narrow, wide) if height < width else (wide, narrow)


class Combiner:
    """The steps of combining as graphs that fit every image: traced once each, not once a size.

    Args:
        num_classes: number of classes.
        mode: `"max"` or `"mean"`, see `aggregate`.

    Example:

    >>> combiner = Combiner(num_classes=2, mode="max")
    >>> canvas = combiner.start(1, 4)
    >>> canvas = combiner.add(canvas, [[[[0, 3]]]], [[0, 0, 1, 2]], height=1, width=4)
    >>> combiner.labels(canvas, 1, 4).tolist()
    [[1, 1, 0, 0]]
    """

    def __init__(self, num_classes: int, mode: str) -> None:
        self.num_classes, self.mode = num_classes, mode
        number, map_ = tf.TensorSpec((), tf.int32), tf.TensorSpec((None, None, num_classes))
        canvas = Canvas(map_, tf.TensorSpec((None, None)))
        regions = (
            tf.TensorSpec((None, None, None, num_classes)),
            tf.TensorSpec((None, 4), tf.int32),
        )
        self._add = tf.function(
            self._add_regions, input_signature=[canvas, *regions, number, number]
        )
        self._finish = tf.function(self._finish_canvas, input_signature=[canvas])

    def start(self, height: int, width: int) -> Canvas:
        """Returns an empty canvas for an image."""
        rows, columns = canvas_size(height, width, self.num_classes)
        return aggregate.start(rows, columns, self.num_classes, self.mode)

    def add(
        self, canvas: Canvas, scores: np.ndarray, regions: np.ndarray, height: int, width: int
    ) -> Canvas:
        """Combines the scores of some more regions into a canvas.

        Args:
            canvas: from `start` or `add`.
            scores: `(n, rows, columns, classes)` float32.
            regions: `(n, 4)` int32 boxes in the image.
            height: rows of the image.
            width: columns of the image.
        """
        return self._add(canvas, scores, regions, height, width)

    def result(self, canvas: Canvas) -> tf.Tensor:
        """Returns the combined scores of a canvas: `(rows, columns, classes)` float32."""
        return self._finish(canvas)

    def score_map(self, canvas: Canvas) -> ScoreMap:
        """Returns the combined scores of a canvas as a map of the canvas's size."""
        height, width = canvas.count.shape
        return ScoreMap(height, width, [self.result(canvas)])

    def labels(self, canvas: Canvas, height: int, width: int) -> np.ndarray:
        """Returns the class of the largest score, the first of equals: `(height, width)` uint8."""
        return label_pixels(resized(self.score_map(canvas), height, width, _SCORES_IN_STRIP))

    def _add_regions(
        self,
        canvas: Canvas,
        scores: tf.Tensor,
        regions: tf.Tensor,
        height: tf.Tensor,
        width: tf.Tensor,
    ) -> Canvas:
        image = tf.cast(tf.stack([height, width]), tf.float32)
        scale = tf.cast(tf.shape(canvas.count), tf.float32) / image
        regions = tf.cast(regions, tf.float32) * tf.tile(scale, [2])
        return aggregate.add(canvas, scores, regions, self.mode)

    def _finish_canvas(self, canvas: Canvas) -> tf.Tensor:
        return aggregate.finish(canvas, self.mode)
