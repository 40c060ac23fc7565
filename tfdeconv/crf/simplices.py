"""The simplices that points lie in on the permutohedral lattice, and numbers for their corners.

The lattice of d dimensions lies in the plane of d + 1 coordinates whose sum is 0. Its vertices are
the whole numbers there that leave one remainder k after division by d + 1, and each of its
simplices has one corner for each k.
"""

import math
from typing import NamedTuple

import tensorflow as tf


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


def about(features: list[tf.Tensor]) -> Simplices:
    """Finds the simplices that hold n points.

    Args:
        features: d coordinates of the points, `(n,)` float32 each, divided by the standard
            deviation that the kernel shall have along it.

    Reference:
        Adams, Baek, Davis: Fast High-Dimensional Filtering Using the Permutohedral Lattice,
        Eurographics 2010, section 3.1 and appendix.
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


def strides(origin: list[tf.Tensor]) -> tf.Tensor:
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


def corners(simplex: Simplices, strides: tf.Tensor) -> list[tf.Tensor]:
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
