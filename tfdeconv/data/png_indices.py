"""The indices of a palette PNG in the graph.

TensorFlow's decoder turns palette images into colours and cannot be asked for the indices; turning
the colours back costs five times the decoding. Here the file is declared a gray image before it is
decoded: the byte for the colour type is changed, and the checksum with it.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdeconv.labels import IGNORE_LABEL, VOC_CLASSES, palette

NO_LABEL = 256
_COLOUR_TYPE = 25
_HEADER = b"IHDR" + bytes(9)
# Checksums are linear: turning palette (3) into gray (0) flips the same bits in that of any header.
_CHECKSUM_CHANGE = zlib.crc32(_HEADER + b"\3\0\0\0") ^ zlib.crc32(_HEADER + b"\0\0\0\0")
_BYTES = np.array([bytes([value]) for value in range(256)], object)
_COLOURS = palette().astype(np.int32)
_IS_VOID = np.arange(256) == IGNORE_LABEL


def decode_indices(data: tf.Tensor) -> tf.Tensor:
    """Decodes the indices of a palette PNG, or the values of a gray one.

    Args:
        data: Scalar string, the bytes of a PNG file with 1 to 8 bits a pixel.

    Returns:
        `(height, width)` uint8.
    """
    # Everything between header and pixels is left out: a gray image has no palette.
    pixels = tf.strings.split(data, b"IDAT", maxsplit=1)
    chunk_length = tf.strings.substr(pixels[0], -4, 4)
    is_palette = tf.strings.substr(data, _COLOUR_TYPE, 1) == b"\3"
    gray = tf.strings.join([swap_colour_type(data), chunk_length, b"IDAT", pixels[1]])
    decoded = tf.io.decode_png(tf.where(is_palette, gray, data), channels=1)[..., 0]
    # The decoder stretches 1, 2 and 4 bits to the range 0 to 255.
    bits = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 24, 1), tf.uint8)[0], tf.int32)
    step = 255 // (tf.bitwise.left_shift(1, bits) - 1)
    return tf.cond(step == 1, lambda: decoded, lambda: decoded // tf.cast(step, tf.uint8))


def swap_colour_type(data: tf.Tensor) -> tf.Tensor:
    """Declares a palette image gray, or a gray one a palette image.

    Args:
        data: Scalar string that begins as a PNG file of either kind does.

    Returns:
        Scalar string, the file up to the end of its header chunk.
    """
    is_palette = tf.strings.substr(data, _COLOUR_TYPE, 1) == b"\3"
    checksum = tf.bitwise.bitwise_xor(
        tf.io.decode_raw(tf.strings.substr(data, 29, 4), tf.uint8),
        np.frombuffer(struct.pack(">I", _CHECKSUM_CHANGE), np.uint8),
    )
    checksum = tf.strings.reduce_join(tf.gather(_BYTES, tf.cast(checksum, tf.int32)))
    swapped = tf.where(is_palette, b"\0", b"\3")
    before, after = (
        tf.strings.substr(data, *part) for part in ((0, _COLOUR_TYPE), (_COLOUR_TYPE + 1, 3))
    )
    return tf.strings.join([before, swapped, after, checksum])


def palette_labels(data: tf.Tensor, class_names: Sequence[str] | None = None) -> tf.Tensor:
    """Says which label each index in a palette PNG stands for: `labels.labels_of_indices`.

    Args:
        data: Scalar string, the bytes of the file.
        class_names: Those of the data set; None when they are unknown.

    Returns:
        `(256,)` int32 labels; `NO_LABEL` for indices behind the end of the file's palette, but 255
        for the void.
    """
    head = tf.strings.split(data, b"IDAT", maxsplit=1)[0]
    parts = tf.strings.split(head, b"PLTE", maxsplit=1)
    length = tf.io.decode_raw(tf.strings.substr(parts[0], -4, 4), tf.uint8)
    length = tf.minimum(tf.cast(length[2], tf.int32) * 256 + tf.cast(length[3], tf.int32), 768)
    colours = tf.io.decode_raw(tf.strings.substr(parts[-1], 0, length), tf.uint8)
    colours = tf.reshape(tf.cast(colours, tf.int32), (-1, 3))
    indices = tf.range(tf.shape(colours)[0])
    by_colour = tf.gather(_LABELS_BY_TOP_BITS, _top_bits(colours))
    lit = tf.reduce_any(colours > 0, axis=1)
    used = by_colour[: tf.reduce_max(tf.where(lit, indices + 1, 0))]
    is_voc = tf.reduce_all(tf.gather(_COLOURS, by_colour) == colours)
    once = tf.reduce_max(tf.math.bincount(used, minlength=1)) <= 1
    reordered = is_voc & once & _may_be_reordered(used, class_names)
    found = tf.where(reordered, by_colour, indices)
    found = tf.pad(found, [[0, 256 - tf.shape(found)[0]]], constant_values=NO_LABEL)
    return tf.where(_IS_VOID & (found == NO_LABEL), IGNORE_LABEL, found)


def _may_be_reordered(used: tf.Tensor, class_names: Sequence[str] | None) -> tf.Tensor:
    out_of_order = tf.reduce_any(used != tf.range(tf.size(used)))
    if class_names is None:
        return out_of_order
    possible = tf.reduce_all((used < len(class_names)) | (used == IGNORE_LABEL))
    if tuple(class_names) == VOC_CLASSES:
        return out_of_order & possible
    return possible & tf.reduce_any(used[:IGNORE_LABEL] == IGNORE_LABEL)


def _top_bits(colours: Any) -> Any:
    # The top bits of the channels number the colours of VOC's palette, in an order of their own.
    return colours[:, 0] // 32 * 32 + colours[:, 1] // 32 * 4 + colours[:, 2] // 64


_LABELS_BY_TOP_BITS = np.argsort(_top_bits(_COLOURS)).astype(np.int32)
