"""One score map of several: two networks (an ensemble), mirror images, an image at several sizes.

What is combined is what each says of the same pixels. The results are logarithms of probabilities:
scores like those of a single network, whose softmax, or exponential, are the probabilities of the
classes, and whose largest is the label. No probability becomes zero, whose logarithm a CRF would
take.
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.choices import SCALES
from tfdeconv.errors import UserError
from tfdeconv.models import class_names

# Scores beyond it, infinite ones among them, mean nothing; their products stay finite.
_LARGEST = 1e18
_SCORES_IN_STRIP = 2**22


def mean_probabilities(*scores: tf.Tensor) -> tf.Tensor:
    """Returns the logarithms of the mean of the softmax of scores.

    For an ensemble this is what the paper describes: the mean of two probability maps.

    Args:
        *scores: `(..., classes)` float scores before softmax, one tensor a view or network.

    Returns:
        `(..., classes)` float32, finite and at most 0.

    Example:

    >>> scores = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
    >>> [round(float(probability), 3) for probability in np.exp(mean_probabilities(*scores))[0]]
    [0.7, 0.3]

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        section 5.2.
    """
    clipped = (tf.clip_by_value(tf.cast(one, tf.float32), -_LARGEST, _LARGEST) for one in scores)
    logarithms = tf.stack([tf.nn.log_softmax(one) for one in clipped])
    return tf.reduce_logsumexp(logarithms, axis=0) - math.log(len(scores))


def product_of_scores(scores_a: tf.Tensor, scores_b: tf.Tensor) -> tf.Tensor:
    """Combines the scores of two networks as the release does.

    Scores below zero become zero, are multiplied class by class, and the softmax of the products
    are the probabilities. A class that either network scores at zero or less so falls to a product
    of zero, and a pixel of which one of them says nothing (zero for all classes) is background, the
    first of equals.

    Args:
        scores_a: `(..., classes)` float scores before softmax.
        scores_b: The same of the other network, `(..., classes)`.

    Returns:
        `(..., classes)` float32 logarithms of probabilities, finite and at most 0.

    Example:

    >>> product_of_scores([[2.0, 3.0, -1.0]], [[3.0, 1.0, 9.0]]).numpy().argmax(axis=-1).tolist()
    [0]

    Reference:
        `generate_EDeconvNet_CRF_results.m` of the release of DeconvNet.
    """
    a, b = (
        tf.clip_by_value(tf.cast(scores, tf.float32), 0.0, _LARGEST)
        for scores in (scores_a, scores_b)
    )
    return tf.nn.log_softmax(a * b)


# How two networks become one, by name.
ENSEMBLE_MODES = {"mean": mean_probabilities, "product": product_of_scores}


def combined(combine: Callable[..., tf.Tensor], maps: Sequence[tf.Tensor]) -> tf.Tensor:
    """Combines score maps of an image a strip of rows at a time; one alone is left as it is.

    Args:
        combine: `mean_probabilities` or `product_of_scores`.
        maps: `(rows, columns, classes)` float32 each, all of one size.

    Returns:
        `(rows, columns, classes)` float32.
    """
    if len(maps) == 1:
        return maps[0]
    rows, columns, classes = maps[0].shape
    result = np.empty((rows, columns, classes), np.float32)
    step = max(1, _SCORES_IN_STRIP // (columns * classes))
    for top in range(0, rows, step):
        result[top : top + step] = combine(*(one[top : top + step] for one in maps))
    return result


def as_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """Returns scales as a tuple.

    Raises:
        ValueError: when there are none, or one is out of range.
    """
    least, most = SCALES
    found = tuple(map(float, scales))
    if not found or not all(least <= one <= most for one in found):
        raise ValueError(
            f"`scales` must be one or more numbers from {least:g} to {most:g}. Received: "
            f"scales={scales}"
        )
    return found


def require_same_classes(model: keras.Model, other: keras.Model, name: str = "ensemble") -> None:
    """Makes sure that two networks, of which `name` is the argument of the other, share classes.

    Raises:
        UserError: when their numbers differ, or their names where both bring them along.
    """
    counts = [network.output_shape[-1] for network in (model, other)]
    names = [class_names(network) for network in (model, other)]
    if counts[0] != counts[1] or (None not in names and names[0] != names[1]):
        first, second = (
            f"{count} ({', '.join(known or ('without names',))})"
            for count, known in zip(counts, names, strict=True)
        )
        raise UserError(
            f"`{name}` must be trained for the classes of the model, in the same order. Received: "
            f"{second} beside {first}. Train both on the same data."
        )
