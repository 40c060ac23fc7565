"""Gaussian filtering in many dimensions on the permutohedral lattice, as TensorFlow ops.

The lattice of d dimensions lies in the plane of d + 1 coordinates whose sum is 0. Its vertices are
the whole numbers there that leave one remainder k after division by d + 1; each of its simplices
has one corner for each k. A value is spread over the d + 1 corners about its point, blurred with
(1/2, 1, 1/2) along each of the d + 1 axes, and read again at the points; work and memory grow
linearly in points and dimensions. Where the authors have a hash table, vertices here are numbers,
made unique and sorted, and each step is the product with a sparse matrix. Those are TensorFlow's
compressed rows, whose products use every core.

Reference:
    Adams, Baek, Davis: Fast High-Dimensional Filtering Using the Permutohedral Lattice,
    Eurographics 2010, section 3 and appendix.
"""

import math
from typing import NamedTuple

import tensorflow as tf


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
    """
    simplex = simplices_about(tf.unstack(features, axis=1))
    strides = strides_of(simplex.origin)
    # Only corners of the same k may be the same vertex (their coordinates leave the remainder k
    # after division by d + 1), and few numbers are made unique much faster than many.
    found, indices = zip(*map(tf.unique, corner_numbers(simplex, strides)), strict=True)
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


class Simplices(NamedTuple):
    """The simplices about n points, a list entry for each of d + 1 coordinates or corners.

    Attributes:
        origin: `(n,)` int32 coordinates of the corner whose coordinates are multiples of d + 1.
        rank: `(n,)` int32, how many coordinates of the point lie further above the origin's.
        barycentric: `(n,)` float32, the weight of each corner.
    """

    origin: list[tf.Tensor]
    rank: list[tf.Tensor]
    barycentric: list[tf.Tensor]


def simplices_about(features: list[tf.Tensor]) -> Simplices:
    """Finds the simplices that hold n points.

    Args:
        features: d coordinates of the points, `(n,)` float32 each, divided by the standard
            deviation that the kernel shall have along it.
    """
    elevated = _elevate(features)
    corners = len(elevated)
    # The nearest point whose coordinates are multiples of d + 1; their sum may miss 0.
    multiples = [tf.round(x * (1 / corners)) for x in elevated]
    excess = tf.cast(tf.add_n(multiples), tf.int32)
    above = [x - corners * m for x, m in zip(elevated, multiples, strict=True)]
    origin, rank = [], []
    for i, multiple in enumerate(multiples):
        larger = [above[j] >= above[i] if j < i else above[j] > above[i] for j in range(corners)]
        place = excess + tf.add_n([tf.cast(larger[j], tf.int32) for j in range(corners) if j != i])
        # The coordinates that were rounded furthest give way until the sum is 0.
        shift = tf.cast(place < 0, tf.int32) - tf.cast(place >= corners, tf.int32)
        origin.append((tf.cast(multiple, tf.int32) + shift) * corners)
        rank.append(place + shift * corners)
    above = [
        (x - tf.cast(o, tf.float32)) * (1 / corners) for x, o in zip(elevated, origin, strict=True)
    ]
    ranked = [_of_rank(k, rank, above) for k in reversed(range(corners))]
    first = ranked[0] + (1 - ranked[-1])
    rest = [ranked[k] - ranked[k - 1] for k in range(1, corners)]
    return Simplices(origin, rank, [first, *rest])


def _elevate(features: list[tf.Tensor]) -> list[tf.Tensor]:
    # Onto the plane of d + 1 coordinates whose sum is 0, scaled so that splatting, blurring and
    # slicing together have a standard deviation of one (section 3.1 of the paper).
    d = len(features)
    total, elevated = tf.zeros_like(features[0]), []
    for i in range(d, 0, -1):
        scaled = features[i - 1] * ((d + 1) * math.sqrt(2 / (3 * i * (i + 1))))
        elevated.append(total - i * scaled)
        total += scaled
    return [total, *reversed(elevated)]


def _of_rank(k: int, rank: list[tf.Tensor], values: list[tf.Tensor]) -> tf.Tensor:
    """Returns for each point the value of the coordinate that has rank k there."""
    return tf.add_n(
        [tf.where(r == k, v, tf.zeros_like(v)) for r, v in zip(rank, values, strict=True)]
    )


def strides_of(origin: list[tf.Tensor]) -> tf.Tensor:
    """Returns `(d + 1,)` int64 s, so that sum(s * vertex) differs between any two vertices.

    The first is 0, since a vertex's coordinates sum to 0 and the others tell it.
    """
    # A corner is up to d away from its origin in each coordinate, its neighbour d further.
    margin = 4 * (len(origin) - 1) + 1
    sides = tf.stack([tf.reduce_max(x) - tf.reduce_min(x) + margin for x in origin[1:]])
    numbers = tf.reduce_prod(tf.cast(sides, tf.float64))
    check = tf.debugging.Assert(
        numbers < 2.0**63, ["The kernels are too narrow for an image of this size.", numbers]
    )
    with tf.control_dependencies([] if check is None else [check]):
        products = tf.math.cumprod(tf.cast(sides, tf.int64), exclusive=True)
    return tf.concat([tf.zeros(1, tf.int64), products], axis=0)


def corner_numbers(simplex: Simplices, strides: tf.Tensor) -> list[tf.Tensor]:
    """Returns for each corner of the simplices the `(n,)` int64 number of the vertex it is."""
    count, stride = len(simplex.origin), tf.unstack(strides)[1:]
    number = tf.add_n(
        [tf.cast(x, tf.int64) * s for x, s in zip(simplex.origin[1:], stride, strict=True)]
    )
    numbers = [number]
    # Corner k is corner k - 1 plus one in every coordinate, less d + 1 in that of the k-th last
    # rank.
    for k in range(1, count):
        turned = _of_rank(count - k, simplex.rank[1:], stride)
        number += tf.add_n(stride) - count * turned
        numbers.append(number)
    return numbers
