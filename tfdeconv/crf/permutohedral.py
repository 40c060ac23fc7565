"""Gaussian filtering in many dimensions on the permutohedral lattice, as TensorFlow ops.

Space is cut into simplices whose corners are the lattice's vertices. A value is spread over the
d + 1 vertices about its point, blurred with (1/2, 1, 1/2) along each of the lattice's d + 1 axes,
and read again at the points; work and memory grow linearly in points and dimensions. Where the
authors have a hash table, vertices here are numbers, made unique and searched.
"""

from typing import NamedTuple

import tensorflow as tf

from tfdeconv.crf import simplices


class Lattice(NamedTuple):
    """The vertices about some points.

    Attributes:
        weights: `(points, vertices)` float32, sparse: barycentric coordinates, d + 1 in each row.
        neighbours: `(d + 1, 2, vertices)` int32, the vertex after and before along each axis,
            counted from 1; 0 where there is none.
    """

    weights: tf.SparseTensor
    neighbours: tf.Tensor


def build(features: tf.Tensor) -> Lattice:
    """Builds the lattice about points.

    Args:
        features: `(n, d)` float32 with n >= 1 and a known d >= 1: the coordinates of the points,
            each divided by the standard deviation that the kernel shall have along it.

    Returns:
        A `Lattice` of at most n (d + 1) vertices.

    Raises:
        tf.errors.InvalidArgumentError: when the points lie so far apart that their vertices cannot
            be numbered in 63 bits: in five dimensions, thousands of standard deviations in each.

    Example:

    >>> lattice = build(tf.constant([[0.0], [0.1], [7.0]]))
    >>> filter_(lattice, tf.constant([[1.0], [1.0], [1.0]])).shape
    TensorShape([3, 1])

    Reference:
        Adams, Baek, Davis: Fast High-Dimensional Filtering Using the Permutohedral Lattice,
        Eurographics 2010, sections 3.1 to 3.3.
    """
    simplex = simplices.about(tf.unstack(features, axis=1))
    strides = simplices.strides(simplex.origin)
    numbers, columns, vertices = [], [], tf.constant(0, tf.int64)
    # Only corners of the same k may be the same vertex (their coordinates leave the remainder k
    # after division by d + 1), and few numbers are made unique much faster than many.
    for number in simplices.corners(simplex, strides):
        found, index = tf.unique(number)
        numbers.append(found)
        columns.append(tf.cast(index, tf.int64) + vertices)
        vertices += tf.size(found, tf.int64)
    points, corners = tf.shape(features, tf.int64)[0], len(columns)
    rows = tf.repeat(tf.range(points), corners)
    places = tf.stack([rows, tf.reshape(tf.stack(columns, axis=1), [-1])], axis=1)
    values = tf.reshape(tf.stack(simplex.barycentric, axis=1), [-1])
    weights = tf.SparseTensor(places, values, tf.stack([points, vertices]))
    return Lattice(weights, _neighbours(tf.concat(numbers, axis=0), strides))


def filter_(lattice: Lattice, values: tf.Tensor) -> tf.Tensor:
    """Filters values at the points: each becomes its kernel's weighted sum over all points.

    The kernel is that of the lattice, near exp(-|f - g|^2 / 2) for features f and g.

    Args:
        lattice: of n points.
        values: `(n, channels)` float32.

    Returns:
        `(n, channels)` float32.
    """
    spread = tf.sparse.sparse_dense_matmul(lattice.weights, values, adjoint_a=True)
    axes = lattice.neighbours.shape[0]
    # One step along every axis leads back, so that blurring counts a vertex 1 + 2^-d times.
    gain = 1 / (1 + 2.0 ** (1 - axes))
    return tf.sparse.sparse_dense_matmul(lattice.weights, gain * _blur(lattice, spread))


def scale(lattice: Lattice, factors: tf.Tensor) -> Lattice:
    """Returns a lattice that multiplies by `(n,)` factors before and after it filters."""
    weights = lattice.weights
    corners = lattice.neighbours.shape[0]
    scaled = tf.reshape(weights.values, [-1, corners]) * factors[:, tf.newaxis]
    return lattice._replace(weights=weights.with_values(tf.reshape(scaled, [-1])))


def _blur(lattice: Lattice, values: tf.Tensor) -> tf.Tensor:
    for after, before in map(tf.unstack, tf.unstack(lattice.neighbours)):
        padded = tf.pad(values, [[1, 0], [0, 0]])
        values += 0.5 * (tf.gather(padded, after) + tf.gather(padded, before))
    return values


def _neighbours(numbers: tf.Tensor, strides: tf.Tensor) -> tf.Tensor:
    order = tf.argsort(numbers)
    ascending = tf.gather(numbers, order)
    steps = tf.size(strides, tf.int64) * strides - tf.reduce_sum(strides)
    wanted = numbers + tf.stack([steps, -steps], axis=1)[..., tf.newaxis]
    place = tf.searchsorted(ascending, tf.reshape(wanted, [-1]))
    place = tf.minimum(tf.reshape(place, tf.shape(wanted)), tf.size(numbers) - 1)
    found = tf.gather(ascending, place) == wanted
    return tf.where(found, tf.gather(order, place) + 1, 0)
