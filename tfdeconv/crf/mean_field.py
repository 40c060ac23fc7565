"""Mean field inference in a fully connected CRF with Potts compatibility, as TensorFlow ops."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfdeconv.crf import permutohedral
from tfdeconv.crf.permutohedral import Lattice

# The least probability that a class is given: minus its logarithm, 18.4, can still be outweighed.
LEAST = 1e-8
# Rows of so many numbers, or a multiple, are multiplied twice as fast as others: a class more than
# there are has no energy that exp could tell from zero.
_PACKET = 8
_NEVER = -1e30


class Kernel(NamedTuple):
    """A Gaussian kernel over pixels.

    Attributes:
        sxy: its standard deviation in pixels, along rows and columns alike.
        srgb: its standard deviation in levels of 0..255, for each of red, green and blue; None for
            a kernel that does not look at colour.
        weight: what it is multiplied by.
    """

    sxy: float
    srgb: float | None
    weight: float


def infer(
    probabilities: tf.Tensor,
    image: tf.Tensor,
    kernels: Sequence[Kernel],
    iterations: int,
    normalize: bool,
) -> tf.Tensor:
    """Returns what the classes' probabilities become when pixels vote for one another.

    Each iteration sets Q to softmax(log P + sum over kernels of weight * K Q), K being the kernel
    as the permutohedral lattice computes it, the pixel's vote for itself included.

    Args:
        probabilities: `(height, width, classes)` float32; what is below 1e-8 counts as that.
        image: `(height, width, 3)` RGB in [0, 255].
        kernels: the kernels.
        iterations: how often Q is updated; at first it is P. The graph grows with it.
        normalize: whether K is divided by the square roots of its row sums from either side.

    Returns:
        `(height, width, classes)` float32 probabilities.

    Reference:
        Kraehenbuehl, Koltun: Efficient Inference in Fully Connected CRFs with Gaussian Edge
        Potentials, NIPS 2011, algorithm 1.
    """
    shape, classes = tf.shape(probabilities), probabilities.shape[-1]
    flat = tf.reshape(probabilities, [-1, shape[-1] if classes is None else classes])
    energies = tf.math.log(tf.maximum(flat, LEAST))
    padding = -tf.shape(energies)[1] % _PACKET
    energies = tf.pad(energies, [[0, 0], [0, padding]], constant_values=_NEVER)
    lattices = [_lattice(image, kernel, normalize) for kernel in kernels]

    q = tf.nn.softmax(energies)
    # Not in a `tf.while_loop`: a saved graph with matrices that enter one cannot be loaded, since
    # what is known of them (`Unable to access shape and type info from variant`) is not saved.
    for _ in range(iterations):
        votes = [permutohedral.filter_(lattice, q) for lattice in lattices]
        q = tf.nn.softmax(tf.add_n([energies, *votes]))
    return tf.reshape(q[:, : shape[-1]], shape)


def _lattice(image: tf.Tensor, kernel: Kernel, normalize: bool) -> Lattice:
    """Returns the lattice that filters with weight * K."""
    lattice = permutohedral.build(_features(image, kernel))
    ones = tf.ones([tf.shape(image)[0] * tf.shape(image)[1], 1])
    factors = math.sqrt(kernel.weight) * ones[:, 0]
    if normalize:
        factors *= tf.math.rsqrt(permutohedral.filter_(lattice, ones)[:, 0])
    return permutohedral.scale(lattice, factors)


def _features(image: tf.Tensor, kernel: Kernel) -> tf.Tensor:
    height, width = tf.unstack(tf.shape(image)[:2])
    y, x = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    features = tf.cast(tf.stack([x, y], axis=-1), tf.float32) / kernel.sxy
    if kernel.srgb is not None:
        colour = tf.cast(image, tf.float32) / kernel.srgb
        features = tf.concat([features, colour], axis=-1)
    return tf.reshape(features, [-1, 2 if kernel.srgb is None else 5])
