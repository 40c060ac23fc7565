"""All score maps of an image at once, by the functions that take them in batches."""

import numpy as np
import tensorflow as tf

from tfdeconv.segmentation.aggregate import add, finish, start


def aggregate(
    scores: tf.Tensor | np.ndarray,
    regions: tf.Tensor | np.ndarray,
    height: int,
    width: int,
    mode: str = "max",
) -> tf.Tensor:
    """Combines the `(n, rows, columns, classes)` score maps of `(n, 4)` regions of an image."""
    canvas = start(height, width, tf.shape(scores)[-1], mode)
    result = finish(add(canvas, scores, regions, mode), mode)
    return tf.ensure_shape(result, (None, None, scores.shape[-1]))
