"""The chunks of a PNG file in the graph."""

import struct

import tensorflow as tf

from tfdeconv.export.crc32 import crc32
from tfdeconv.export.file_parts import (
    MOST_PARTS,
    Parts,
    big_endian,
    first_of,
    no_parts,
    octets_at,
)
from tfdeconv.image_header import PNG_SIGNATURE

_IHDR, _EXIF, _IEND = (struct.unpack(">I", kind)[0] for kind in (b"IHDR", b"eXIf", b"IEND"))
_BYTE_ORDERS = [int.from_bytes(order) for order in (b"II", b"MM")]
_HEADER_LENGTH = 13


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
    return parts


def _checksum_is_right(data: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    return crc32(data[start:end]) == big_endian(octets_at(data, end, 4))
