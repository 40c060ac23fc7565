"""The chunks of a PNG file in the graph."""

import struct

import tensorflow as tf

from tfdeconv.data.decode import PNG_SIGNATURE
from tfdeconv.export.crc32 import crc32
from tfdeconv.export.file_parts import (
    MOST_PARTS,
    Parts,
    big_endian,
    first_of,
    no_parts,
    octets_at,
)

_IHDR, _EXIF, _IEND = (struct.unpack(">I", kind)[0] for kind in (b"IHDR", b"eXIf", b"IEND"))
_BYTE_ORDERS = [int.from_bytes(order) for order in (b"II", b"MM")]
_HEADER_LENGTH = 13
# Bits of a value by the kind of colours: gray, RGB, palette, gray and RGB with transparency.
_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_KINDS = [[bits, kind] for kind, each in _BITS.items() for bits in each]


def read_chunks(data: tf.Tensor) -> Parts:
    """Walks through the chunks of a PNG file to its end and checks each of them.

    Args:
        data: `(n,)` uint8, the file, beginning with PNG's signature.

    Returns:
        What they say. The first EXIF chunk with a byte order counts.
    """

    def read_chunk(
        count: tf.Tensor, position: tf.Tensor, done: tf.Tensor, parts: Parts
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Parts]:
        head = octets_at(data, position, 16)
        length, kind = big_endian(head[:4]), big_endian(head[4:8])
        end = position + 8 + length
        whole = end + 4 <= tf.size(data, tf.int64)
        is_header = kind == _IHDR
        # As libpng, which passes over others.
        has_order = tf.reduce_any(big_endian(head[8:10]) == _BYTE_ORDERS)
        is_exif = (kind == _EXIF) & has_order & (parts.exif_start == 0)
        right = tf.cond(whole, lambda: _checksum_is_right(data, position + 4, end), lambda: True)
        damage = first_of(
            (~whole, "it ends within a chunk"),
            (~right, "a checksum is wrong"),
            (is_header != (count == 0), "its header is not its first chunk"),
            (is_header & (length != _HEADER_LENGTH), "its header has another length"),
            (count >= MOST_PARTS, "it has too many chunks"),
        )
        return (
            count + 1,
            end + 4,
            kind == _IEND,
            Parts(
                damage,
                tf.where(is_header, big_endian(head[12:16]), parts.height),
                tf.where(is_header, big_endian(head[8:12]), parts.width),
                tf.where(is_exif, position + 8, parts.exif_start),
                tf.where(is_exif, length, parts.exif_length),
            ),
        )

    *_, parts = tf.while_loop(
        lambda count, position, done, parts: ~done & (parts.damage == ""),
        read_chunk,
        (0, tf.constant(len(PNG_SIGNATURE), tf.int64), tf.constant(False), no_parts()),
        parallel_iterations=1,
    )
    damage = first_of((parts.damage != "", parts.damage), (~_is_known(data), "its header is wrong"))
    return parts._replace(damage=damage)


def _checksum_is_right(data: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    return crc32(data[start:end]) == big_endian(octets_at(data, end, 4))


def _is_known(data: tf.Tensor) -> tf.Tensor:
    kind = octets_at(data, tf.constant(24, tf.int64), 5)
    bits_and_colours = tf.reduce_any(tf.reduce_all(kind[:2] == _KINDS, axis=1))
    return bits_and_colours & tf.reduce_all(kind[2:4] == 0) & (kind[4] <= 1)
