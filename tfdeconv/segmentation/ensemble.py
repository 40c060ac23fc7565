"""Two networks as one: EDeconvNet of the paper is DeconvNet with FCN-8s (section 5.2).

What is combined is what each says of the whole image. The result are logarithms of probabilities:
scores like those of a single network, whose softmax, or exponential, are the probabilities of the
classes, and whose largest is the label.
"""

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.models import class_names

MODES = ("mean", "product")

# Scores beyond it, infinite ones among them, mean nothing; their products stay finite.
_LARGEST = 1e18


def combine(scores_a: tf.Tensor, scores_b: tf.Tensor, mode: str = "mean") -> tf.Tensor:
    """Combines the scores of two networks for the same pixels.

    `"mean"` is what the paper describes: the mean of the two probability maps, that is, of the
    softmax of each. `"product"` is what the release does: scores below zero become zero, are
    multiplied class by class, and the softmax of the products are the probabilities. A class that
    either network scores at zero or less so falls to a product of zero, and a pixel of which one of
    them says nothing (zero for all classes) is background, the first of equals.

    Everything is computed with logarithms: no probability becomes zero, whose logarithm a CRF
    would take.

    Args:
        scores_a: `(..., classes)` float scores before softmax.
        scores_b: The same of the other network, `(..., classes)`.
        mode: `"mean"` or `"product"`.

    Returns:
        `(..., classes)` float32 logarithms of probabilities, finite and at most 0.

    Raises:
        ValueError: when `mode` is neither.

    Example:

    >>> a, b = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
    >>> [round(float(probability), 3) for probability in np.exp(combine(a, b))[0]]
    [0.7, 0.3]
    >>> combine([[2.0, 3.0, -1.0]], [[3.0, 1.0, 9.0]], "product").numpy().argmax(axis=-1).tolist()
    [0]

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        section 5.2; `generate_EDeconvNet_CRF_results.m` of the release.
    """
    if mode not in MODES:
        raise ValueError(f"`mode` must be one of {MODES}. Received: mode={mode!r}")
    least = 0.0 if mode == "product" else -_LARGEST
    a, b = (
        tf.clip_by_value(tf.cast(scores, tf.float32), least, _LARGEST)
        for scores in (scores_a, scores_b)
    )
    if mode == "product":
        return tf.nn.log_softmax(a * b)
    a, b = tf.nn.log_softmax(a), tf.nn.log_softmax(b)
    return tf.maximum(a, b) + tf.math.log1p(tf.exp(-tf.abs(a - b))) - np.log(2.0)


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
