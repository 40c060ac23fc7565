"""The multi-scale grid in the graph: boxes for whoever sends a photograph and nothing else."""

import tensorflow as tf

# The defaults of `tfdeconv.proposals.multi_scale_grid`.
_SCALES = (0.5, 0.25, 0.125)
_OVERLAP = 0.5


def multi_scale_grid(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns what `tfdeconv.proposals.multi_scale_grid` returns, in the graph.

    Args:
        height: rows of the image, a scalar int32 tensor, at least 1.
        width: columns of the image, likewise.

    Returns:
        `(n, 4)` float32 boxes, at most 337, none of them twice.

    Example:

    >>> multi_scale_grid(tf.constant(2), tf.constant(4)).numpy().astype(int).tolist()[:4]
    [[0, 0, 2, 4], [0, 0, 2, 2], [0, 1, 2, 3], [0, 2, 2, 4]]
    """
    longer = tf.cast(tf.maximum(height, width), tf.float64)
    boxes = [tf.stack([0, 0, height, width])[tf.newaxis]]
    for scale in _SCALES:
        side = tf.maximum(tf.cast(tf.round(scale * longer), tf.int32), 1)
        top, left = tf.meshgrid(_starts(height, side), _starts(width, side), indexing="ij")
        bottom, right = tf.minimum(top + side, height), tf.minimum(left + side, width)
        boxes.append(tf.reshape(tf.stack([top, left, bottom, right], axis=-1), (-1, 4)))
    unique, _ = tf.raw_ops.UniqueV2(x=tf.concat(boxes, axis=0), axis=[0])
    return tf.ensure_shape(tf.cast(unique, tf.float32), (None, 4))


def _starts(length: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    free = tf.maximum(length - side, 0)
    step = tf.cast(side, tf.float64) * (1 - _OVERLAP)
    gaps = tf.minimum(tf.cast(tf.math.ceil(tf.cast(free, tf.float64) / step), tf.int32), free)
    # In this order of operations as np.linspace, whose halves would otherwise fall elsewhere.
    distance = tf.cast(free, tf.float64) / tf.cast(tf.maximum(gaps, 1), tf.float64)
    starts = tf.range(tf.cast(gaps + 1, tf.float64), dtype=tf.float64) * distance
    return tf.cast(tf.floor(starts + 0.5), tf.int32)
