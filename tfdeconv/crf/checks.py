"""What a CRF asks of its kernels, probabilities and images."""

import math
import numbers
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

# How far the probabilities of a pixel may sum from one: half precision is 0.002 off.
TOLERANCE = 0.01
# Narrower kernels join a pixel to itself alone, and their lattices have too many places.
_NARROWEST = 0.5


def check_kernel(name: str, values: Sequence[float] | None, parts: tuple[str, ...]) -> None:
    """Refuses what is no kernel: not one finite number for each part, too narrow, or below 0.

    Raises:
        ValueError: which names the argument.
    """
    if values is None:
        return
    if (
        not isinstance(values, Sequence)
        or len(values) != len(parts)
        or not all(isinstance(value, numbers.Real) and math.isfinite(value) for value in values)
        or min(values[:-1]) < _NARROWEST
        or values[-1] < 0
    ):
        raise ValueError(
            f"`{name}` must be None or a tuple ({', '.join(parts)}): standard deviations of at "
            f"least {_NARROWEST} and a weight of at least 0. Received: {name}={values!r}"
        )


def check_shapes(probabilities: tf.TensorShape, image: tf.TensorShape, dtype: tf.DType) -> None:
    """Refuses arrays of other shapes, as far as they are known.

    Raises:
        ValueError: which names both shapes.
    """
    kind = probabilities.is_compatible_with([None] * 3) and image.is_compatible_with([None] * 3)
    if (
        not kind
        or not image[2:].is_compatible_with([3])
        or not image[:2].is_compatible_with(probabilities[:2])
        or 0 in probabilities[:2]
        or dtype != tf.uint8
    ):
        raise ValueError(
            "`probabilities` must be (height, width, classes) and `image` (height, width, 3) uint8 "
            f"RGB of the same size. Received: probabilities {probabilities}, image {image} "
            f"{dtype.name}"
        )
    if probabilities[2] in (0, 1):
        raise ValueError(
            f"`probabilities` must have at least 2 classes. Received: {probabilities}. A mask p of "
            "one class is two: np.concatenate([1 - p, p], axis=-1)."
        )


def check_values(probabilities: tf.Tensor, image: tf.Tensor) -> list[tf.Operation]:
    """Raises for values at hand, and returns checks to depend on for those of a graph."""
    sums = tf.reduce_sum(probabilities, axis=-1)
    # Comparisons with NaN are false.
    near_one = tf.reduce_all(tf.abs(sums - 1) <= TOLERANCE)
    valid = near_one & tf.reduce_all(probabilities >= -TOLERANCE)
    message = "`probabilities` must be at least 0 and sum to one in every pixel. "
    if tf.executing_eagerly():
        if not valid:
            raise ValueError(
                f"{message}Received: sums from {np.min(sums):.3g} to {np.max(sums):.3g}, values "
                f"from {np.min(probabilities):.3g}. Scores become probabilities by softmax."
            )
        return []
    shape = tf.shape(probabilities)
    fits = tf.reduce_all(tf.shape(image) == tf.concat([shape[:2], [3]], 0)) & (shape[2] >= 2)
    fits &= tf.reduce_all(shape > 0)
    sizes = (
        "`probabilities` must be as large as `image`, with at least 2 classes, and `image` RGB of "
        "at least one pixel. Received: "
    )
    return [
        tf.debugging.Assert(fits, [sizes, shape, tf.shape(image)]),
        tf.debugging.Assert(valid, [message, "Received: a sum of", sums]),
    ]
