"""Frame and scans of a JPEG file in the graph (T.81, B.2.2, B.2.3 and G.1.1)."""

from typing import NamedTuple

import tensorflow as tf

from tfdeconv.export.file_parts import big_endian, first_of
from tfdeconv.export.jpeg_parts import Segments, rows_at
from tfdeconv.export.jpeg_tables import AC, Tables

_BITS, _LONGEST_SIDE, _MOST_BLOCKS, _LAST, _MOST_SHIFT = 8, 65500, 10, 63, 13
_COMPONENTS = 4
# Photographs have ten. Each costs as much time as the whole image.
_MOST_SCANS = 100


class Frame(NamedTuple):
    """What the frame header says.

    Attributes:
        damage: scalar string, why the file cannot be decoded, or "".
        height: scalar int64, rows.
        width: scalar int64, columns.
        is_progressive: scalar bool.
        is_arithmetic: scalar bool, whether it has no Huffman codes.
        count: scalar int64, its components.
        components: `(4, 3)` int64: number, blocks in the smallest unit of a scan, and quantization
            table of each; those from `count` on mean nothing.
    """

    damage: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    is_progressive: tf.Tensor
    is_arithmetic: tf.Tensor
    count: tf.Tensor
    components: tf.Tensor


def read_frame(segments: Segments) -> Frame:
    """Reads and checks the frame header; `segments` has it first."""
    marker, length = segments.markers[0], segments.lengths[0]
    head = rows_at(segments.data, segments.starts[:1] + 4, 6 + 3 * _COMPONENTS)[0]
    height, width, count = big_endian(head[1:3]), big_endian(head[3:5]), head[5]
    numbers, factors, steps = tf.unstack(tf.reshape(head[6:], (_COMPONENTS, 3)), axis=1)
    used = tf.range(_COMPONENTS, dtype=tf.int64) < count
    factors = tf.stack([factors // 16, factors % 16])
    most = tf.reduce_max(tf.where(used, factors, 1), axis=1, keepdims=True)
    whole = (factors >= 1) & (factors <= 4) & (most % tf.maximum(factors, 1) == 0)
    damage = first_of(
        (~_is_in(marker, [0xC0, 0xC1, 0xC2, 0xC9, 0xCA]), "a frame of a kind that is not decoded"),
        (length != 8 + 3 * count, "a frame header of another length"),
        (head[0] != _BITS, "not 8 bits a colour"),
        (~_is_in(count, [1, 3, 4]), "not 1, 3 or 4 colours"),
        (tf.maximum(height, width) > _LONGEST_SIDE, "a side that is too long"),
        (tf.reduce_any(used & ~whole), "colours of sizes that do not go together"),
    )
    components = tf.stack([numbers, tf.reduce_prod(factors, axis=0), steps], axis=1)
    progressive, arithmetic = _is_in(marker, [0xC2, 0xCA]), _is_in(marker, [0xC9, 0xCA])
    return Frame(damage, height, width, progressive, arithmetic, count, components)


def check_scans(segments: Segments, frame: Frame, codes: Tables, steps: Tables) -> tf.Tensor:
    """Returns what is wrong with the headers of scans, a scalar string, or ""."""
    starts, lengths = segments.starts[:_MOST_SCANS], segments.lengths[:_MOST_SCANS]
    count = rows_at(segments.data, starts + 4, 1)
    chosen = rows_at(segments.data, starts + 5, 2 * _COMPONENTS)
    chosen = tf.reshape(chosen, (-1, _COMPONENTS, 2))
    places = tf.range(_COMPONENTS, dtype=tf.int64)
    used = places < count
    found = (chosen[..., :1] == frame.components[:, 0]) & (places < frame.count)
    # As the decoder, which looks for components in the order of the frame.
    found &= places >= places[:, tf.newaxis]
    missing = used & ~tf.reduce_any(found, axis=2)
    which = tf.argmax(tf.cast(found, tf.int32), axis=2)
    twice = tf.reduce_sum(tf.one_hot(tf.where(used, which, -1), _COMPONENTS), axis=1) > 1
    blocks, tables = tf.unstack(tf.gather(frame.components, which)[..., 1:], axis=2)
    blocks = tf.reduce_sum(tf.where(used, blocks, 0), axis=1)
    is_single = (count[0, 0] == frame.count) & ~frame.is_progressive
    count = count[:, 0]
    ranges = rows_at(segments.data, starts + 5 + 2 * count, 3)
    without_steps = used & ~_look_up(steps.usable(starts, tf.constant(False)), tables)
    usable = codes.usable(starts, ~frame.is_progressive)
    without_codes = used & _lacks_codes(chosen[..., 1], ranges, usable, frame)
    return first_of(
        (tf.size(segments.starts) > _MOST_SCANS, "it has too many scans"),
        (tf.reduce_any(lengths != 6 + 2 * count), "a scan header of another length"),
        (tf.reduce_any((count < 1) | (count > _COMPONENTS)), "a scan of no or too many colours"),
        (tf.reduce_any(missing), "a scan of a colour that the frame does not have"),
        (tf.reduce_any(twice), "a scan of one colour twice"),
        (is_single & (tf.size(starts) > 1), "a scan after the last one"),
        (tf.reduce_any((count > 1) & (blocks > _MOST_BLOCKS)), "a scan of too large units"),
        (tf.reduce_any(without_steps), "a scan without its quantization table"),
        (_wrong_ranges(ranges, count, frame), "a scan of a part that cannot be"),
        (tf.reduce_any(without_codes), "a scan without its Huffman table"),
    )


def _wrong_ranges(ranges: tf.Tensor, count: tf.Tensor, frame: Frame) -> tf.Tensor:
    first, last, shifts = tf.unstack(ranges, axis=1)
    before, shift = shifts // 16, shifts % 16
    wrong = (first == 0) & (last != 0)
    wrong |= (first > 0) & ((first > last) | (last > _LAST) | (count != 1))
    wrong |= ((before > 0) & (shift != before - 1)) | (shift > _MOST_SHIFT)
    return frame.is_progressive & tf.reduce_any(wrong)


def _lacks_codes(
    chosen: tf.Tensor, ranges: tf.Tensor, usable: tf.Tensor, frame: Frame
) -> tf.Tensor:
    first, refined = ranges[:, :1], ranges[:, 2:] >= 16
    needs_dc = ~frame.is_progressive | ((first == 0) & ~refined)
    needs_ac = ~frame.is_progressive | (first > 0)
    dc, ac = usable[:, :AC], usable[:, AC:]
    lacks = (needs_dc & ~_look_up(dc, chosen // 16)) | (needs_ac & ~_look_up(ac, chosen % 16))
    return lacks & ~frame.is_arithmetic


def _look_up(usable: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
    # Those beyond the last one are not usable.
    inside = slots < tf.shape(usable, tf.int64)[1]
    return inside & tf.gather(usable, tf.where(inside, slots, 0), batch_dims=1)


def _is_in(value: tf.Tensor, codes: list[int]) -> tf.Tensor:
    return tf.reduce_any(value == codes)
