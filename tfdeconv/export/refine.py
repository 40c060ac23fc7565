"""The CRF on combined scores in the graph, at a bounded number of pixels."""

import tensorflow as tf

from tfdeconv.crf import DenseCRF
from tfdeconv.export.label_maps import canvas_size
from tfdeconv.segmentation.combiner import MAX_SCORES
from tfdeconv.segmentation.refine import MAX_PIXELS


def refine(crf: DenseCRF, scores: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Does what `tfdeconv.segmentation.refine.refine` does, for images of unknown size.

    Args:
        crf: the CRF, with the backend of TensorFlow.
        scores: `(rows, columns, classes)` float32 scores before softmax of the whole image.
        image: `(height, width, 3)` uint8 RGB of this or a larger size.

    Returns:
        `(r, c, classes)` float32 probabilities, of the scores' size where that has at most
        `MAX_PIXELS`, else of a smaller one.
    """
    rows, columns = tf.unstack(tf.shape(scores)[:2])
    size = tf.stack(canvas_size(rows, columns, MAX_SCORES // MAX_PIXELS))
    probabilities = _resized(tf.nn.softmax(scores), size)
    colours = tf.cond(
        tf.reduce_all(size == tf.shape(image)[:2]),
        lambda: image,
        lambda: tf.cast(tf.round(_resized(tf.cast(image, tf.float32), size)), tf.uint8),
    )
    return crf(probabilities, tf.ensure_shape(colours, (None, None, 3)))


def _resized(maps: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    resized = tf.cond(
        tf.reduce_all(size == tf.shape(maps)[:2]),
        lambda: maps,
        lambda: tf.image.resize(maps, size, antialias=True),
    )
    return tf.ensure_shape(resized, (None, None, maps.shape[-1]))
