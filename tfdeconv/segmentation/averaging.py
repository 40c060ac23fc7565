"""Combining score maps of the same pixels: of two networks (an ensemble), mirror images, scales.

The results are logarithms of probabilities: scores like those of a single network, whose softmax,
or exponential, are the probabilities of the classes, and whose largest is the label. No probability
becomes zero, whose logarithm a CRF would take.

Score maps come in strips, `(rows, width, classes)` float32 from top to bottom, so that nothing but
the result is held at full size.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.choices import SCALES
from tfdeconv.errors import UserError
from tfdeconv.models import class_names

Strips = Iterator[np.ndarray]

# Scores beyond it, infinite ones among them, mean nothing; their products stay finite.
_LARGEST = 1e18
SCORES_IN_STRIP = 2**22


def mean_probabilities(*scores: tf.Tensor) -> tf.Tensor:
    """Returns the logarithms of the mean of the softmax of scores, `(..., classes)` each.

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
    """Combines the `(..., classes)` scores of two networks as the release does.

    Scores below zero become zero, and those of a class are multiplied; the softmax of the products
    are the probabilities, whose logarithms are returned. A class that either network scores at zero
    or less has a product of zero. Of equal classes the first, the background, wins.

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


def in_strips(scores: tf.Tensor) -> Strips:
    """Cuts `(rows, columns, classes)` scores into strips of at most `SCORES_IN_STRIP` scores."""
    rows, columns, classes = scores.shape
    step = max(1, SCORES_IN_STRIP // (columns * classes))
    return (scores[top : top + step] for top in range(0, rows, step))


def combined(combine: Callable[..., tf.Tensor], maps: Sequence[Strips]) -> Strips:
    """Combines score maps of one size, as many rows at a time as all have ready.

    Args:
        combine: as many strips of the same rows to one.
        maps: the strips of each; a single map is left as it is.
    """
    if len(maps) == 1:
        yield from maps[0]
        return
    held = [next(strips, None) for strips in maps]
    while (parts := [one for one in held if one is not None]) and len(parts) == len(maps):
        rows = min(map(len, parts))
        yield np.asarray(combine(*(one[:rows] for one in parts)))
        held = [
            one[rows:] if len(one) > rows else next(strips, None)
            for one, strips in zip(parts, maps, strict=True)
        ]


def collected(strips: Iterable[np.ndarray], height: int, width: int, classes: int) -> np.ndarray:
    """Returns the `(height, width, classes)` float32 score map that comes in strips."""
    scores, done = np.empty((height, width, classes), np.float32), 0
    for strip in strips:
        scores[done : done + len(strip)] = strip
        done += len(strip)
    return scores


def as_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """Returns scales as a tuple, or raises a `ValueError` when one is out of range."""
    least, most = SCALES
    found = tuple(map(float, scales))
    if not found or not all(least <= one <= most for one in found):
        raise ValueError(
            f"`scales` must be one or more numbers from {least:g} to {most:g}. Received: "
            f"scales={scales}"
        )
    return found


def require_same_classes(model: keras.Model, other: keras.Model, name: str = "ensemble") -> None:
    """Raises a `UserError` for networks with different classes; `name` is the other's argument."""
    counts = [network.output_shape[-1] for network in (model, other)]
    names = [class_names(network) for network in (model, other)]
    if counts[0] != counts[1] or (None not in names and names[0] != names[1]):
        first, second = (
            f"{count} ({', '.join(known or ('without names',))})"
            for count, known in zip(counts, names, strict=True)
        )
        raise UserError(
            f"`{name}` must be trained for the classes of the model, in the same order. Received: "
            f"{second} instead of {first}. Train both on the same data."
        )
