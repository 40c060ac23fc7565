"""What the readers of PNG chunks and JPEG segments share."""

from typing import NamedTuple

import tensorflow as tf

# Photographs of hundreds of megabytes have fewer chunks; a file of nothing else would take minutes.
MOST_PARTS = 2**16


class Parts(NamedTuple):
    """What the parts of an image file before its pixels say; scalar tensors.

    Attributes:
        damage: string, why the file cannot be read, or "".
        height: int64, rows as stored; 0 until they are known.
        width: int64, columns as stored.
        exif_start: int64, the first byte of the EXIF block that counts.
        exif_length: int64, its bytes, 0 without any.
    """

    damage: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    exif_start: tf.Tensor
    exif_length: tf.Tensor


def no_parts() -> Parts:
    """Returns what is known of a file before it is read."""
    return Parts(tf.constant(""), *[tf.constant(0, tf.int64)] * 4)


def octets_at(data: tf.Tensor, position: tf.Tensor, count: int) -> tf.Tensor:
    """Returns `count` bytes as int64; what is read behind the end means nothing.

    Args:
        data: `(n,)` uint8, at least one byte.
        position: scalar int64, the first of them.
        count: how many.
    """
    places = position + tf.range(count, dtype=tf.int64)
    return tf.cast(tf.gather(data, tf.minimum(places, tf.size(data, tf.int64) - 1)), tf.int64)


def big_endian(octets: tf.Tensor) -> tf.Tensor:
    """Returns the number that the last dimension of int64 bytes means, the highest first.

    Example:

    >>> int(big_endian(tf.constant([1, 2], tf.int64)))
    258
    """
    count = octets.shape[-1]
    return tf.reduce_sum(octets * [256**power for power in reversed(range(count))], axis=-1)


def first_of(*reasons: tuple[tf.Tensor, str | tf.Tensor]) -> tf.Tensor:
    """Returns the reason of the first condition that holds, or ""."""
    found = tf.constant("")
    for condition, reason in reversed(reasons):
        found = tf.where(condition, reason, found)
    return found
