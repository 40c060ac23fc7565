"""`Segmenter.segment` for one image as one graph: boxes, regions, network, aggregation, CRF."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfdeconv.data.crops import crop_images
from tfdeconv.export.grid import multi_scale_grid
from tfdeconv.export.label_maps import combine_scores, label_pixels
from tfdeconv.export.label_png import encode_label_png
from tfdeconv.export.refine import refine
from tfdeconv.segmentation.regions import choose_regions
from tfdeconv.segmentation.segmenter import Segmenter

Network = Callable[[tf.Tensor], tf.Tensor]
ImageSegmenter = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


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


def image_segmenter(segmenter: Segmenter, network: Network, size: int) -> ImageSegmenter:
    """Returns the graph that labels the pixels of one image.

    It is one function, so that it stands once in the file, however many signatures call it.

    Args:
        segmenter: Gives the number of boxes, the way to combine scores, and the CRF; its own search
            for boxes has no part in the graph.
        network: `(n, size, size, 3)` float32 crops -> `(n, rows, columns, classes)` float32 scores.
        size: side of the network's input in pixels.

    Returns:
        A function of an image, `(height, width, 3)` uint8 RGB; proposals, `(n, 4)` float32, best
        first; and a scalar int32, how many of them to use, below 0 for the multi-scale grid in
        their place. It gives `(height, width)` uint8 labels, and `(height, width)` float32, the
        probability of each.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, 3), tf.uint8),
            tf.TensorSpec((None, 4), tf.float32),
            tf.TensorSpec((), tf.int32),
        ],
        autograph=False,
    )
    def segment(
        image: tf.Tensor, boxes: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        height, width = tf.unstack(tf.shape(image)[:2])
        boxes = tf.cond(count < 0, lambda: multi_scale_grid(height, width), lambda: boxes[:count])
        regions = choose_regions(boxes, height, width, segmenter.boxes, size)

        def region_scores(batch: tf.Tensor) -> tf.Tensor:
            return network(crop_images(image, batch, size))

        return label_regions(segmenter, region_scores, regions, image)

    return segment


def label_regions(
    segmenter: Segmenter, region_scores: Network, regions: tf.Tensor, image: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels an image by what the network says of its regions.

    Args:
        segmenter: Gives the way to combine scores, and the CRF.
        region_scores: `(n, 4)` int32 regions -> `(n, rows, columns, classes)` float32 scores.
        regions: `(m, 4)` int32, in pixels of the image, m at least 1.
        image: `(height, width, 3)` uint8 RGB.

    Returns:
        `(height, width)` uint8 labels, and the `(height, width)` float32 probability of each.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    scores = combine_scores(segmenter, region_scores, regions, height, width)
    if segmenter.crf is None:
        return label_pixels(scores, height, width)
    refined = refine(segmenter.crf, scores, image)
    return label_pixels(refined, height, width, probabilities=True)


def summarise(labels: tf.Tensor, num_classes: int) -> Summary:
    """Turns `(height, width)` uint8 labels into what `Summary` says."""
    flat = tf.reshape(tf.cast(labels, tf.int32), [-1])
    counts = tf.math.bincount(flat, minlength=num_classes, maxlength=num_classes)
    # Of equals, the first one comes first.
    counts, order = tf.math.top_k(counts, num_classes)
    shares = tf.cast(counts / tf.size(labels), tf.float32)
    return Summary(encode_label_png(labels), tf.where(counts > 0, order, -1), shares)
