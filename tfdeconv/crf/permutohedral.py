"""Gaussian filtering in many dimensions on the permutohedral lattice, as TensorFlow ops.

Space is cut into simplices whose corners are the lattice's vertices. A value is spread over the
d + 1 vertices about its point, blurred with (1/2, 1, 1/2) along each of the lattice's d + 1 axes,
and read again at the points; work and memory grow linearly in points and dimensions. Where the
authors have a hash table, vertices here are numbers, made unique and sorted, and each step is the
product with a sparse matrix. Those are TensorFlow's compressed rows, whose products use every core.
"""

from typing import NamedTuple

import tensorflow as tf

from tfdeconv.crf import simplices


class Lattice(NamedTuple):
    """The vertices about some points, in the order of their numbers.

    Attributes:
        weights: `(points, vertices)` float32, sparse: barycentric coordinates, d + 1 in each row.
        blurs: for each of the d + 1 axes a `(vertices, vertices)` matrix of compressed rows: 1 for
            the vertex itself and 1/2 for those after and before it along the axis.
        splat: `(vertices, points)` matrix of compressed rows, the weights transposed.
        slice_: `(points, vertices)` matrix of compressed rows, the weights.
    """

    weights: tf.SparseTensor
    blurs: list[tf.Tensor]
    splat: tf.Tensor
    slice_: tf.Tensor


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
    # Only corners of the same k may be the same vertex (their coordinates leave the remainder k
    # after division by d + 1), and few numbers are made unique much faster than many.
    found, indices = zip(*map(tf.unique, simplices.corners(simplex, strides)), strict=True)
    numbers = tf.concat(found, axis=0)
    order = tf.argsort(numbers)
    places = tf.split(tf.math.invert_permutation(order), [tf.size(part) for part in found])
    columns = [tf.gather(*pair) for pair in zip(places, indices, strict=True)]
    weights = _sparse(columns, simplex.barycentric, tf.size(numbers))
    return _with_matrices(weights, _blurs(tf.gather(numbers, order), strides))


def filter_(lattice: Lattice, values: tf.Tensor) -> tf.Tensor:
    """Filters values at the points: each becomes its kernel's weighted sum over all points.

    The kernel is that of the lattice, near exp(-|f - g|^2 / 2) for features f and g.

    Args:
        lattice: of n points.
        values: `(n, channels)` float32.

    Returns:
        `(n, channels)` float32.
    """
    values = _product(lattice.splat, values)
    for blur in lattice.blurs:
        values = _product(blur, values)
    # One step along every axis leads back, so that blurring counts a vertex 1 + 2^-d times.
    return _product(lattice.slice_, values) / (1 + 2.0 ** (1 - len(lattice.blurs)))


def scale(lattice: Lattice, factors: tf.Tensor) -> Lattice:
    """Returns a lattice that multiplies by `(n,)` factors before and after it filters."""
    weights, corners = lattice.weights, len(lattice.blurs)
    scaled = tf.reshape(weights.values, [-1, corners]) * factors[:, tf.newaxis]
    return _with_matrices(weights.with_values(tf.reshape(scaled, [-1])), lattice.blurs)


def _sparse(columns: list[tf.Tensor], values: list[tf.Tensor], width: tf.Tensor) -> tf.SparseTensor:
    points = tf.size(columns[0])
    rows = tf.repeat(tf.range(points), len(columns))
    places = tf.stack([rows, tf.reshape(tf.stack(columns, axis=1), [-1])], axis=1)
    return tf.SparseTensor(
        tf.cast(places, tf.int64),
        tf.reshape(tf.stack(values, axis=1), [-1]),
        tf.cast(tf.stack([points, width]), tf.int64),
    )


def _with_matrices(weights: tf.SparseTensor, blurs: list[tf.Tensor]) -> Lattice:
    slice_ = _csr(weights.indices, weights.values, weights.dense_shape)
    return Lattice(weights, blurs, _transposed(slice_), slice_)


def _blurs(numbers: tf.Tensor, strides: tf.Tensor) -> list[tf.Tensor]:
    """Returns the matrix of each axis for ascending numbers of vertices."""
    count = tf.size(numbers)
    shape = tf.cast(tf.stack([count, count]), tf.int64)
    vertices = tf.range(count)
    blurs = []
    for step in tf.unstack(tf.size(strides, tf.int64) * strides - tf.reduce_sum(strides)):
        wanted = numbers + step
        after = tf.minimum(tf.searchsorted(numbers, wanted), count - 1)
        after = tf.where(tf.gather(numbers, after) == wanted, after, -1)
        linked = tf.where(after >= 0)
        before = tf.tensor_scatter_nd_update(
            tf.fill([count], -1), tf.gather(after, linked), tf.cast(linked[:, 0], tf.int32)
        )
        columns = tf.stack([before, vertices, after], axis=1)
        present = tf.where(columns >= 0)
        places = [present[:, 0], tf.cast(tf.gather_nd(columns, present), tf.int64)]
        values = tf.gather(tf.constant([0.5, 1.0, 0.5]), present[:, 1])
        blurs.append(_csr(tf.stack(places, axis=1), values, shape))
    return blurs


def _csr(places: tf.Tensor, values: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=places, values=values, dense_shape=shape
    )


def _transposed(matrix: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.SparseMatrixTranspose(input=matrix, type=tf.float32)


def _product(matrix: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    product = tf.raw_ops.SparseMatrixMatMul(a=matrix, b=values)
    return tf.ensure_shape(product, [None, values.shape[1]])
