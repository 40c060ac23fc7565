"""Mean field inference in a fully connected CRF with Potts compatibility, by two backends.

A kernel is `(sxy, srgb, weight)`: its standard deviations in pixels and in levels of 0..255 (None
for a kernel that ignores colour), and the factor by which it is multiplied.
"""

import math
from collections.abc import Sequence
from types import ModuleType

import numpy as np
import tensorflow as tf

from tfdeconv.crf import permutohedral
from tfdeconv.errors import UserError

Kernel = tuple[float, float | None, float]

# The least probability that a class is given: minus its logarithm, 18.4, can still be outweighed.
LEAST = 1e-8
# Rows of so many numbers, or a multiple, are multiplied twice as fast as others: a class more than
# there are has no energy that exp could tell from zero.
_PACKET = 8
_NEVER = -1e30


def infer(
    probabilities: tf.Tensor,
    image: tf.Tensor,
    kernels: Sequence[Kernel],
    iterations: int,
    normalize: bool,
) -> tf.Tensor:
    """Returns the probabilities after mean field inference, as TensorFlow ops.

    Each iteration sets Q to softmax(log P + sum over kernels of weight * K Q), K being the kernel
    as the permutohedral lattice computes it, the pixel's vote for itself included.

    Args:
        probabilities: `(height, width, classes)` float32; values below 1e-8 count as 1e-8.
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


def _lattice(image: tf.Tensor, kernel: Kernel, normalize: bool) -> permutohedral.Lattice:
    """Returns the lattice that filters with weight * K."""
    sxy, srgb, weight = kernel
    height, width = tf.unstack(tf.shape(image)[:2])
    y, x = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    features = tf.cast(tf.stack([x, y], axis=-1), tf.float32) / sxy
    if srgb is not None:
        features = tf.concat([features, tf.cast(image, tf.float32) / srgb], axis=-1)
    lattice = permutohedral.build(tf.reshape(features, [-1, 2 if srgb is None else 5]))
    ones = tf.ones([height * width, 1])
    factors = math.sqrt(weight) * ones[:, 0]
    if normalize:
        factors *= tf.math.rsqrt(permutohedral.filter_(lattice, ones)[:, 0])
    return permutohedral.scale(lattice, factors)


def load_pydensecrf() -> ModuleType:
    """Imports pydensecrf, the C++ of the method's authors.

    Raises:
        UserError: when it is not installed.
    """
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise UserError(
            '`backend="pydensecrf"` must find the package pydensecrf. Received: '
            f'{error}. Install it with `pip install pydensecrf2`, or use backend="tensorflow", '
            "which gives the same labels and needs nothing else."
        ) from error
    return densecrf


def infer_with_pydensecrf(
    probabilities: np.ndarray,
    image: np.ndarray,
    kernels: Sequence[Kernel],
    iterations: int,
    normalize: bool,
) -> np.ndarray:
    """Runs pydensecrf on arrays; arguments and result as for `infer`."""
    densecrf = load_pydensecrf()
    height, width, classes = probabilities.shape
    energies = -np.log(np.maximum(probabilities.reshape(-1, classes).T, LEAST))
    crf = densecrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(energies))
    normalization = densecrf.NORMALIZE_SYMMETRIC if normalize else densecrf.NO_NORMALIZATION
    for sxy, srgb, weight in kernels:
        if srgb is None:
            crf.addPairwiseGaussian(sxy=sxy, compat=weight, normalization=normalization)
        else:
            crf.addPairwiseBilateral(
                sxy=sxy,
                srgb=srgb,
                rgbim=np.ascontiguousarray(image),
                compat=weight,
                normalization=normalization,
            )
    result = np.array(crf.inference(iterations), np.float32)
    return np.ascontiguousarray(result.T).reshape(height, width, classes)
