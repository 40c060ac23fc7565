"""What the readers of JPEG's tables and scans share."""

from typing import NamedTuple

import tensorflow as tf


class Segments(NamedTuple):
    """Segments of a JPEG file, in the order of the file.

    Attributes:
        data: `(n,)` uint8, the file.
        starts: `(m,)` int64, where their markers begin.
        markers: `(m,)` int64, the second byte of these.
        lengths: `(m,)` int64, their bytes from the length on, which is the first two of them.
    """

    data: tf.Tensor
    starts: tf.Tensor
    markers: tf.Tensor
    lengths: tf.Tensor

    def only(self, chosen: tf.Tensor) -> "Segments":
        """Returns the segments that are true in `chosen`, `(m,)` bool."""
        parts = (tf.boolean_mask(part, chosen) for part in self[1:])
        return Segments(self.data, *parts)


def rows_at(data: tf.Tensor, starts: tf.Tensor, count: int) -> tf.Tensor:
    """Returns `count` bytes from each of `(m,)` int64 places: `(m, count)` int64.

    What is read behind the end means nothing.
    """
    places = starts[:, tf.newaxis] + tf.range(count, dtype=tf.int64)
    return tf.cast(tf.gather(data, tf.minimum(places, tf.size(data, tf.int64) - 1)), tf.int64)


def first_damage(*damages: tf.Tensor) -> tf.Tensor:
    """Returns the first of scalar strings that is not "", or ""."""
    found = tf.constant("")
    for damage in reversed(damages):
        found = tf.where(damage == "", found, damage)
    return found
