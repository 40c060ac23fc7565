"""The CRF on combined scores, at a bounded number of pixels."""

import numpy as np
import tensorflow as tf

from tfdeconv.crf import DenseCRF
from tfdeconv.segmentation.aggregate import Canvas
from tfdeconv.segmentation.combiner import MAX_SCORES, canvas_size
from tfdeconv.segmentation.score_map import ScoreMap, collected, resized

# With 21 classes a pixel of a photograph needs 1140 bytes, one of noise 2850: 5 to 12 gigabytes.
MAX_PIXELS = 2**22


def refine(crf: DenseCRF, scores: tf.Tensor, image: np.ndarray) -> Canvas:
    """Applies a CRF to the softmax of the scores.

    Args:
        crf: the CRF.
        scores: `(rows, columns, classes)` float32 scores before softmax of the whole image.
        image: `(height, width, 3)` uint8 RGB of this or a larger size.

    Returns:
        The refined probabilities as a canvas of the scores' size, or where that has more than
        `MAX_PIXELS`, of a smaller one, to which image and probabilities were reduced.
    """
    rows, columns = scores.shape[:2]
    # With so many scores a pixel, the canvas's limit is one of pixels.
    size = canvas_size(rows, columns, MAX_SCORES // MAX_PIXELS)
    probabilities = tf.nn.softmax(scores)
    if size != (rows, columns):
        probabilities = tf.image.resize(probabilities, size, antialias=True)
    if size != image.shape[:2]:
        image = tf.cast(tf.round(tf.image.resize(image, size, antialias=True)), tf.uint8)
    refined = crf(probabilities, tf.convert_to_tensor(image))
    return Canvas(refined, tf.ones(size))


def refine_map(crf: DenseCRF, scores: ScoreMap, image: np.ndarray, num_classes: int) -> ScoreMap:
    """Applies a CRF to a map of the whole image, as `refine`.

    Args:
        crf: the CRF.
        scores: the map, of the image's or another size.
        image: `(height, width, 3)` uint8 RGB.
        num_classes: number of classes.

    Returns:
        The refined probabilities at the size at which they were refined.
    """
    height, width = image.shape[:2]
    # The image's own size as far as so many scores can be held.
    rows, columns = canvas_size(height, width, num_classes)
    held = tf.convert_to_tensor(collected(resized(scores, rows, columns)))
    refined = refine(crf, held, image).scores
    return ScoreMap(refined.shape[0], refined.shape[1], [refined])
