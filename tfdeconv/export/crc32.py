"""The checksum of PNG files in the graph: many bytes at a time, because it is linear.

Adding (XOR) the checksums that each byte would have among zeros gives the checksum of all. Rows of
64 bytes are looked up in one table; then neighbours become one, the left one moved over the right
one by another table, until one is left.
"""

import functools
import zlib

import numpy as np
import tensorflow as tf

_ROW = 64
# Large chunks go piece by piece, at 12 bytes of memory a byte.
_LEVELS = 10
_PIECE = _ROW * 2**_LEVELS


def crc32(data: tf.Tensor) -> tf.Tensor:
    """Returns the checksum that `zlib.crc32` returns.

    Args:
        data: `(n,)` uint8, at least 4 bytes.

    Returns:
        Scalar int64 in [0, 2**32).

    Example:

    >>> int(crc32(tf.io.decode_raw("IEND", tf.uint8))) == zlib.crc32(b"IEND")
    True
    """
    length = tf.size(data)
    later = tf.maximum((length - 4) // _PIECE, 0)

    def add_piece(done: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # All pieces are whole but the first one.
        end = length - (later - done) * _PIECE
        start = tf.where(done == 0, 0, end - _PIECE)
        piece = tf.cast(data[start:end], tf.int32)
        # What came before goes on in the first four bytes.
        piece = tf.concat([tf.bitwise.bitwise_xor(piece[:4], _octets(state)), piece[4:]], axis=0)
        return done + 1, _linear(piece)

    _, state = tf.while_loop(
        lambda done, _: done <= later, add_piece, (0, tf.constant(-1)), parallel_iterations=1
    )
    return tf.cast(tf.bitwise.invert(state), tf.int64) & 0xFFFFFFFF


def _linear(data: tf.Tensor) -> tf.Tensor:
    # Zeros in front change nothing.
    rows = tf.reshape(tf.pad(data, [[-tf.size(data) % _ROW, 0]]), (-1, _ROW))
    words = tf.gather(_OF_ROW, rows + 256 * np.arange(_ROW, dtype=np.int32))
    width = _ROW
    while width > 1:
        width //= 2
        words = tf.bitwise.bitwise_xor(words[:, :width], words[:, width:])

    def halve(level: tf.Tensor, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pairs = tf.reshape(tf.pad(words, [[tf.size(words) % 2, 0]]), (-1, 2))
        places = _octets(pairs[:, :1]) + 256 * np.arange(4, dtype=np.int32)
        moved = tf.unstack(tf.gather(tf.gather(_MOVED, level), places), axis=1)
        return level + 1, functools.reduce(tf.bitwise.bitwise_xor, [*moved, pairs[:, 1]])

    _, words = tf.while_loop(
        lambda _, words: tf.size(words) > 1,
        halve,
        (0, words[:, 0]),
        shape_invariants=(tf.TensorShape(()), tf.TensorShape((None,))),
        parallel_iterations=1,
    )
    return words[0]


def _octets(words: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.right_shift(words, np.array([0, 8, 16, 24], np.int32)) & 255


def _move(words: np.ndarray, table: np.ndarray) -> np.ndarray:
    parts = (table[i, words >> 8 * i & 255] for i in range(4))
    return np.bitwise_xor.reduce(list(parts))


def _tables() -> tuple[np.ndarray, np.ndarray]:
    # Of one byte, without the inversions before and after.
    inverted = zlib.crc32(b"\0")
    one = np.array([zlib.crc32(bytes([byte])) ^ inverted for byte in range(256)], np.uint32)
    rows = [one]
    for _ in range(_ROW - 1):
        rows.append(one[rows[-1] & 255] ^ (rows[-1] >> 8))
    shift = np.arange(4, dtype=np.uint32)[:, np.newaxis] * 8
    moved = np.arange(256, dtype=np.uint32) << shift
    for _ in range(_ROW):
        moved = one[moved & 255] ^ (moved >> 8)
    levels = [moved]
    for _ in range(_LEVELS):
        levels.append(_move(levels[-1], levels[-1]))
    of_row = np.stack(rows[::-1]).ravel().view(np.int32)
    return of_row, np.stack(levels).reshape(len(levels), -1).view(np.int32)


_OF_ROW, _MOVED = _tables()
