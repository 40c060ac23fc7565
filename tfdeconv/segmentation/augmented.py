"""Test-time augmentation: the mean of what a network says of several views of an image.

Views are the picture and its mirror image, at one size or at several. Averaged are probabilities,
pixel by pixel, and the results are their logarithms: scores like those of a single view.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfdeconv.segmentation.score_map import ScoreMap, combined


def mean_probabilities(*scores: np.ndarray) -> tf.Tensor:
    """Returns the logarithms of the mean of the softmax of scores.

    Args:
        *scores: `(..., classes)` float32 scores before softmax, one array a view.

    Returns:
        `(..., classes)` float32, finite and at most 0: no probability becomes zero.

    Example:

    >>> scores = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
    >>> np.exp(mean_probabilities(*scores)).round(3).tolist()
    [[0.7, 0.3]]
    """
    logarithms = tf.stack([tf.nn.log_softmax(one) for one in scores])
    return tf.reduce_logsumexp(logarithms, axis=0) - math.log(len(scores))


def mean_of_views(maps: Sequence[ScoreMap]) -> ScoreMap:
    """Returns the mean of what was seen in several views of an image; one alone is left as it is.

    Args:
        maps: scores before softmax of the image, one map a view.
    """
    return maps[0] if len(maps) == 1 else combined(maps, mean_probabilities)


def with_mirror_image(
    run: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what runs a network on pictures and on their mirror images.

    Each picture is mirrored as the network is shown it, from left to right and with the black that
    was added to it: its regions and windows are then the mirror images of the others.

    Args:
        run: `(n, rows, columns, 3)` float32 pictures to `(n, ..., ..., classes)` scores.

    Returns:
        The same for the mean of the probabilities of both, those of the mirror image mirrored back.
    """

    def run_both(pictures: np.ndarray) -> np.ndarray:
        mirrored = run(np.ascontiguousarray(pictures[:, :, ::-1]))
        return mean_probabilities(run(pictures), mirrored[:, :, ::-1]).numpy()

    return run_both
