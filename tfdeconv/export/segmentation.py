"""The steps of `tfdeconv.segmentation.pipeline` for one image as one graph."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfdeconv.export.label_png import encode_label_png
from tfdeconv.segmentation.aggregate import Canvas
from tfdeconv.segmentation.pipeline import (
    canvas_spec,
    label_pixels,
    largest_probability,
    refine,
)
from tfdeconv.segmentation.regions import multi_scale_grid
from tfdeconv.segmentation.segmenter import Segmenter

Network = Callable[[tf.Tensor], tf.Tensor]

_IMAGE = tf.TensorSpec((None, None, 3), tf.uint8)


class Summary(NamedTuple):
    """A label map as a server sends it.

    Attributes:
        png: scalar string, the palette PNG.
        class_ids: `(classes,)` int32, the classes present by decreasing share, then -1.
        class_shares: `(classes,)` float32, their shares of the pixels, then 0.
    """

    png: tf.Tensor
    class_ids: tf.Tensor
    class_shares: tf.Tensor


class ImageSegmenter:
    """Labels the pixels of one image, by graphs that stand once in the file.

    Args:
        segmenter: Gives the steps and the CRF; its own search for boxes has no part in the graph.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter, self._pipeline = segmenter, segmenter.pipeline
        boxes, count = tf.TensorSpec((None, 4), tf.float32), tf.TensorSpec((), tf.int32)
        self.whole = tf.function(self._whole, input_signature=[_IMAGE], autograph=False)
        self.by_boxes = tf.function(
            self._by_boxes, input_signature=[_IMAGE, boxes, count], autograph=False
        )

    def _by_boxes(
        self, image: tf.Tensor, boxes: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Labels an image in regions.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            boxes: `(n, 4)` float32 proposals, best first.
            count: scalar int32, how many of them to use, below 0 for the multi-scale grid in their
                place.

        Returns:
            `(height, width)` uint8 labels, and the `(height, width)` float32 probability of each.
        """
        height, width = tf.unstack(tf.shape(image)[:2])
        boxes = tf.cond(count < 0, lambda: multi_scale_grid(height, width), lambda: boxes[:count])
        return self._labelled(image, boxes)

    def _whole(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Labels an image as a whole; result as `_by_boxes`."""
        return self._labelled(image, tf.zeros((0, 4)))

    def _labelled(self, image: tf.Tensor, boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        height, width = tf.unstack(tf.shape(image)[:2])
        scores = self._scores(image, boxes, height, width)
        if self._segmenter.crf is None:
            return label_pixels(scores, height, width, largest_probability)
        refined = refine(self._segmenter.crf, scores, image)
        return label_pixels(refined, height, width, _largest)

    def _scores(
        self, image: tf.Tensor, boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor
    ) -> tf.Tensor:
        pipeline = self._pipeline
        regions = pipeline.regions(boxes, height, width)

        def add_batch(first: tf.Tensor, canvas: Canvas) -> tuple[tf.Tensor, Canvas]:
            batch = regions[first : first + pipeline.batch_size]
            scores = pipeline.network.graph(pipeline.pictures(image, batch))
            canvas = pipeline.add(canvas, scores, batch, height, width)
            return first + pipeline.batch_size, canvas

        shapes = tf.nest.map_structure(lambda spec: spec.shape, canvas_spec(pipeline.num_classes))
        _, canvas = tf.while_loop(
            lambda first, _: first < tf.shape(regions)[0],
            add_batch,
            (0, pipeline.start(height, width)),
            shape_invariants=(tf.TensorShape(()), shapes),
            parallel_iterations=1,
        )
        return pipeline.finish(canvas)


def summarise(labels: tf.Tensor, num_classes: int) -> Summary:
    """Turns `(height, width)` uint8 labels into what `Summary` says."""
    flat = tf.reshape(tf.cast(labels, tf.int32), [-1])
    counts = tf.math.bincount(flat, minlength=num_classes, maxlength=num_classes)
    # Of equals, the first one comes first.
    counts, order = tf.math.top_k(counts, num_classes)
    shares = tf.cast(counts / tf.size(labels), tf.float32)
    return Summary(encode_label_png(labels), tf.where(counts > 0, order, -1), shares)


def _largest(probabilities: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(probabilities, axis=-1)
