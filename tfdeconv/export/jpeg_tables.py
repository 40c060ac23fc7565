"""The tables of a JPEG file in the graph: Huffman codes and quantization steps (T.81, B.2.4)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdeconv.export.file_parts import first_of
from tfdeconv.export.jpeg_parts import Segments, rows_at

# All that there can be; encoders define none of them twice in a segment.
_MOST_STEPS, _MOST_CODES = 4, 8
# A progressive file has a few for each scan.
_MOST_SEGMENTS = 512
_LONGEST_CODE, _CODES, _HIGHEST_DC = 16, 256, 15
_ROOM = 2 ** (_LONGEST_CODE - 1 - np.arange(_LONGEST_CODE, dtype=np.int64))
_STEPS = 64
AC = 4
# Frames of motion JPEG leave these out.
_IS_STANDARD = [slot % AC < 2 for slot in range(2 * AC)]


class Tables(NamedTuple):
    """The tables of one kind.

    Attributes:
        damage: scalar string, what is wrong, or "".
        starts: `(n,)` int64, where each begins in the file.
        slots: `(n,)` int64, which table it defines: 0 to 3, and of Huffman codes for coefficients
            other than the first one, 4 to 7.
        right: `(n,)` bool, whether it can be used.
    """

    damage: tf.Tensor
    starts: tf.Tensor
    slots: tf.Tensor
    right: tf.Tensor

    def usable(self, places: tf.Tensor, standard: tf.Tensor) -> tf.Tensor:
        """Tells which tables can be used at some places in the file.

        Args:
            places: `(m,)` int64.
            standard: scalar bool, whether the first two of each class need no definition.

        Returns:
            `(m, 8)` bool.
        """
        before = self.starts < places[:, tf.newaxis]
        is_slot = self.slots[:, tf.newaxis] == tf.range(2 * AC, dtype=tf.int64)
        values = tf.where(before, 2 * self.starts + tf.cast(self.right, tf.int64), 0)
        # Of several definitions the last one counts.
        last = tf.reduce_max(tf.where(is_slot, values[..., tf.newaxis], 0), axis=1)
        return (last % 2 == 1) | ((last <= 0) & standard & _IS_STANDARD)


def read_codes(segments: Segments) -> Tables:
    """Reads and checks the Huffman tables of DHT segments."""

    def length(places: tf.Tensor) -> tf.Tensor:
        counts = rows_at(segments.data, places + 1, _LONGEST_CODE)
        return 1 + _LONGEST_CODE + tf.reduce_sum(counts, axis=1)

    damage, places = _split(segments, length, _MOST_CODES, "Huffman table")
    found = rows_at(segments.data, places, 1 + _LONGEST_CODE + _CODES)
    kinds, counts, values = tf.split(found, [1, _LONGEST_CODE, _CODES], axis=1)
    total = tf.reduce_sum(counts, axis=1, keepdims=True)
    highest = tf.reduce_max(tf.where(tf.range(_CODES, dtype=tf.int64) < total, values, 0), axis=1)
    kinds, total = kinds[:, 0], total[:, 0]
    is_ac = kinds >= 16
    # No code consists of ones alone, so that something of the codes is left over.
    right = tf.reduce_sum(counts * _ROOM, axis=1) < 2**_LONGEST_CODE
    right &= is_ac | (highest <= _HIGHEST_DC)
    unknown = (kinds % 16 >= AC) | (kinds >= 32)
    damage = first_of(
        (damage != "", damage),
        (tf.reduce_any(total > _CODES), "a Huffman table of too many codes"),
        (tf.reduce_any(unknown), "a Huffman table of an unknown number"),
    )
    return Tables(damage, places, tf.where(is_ac, kinds - 16 + AC, kinds), right)


def read_steps(segments: Segments) -> Tables:
    """Reads and checks the quantization tables of DQT segments."""

    def length(places: tf.Tensor) -> tf.Tensor:
        wide = rows_at(segments.data, places, 1)[:, 0] >= 16
        return 1 + _STEPS * tf.where(wide, 2, 1)

    damage, places = _split(segments, length, _MOST_STEPS, "quantization table")
    slots = rows_at(segments.data, places, 1)[:, 0] % 16
    unknown = tf.reduce_any(slots >= AC)
    damage = first_of(
        (damage != "", damage), (unknown, "a quantization table of an unknown number")
    )
    return Tables(damage, places, slots, tf.ones_like(slots, tf.bool))


def _split(
    segments: Segments, length: Callable[[tf.Tensor], tf.Tensor], most: int, name: str
) -> tuple[tf.Tensor, tf.Tensor]:
    starts = segments.starts[:_MOST_SEGMENTS]
    ends = starts + 2 + segments.lengths[:_MOST_SEGMENTS]
    position, places = starts + 4, []
    for _ in range(most):
        places.append(tf.where(position < ends, position, -1))
        position += tf.where(position < ends, tf.cast(length(position), tf.int64), 0)
    found = tf.concat(places, axis=0)
    damage = first_of(
        (tf.reduce_any(position != ends), f"a {name} of another length than its segment"),
        (tf.size(segments.starts) > _MOST_SEGMENTS, f"it has too many segments of {name}s"),
    )
    return damage, tf.boolean_mask(found, found >= 0)
