"""The segments of a JPEG file in the graph.

The decoder's own errors do not say which photograph of a batch is wrong, and a graph cannot catch
them. So all at which it gives up is looked for here: tables that are missing or wrong, frames of
kinds that it does not know, scans of other components (ITU-T T.81, annexes B and C). Damage within
the pixels is none of that: the decoder passes over it.
"""

import tensorflow as tf

from tfdeconv.export.file_parts import MOST_PARTS, Parts, big_endian, first_of, no_parts
from tfdeconv.export.jpeg_parts import Segments, first_damage, rows_at
from tfdeconv.export.jpeg_scans import check_scans, read_frame
from tfdeconv.export.jpeg_tables import read_codes, read_steps

_MARKER, _SCAN, _END, _APP1 = 0xFF, 0xDA, 0xD9, 0xE1
_CODES, _CONDITIONS, _STEPS, _RESTARTS = 0xC4, 0xCC, 0xDB, 0xDD
_FRAMES = [code for code in range(0xC0, 0xD0) if code not in (_CODES, 0xC8, _CONDITIONS)]
# Those with a length that the decoder reads or passes over; it gives up at others.
_KNOWN = {*_FRAMES, _CODES, _CONDITIONS, _SCAN, _STEPS, 0xDC, _RESTARTS, *range(0xE0, 0xF0), 0xFE}
_IS_KNOWN = [code in _KNOWN for code in range(256)]
# Behind 0xFF these end no scan: an escaped 0xFF, TEM, a fill byte, and restarts.
_WITHIN = {0x00, 0x01, 0xFF, *range(0xD0, 0xD8)}
_ENDS_SCAN = [code not in _WITHIN for code in range(256)]
_EXIF = b"Exif\0\0"


def read_segments(data: tf.Tensor) -> Parts:
    """Walks through the segments of a JPEG file to its end mark and checks them.

    Args:
        data: `(n,)` uint8, the file, beginning with JPEG's first marker.

    Returns:
        What they say. The first EXIF segment counts.
    """
    starts, scanning = _walk(data)
    heads = rows_at(data, starts, 10)
    segments = Segments(data, starts, heads[:, 1], big_endian(heads[:, 2:4]))
    structure = _check_structure(segments, heads[-1, 0], scanning)
    parts = tf.cond(
        structure == "",
        lambda: _read_contents(segments),
        lambda: no_parts()._replace(damage=structure),
    )
    is_exif = (segments.markers == _APP1) & (segments.lengths >= 8)
    is_exif &= tf.reduce_all(heads[:, 4:] == [*_EXIF], axis=1)
    blocks = tf.stack([starts + 10, segments.lengths - 8], axis=1)
    first = tf.concat([tf.boolean_mask(blocks, is_exif), [[0, 0]]], axis=0)[0]
    return parts._replace(exif_start=first[0], exif_length=first[1])


def _walk(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # Each step waits for the one before it, so that it does as little as it can.
    size = tf.size(data, tf.int64)
    padded = tf.pad(data, [[0, 4]])
    ends = tf.concat([_scan_ends(data), [size]], axis=0)

    def step(
        count: tf.Tensor,
        position: tf.Tensor,
        scanning: tf.Tensor,
        _: tf.Tensor,
        starts: tf.TensorArray,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        head = tf.cast(padded[position : position + 4], tf.int64)
        first, marker, high, low = tf.unstack(head, num=4)
        is_fill = marker == _MARKER
        length = 256 * high + low
        following = tf.minimum(tf.where(is_fill, position + 1, position + 2 + length), size)
        scanning |= marker == _SCAN
        behind = tf.gather(ends, tf.searchsorted(ends, following[tf.newaxis])[0])
        going = (first == _MARKER) & (is_fill | (tf.gather(_IS_KNOWN, marker) & (length >= 2)))
        return (
            count + 1,
            tf.where(scanning, behind, following),
            scanning,
            going & (count < MOST_PARTS),
            starts.write(count, position),
        )

    _, _, scanning, _, starts = tf.while_loop(
        lambda count, position, scanning, going, starts: going,
        step,
        (
            0,
            tf.constant(2, tf.int64),
            tf.constant(False),
            tf.constant(True),
            tf.TensorArray(tf.int64, 0, dynamic_size=True, element_shape=()),
        ),
        parallel_iterations=1,
    )
    return starts.stack(), scanning


def _scan_ends(data: tf.Tensor) -> tf.Tensor:
    places = tf.where(data[:-1] == _MARKER)[:, 0]
    codes = tf.cast(tf.gather(data, places + 1), tf.int32)
    return tf.boolean_mask(places, tf.gather(_ENDS_SCAN, codes))


def _check_structure(segments: Segments, first: tf.Tensor, scanning: tf.Tensor) -> tf.Tensor:
    # The walk ended at the end mark, or at the first segment that is none.
    size, start = tf.size(segments.data, tf.int64), segments.starts[-1]
    marker, length = segments.markers[-1], segments.lengths[-1]
    ended = scanning & (marker == _END)
    stands_alone = (marker <= 0x01) | ((marker >= 0xD0) & (marker <= _END))
    frames = tf.boolean_mask(segments.starts, _is_one_of(segments.markers, _FRAMES))
    first_scan = tf.reduce_min(tf.boolean_mask(segments.starts, segments.markers == _SCAN))
    return first_of(
        (scanning & (start >= size), "no end mark"),
        (~scanning & (start + 4 > size), "it ends before its pixels"),
        (first != _MARKER, "no marker where one should be"),
        (tf.size(segments.starts) > MOST_PARTS, "it has too many segments"),
        (~ended & stands_alone, "a marker out of place"),
        (~ended & ~tf.gather(_IS_KNOWN, marker), "a marker of no known meaning"),
        (~ended & (length < 2), "a segment without a length"),
        (tf.size(frames) == 0, "no frame header"),
        (tf.size(frames) > 1, "two frame headers"),
        (tf.reduce_min(frames) > first_scan, "its frame header comes after pixels"),
    )


def _read_contents(segments: Segments) -> Parts:
    frame = read_frame(segments.only(_is_one_of(segments.markers, _FRAMES)))
    codes = read_codes(segments.only(segments.markers == _CODES))
    steps = read_steps(segments.only(segments.markers == _STEPS))
    restarts = segments.only(segments.markers == _RESTARTS)
    conditions = segments.only(segments.markers == _CONDITIONS)
    odd = tf.cast(conditions.lengths % 2, tf.bool) | ~frame.is_arithmetic
    damage = first_damage(
        frame.damage,
        codes.damage,
        steps.damage,
        first_of(
            (tf.reduce_any(restarts.lengths != 4), "restarts of another length"),
            (tf.reduce_any(odd), "tables of arithmetic coding that are out of place"),
        ),
    )
    scans = segments.only(segments.markers == _SCAN)
    damage = tf.cond(damage == "", lambda: check_scans(scans, frame, codes, steps), lambda: damage)
    return no_parts()._replace(damage=damage, height=frame.height, width=frame.width)


def _is_one_of(markers: tf.Tensor, codes: list[int]) -> tf.Tensor:
    return tf.reduce_any(markers[:, tf.newaxis] == codes, axis=1)
