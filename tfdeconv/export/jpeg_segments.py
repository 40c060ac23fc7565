"""The segments of a JPEG file in the graph."""

import tensorflow as tf

from tfdeconv.export.file_parts import (
    MOST_PARTS,
    Parts,
    big_endian,
    first_of,
    no_parts,
    octets_at,
)

_MARKER, _APP1, _SCAN, _END = 0xFF, 0xE1, 0xDA, 0xD9
_EXIF = b"Exif\0\0"


def read_segments(data: tf.Tensor) -> Parts:
    """Walks through the segments of a JPEG file to its first scan, and looks for the end mark.

    Args:
        data: `(n,)` uint8, the file, beginning with JPEG's first marker.

    Returns:
        What they say. The first EXIF segment counts.
    """
    _, scan, _, parts = tf.while_loop(
        lambda count, position, done, parts: ~done & (parts.damage == ""),
        lambda count, position, done, parts: _read_segment(data, count, position, parts),
        (0, tf.constant(2, tf.int64), tf.constant(False), no_parts()),
        parallel_iterations=1,
    )
    damage = first_of(
        (parts.damage != "", parts.damage),
        (parts.height + parts.width == 0, "no frame header"),
        (~_ends(data, scan), "no end mark"),
    )
    return parts._replace(damage=damage)


def _read_segment(
    data: tf.Tensor, count: tf.Tensor, position: tf.Tensor, parts: Parts
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Parts]:
    head = octets_at(data, position, 10)
    marker, length = head[1], big_endian(head[2:4])
    is_fill = marker == _MARKER
    is_scan, is_frame = marker == _SCAN, _is_frame(marker)
    is_exif = (parts.exif_start == 0) & (marker == _APP1) & (length >= 8)
    is_exif &= tf.reduce_all(head[4:] == [*_EXIF])
    last = tf.where(is_fill, position + 2, position + 4)
    following = tf.where(is_fill, position + 1, position + 2 + length)
    damage = first_of(
        (last > tf.size(data, tf.int64), "it ends before its pixels"),
        (head[0] != _MARKER, "no marker where one should be"),
        (~is_fill & _stands_alone(marker), "a marker out of place"),
        (~is_fill & (length < 2), "a segment without a length"),
        (is_frame & (length < 8), "a frame header that is too short"),
        (is_frame & (parts.height + parts.width > 0), "two frame headers"),
        (count >= MOST_PARTS, "it has too many segments"),
    )
    return (
        count + 1,
        tf.where(is_scan, position, following),
        is_scan,
        Parts(
            damage,
            tf.where(is_frame, big_endian(head[5:7]), parts.height),
            tf.where(is_frame, big_endian(head[7:9]), parts.width),
            tf.where(is_exif, position + 10, parts.exif_start),
            tf.where(is_exif, length - 8, parts.exif_length),
        ),
    )


def _is_frame(marker: tf.Tensor) -> tf.Tensor:
    others = tf.reduce_any(marker == [0xC4, 0xC8, 0xCC])
    return (marker >= 0xC0) & (marker <= 0xCF) & ~others


def _stands_alone(marker: tf.Tensor) -> tf.Tensor:
    return (marker <= 0x01) | ((marker >= 0xD0) & (marker <= _END))


def _ends(data: tf.Tensor, scan: tf.Tensor) -> tf.Tensor:
    # Within a scan 0xFF is escaped, so that this end is no thumbnail's.
    pixels = data[scan:]
    return tf.reduce_any((pixels[:-1] == _MARKER) & (pixels[1:] == _END))
