"""Decoding photographs and label maps in the graph, without Python callbacks.

Images come out as `(height, width, 3)` uint8 RGB as stored: EXIF's orientation is not applied
(`tfdeconv check` reports rotated files). Labels come out as `(height, width)` uint8 class indices,
instance maps as `(height, width)` uint16 instance numbers.
What cannot be decoded fails with `tf.errors.InvalidArgumentError` that names the file.

TensorFlow turns palette images into colours and cannot return the indices; converting the colours
back costs five times the decoding. Here the file is declared a gray image before it is decoded: the
byte for the colour type is changed, and the checksum with it.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdeconv.labels import (
    IGNORE_LABEL,
    LABEL_OF_CODE,
    VOC_CLASSES,
    VOID_OBJECT,
    colour_code,
    palette,
)

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# IHDR is the first chunk of every PNG: bits at byte 24, colour type at 25, checksum at 29.
_BITS, _COLOUR_TYPE, _CHECKSUM = 24, 25, 29
_GRAY, _PALETTE = b"\0", b"\3"
_HEADER = b"IHDR" + bytes(9)
# Checksums are linear: turning palette (3) into gray (0) flips the same bits in that of any header.
_CHECKSUM_CHANGE = zlib.crc32(_HEADER + b"\3\0\0\0") ^ zlib.crc32(_HEADER + b"\0\0\0\0")
_BYTES = np.array([bytes([value]) for value in range(256)], object)
_COLOURS = palette().astype(np.int32)
_IS_VOID = np.arange(256) == IGNORE_LABEL
_NO_LABEL = 256
_WRONG_KIND = "label maps must be palette or 8-bit gray PNGs of class indices. Received:"
_OUTSIDE = "label map with indices outside of its palette:"


def decode_image(data: tf.Tensor, name: tf.Tensor | str = "image") -> tf.Tensor:
    """Decodes a photograph: JPEG (gray, colour, CMYK) or PNG (any kind; alpha is dropped).

    JPEGs go through the accurate integer transform, Pillow's: both decode to the same pixels.

    Args:
        data: Scalar string, the bytes of the file.
        name: Scalar string, what to call the file in errors.

    Returns:
        `(height, width, 3)` uint8 RGB.

    Raises:
        tf.errors.InvalidArgumentError: naming the file when it is no JPEG or PNG, or cut short.
    """
    return decode_pixels(_require_whole(data, name))


def decode_pixels(data: tf.Tensor) -> tf.Tensor:
    """Decodes a photograph that is known to be complete; otherwise as `decode_image`."""
    # The op decodes PNGs as well; only here can the transform of JPEGs be chosen.
    image = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(image, (None, None, 3))


def decode_labels(
    data: tf.Tensor,
    name: tf.Tensor | str = "labels",
    class_names: Sequence[str] | None = None,
) -> tf.Tensor:
    """Decodes a label map, a palette or gray PNG of indices, as `images.decode_labels` does.

    Args:
        data: Scalar string, the bytes of the file.
        name: Scalar string, what to call the file in errors.
        class_names: Those of the data set, see `tfdeconv.labels.labels_of_indices`.

    Returns:
        `(height, width)` uint8 class indices, 255 where ignored.

    Raises:
        tf.errors.InvalidArgumentError: naming the file when it is another kind of file, was cut
            short, or has an index behind the end of its palette.

    Example:

    >>> from tfdeconv import labels
    >>> decode_labels(labels.encode_png(np.array([[0, 7, 255]], np.uint8))).numpy().tolist()
    [[0, 7, 255]]
    """
    data = _require_whole(data, name)
    colour_type = tf.strings.substr(data, _COLOUR_TYPE, 1)
    known = (colour_type == _GRAY) | (colour_type == _PALETTE)
    is_png = tf.strings.substr(data, 0, 8) == PNG_SIGNATURE
    data = require(data, is_png & known & (_bits(data) <= 8), [_WRONG_KIND, name])
    indices = _decode_indices(data)
    return tf.cond(
        colour_type == _PALETTE,
        lambda: _look_up(indices, _palette_labels(data, class_names), name),
        lambda: indices,
    )


def decode_objects(data: tf.Tensor, name: tf.Tensor | str = "objects") -> tf.Tensor:
    """Decodes an instance map, as `images.decode_objects` does.

    Args:
        data: Scalar string, the bytes of the file: a label map, in which 255 is void, or a 16-bit
            gray PNG.
        name: Scalar string, what to call the file in errors.

    Returns:
        `(height, width)` uint16 instance numbers, 65535 where void.

    Raises:
        tf.errors.InvalidArgumentError: as `decode_labels`.

    Example:

    >>> from tfdeconv import labels
    >>> found = np.array([[0, 300, 65535]], np.uint16)
    >>> decode_objects(labels.encode_objects(found)).numpy().tolist()
    [[0, 300, 65535]]
    """
    data = _require_whole(data, name)
    is_gray = tf.strings.substr(data, _COLOUR_TYPE, 1) == _GRAY
    is_png = tf.strings.substr(data, 0, 8) == PNG_SIGNATURE

    def widened() -> tf.Tensor:
        labels = decode_labels(data, name)
        void = tf.cast(VOID_OBJECT, tf.uint16)
        return tf.where(labels == IGNORE_LABEL, void, tf.cast(labels, tf.uint16))

    return tf.cond(
        is_png & is_gray & (_bits(data) == 16),
        lambda: tf.io.decode_png(data, channels=1, dtype=tf.uint16)[..., 0],
        widened,
    )


def read_labels(
    path: tf.Tensor, image: tf.Tensor, class_names: Sequence[str] | None = None
) -> tf.Tensor:
    """Reads a label map that must be as large as `image`.

    Args:
        path: Scalar string.
        image: `(height, width, 3)` tensor.
        class_names: As for `decode_labels`.

    Returns:
        `(height, width)` uint8.
    """
    return _require_size(decode_labels(tf.io.read_file(path), path, class_names), image, path)


def read_objects(path: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Reads an instance map that must be as large as `image`, `(height, width)` uint16."""
    return _require_size(decode_objects(tf.io.read_file(path), path), image, path)


def _require_size(found: tf.Tensor, image: tf.Tensor, path: tf.Tensor) -> tf.Tensor:
    size = tf.shape(image)[:2]
    message = ["label map of another size than its image:", path, tf.shape(found), "image:", size]
    return require(found, tf.reduce_all(tf.shape(found) == size), message)


def require(value: tf.Tensor, condition: tf.Tensor, message: list[Any]) -> tf.Tensor:
    """Returns `value`, which cannot be computed unless a condition holds.

    Args:
        value: Any tensor.
        condition: Scalar bool.
        message: Strings and tensors for the `tf.errors.InvalidArgumentError` raised otherwise.
    """
    # What uses the value has to wait for the check, or its own failure might come first.
    check = tf.raw_ops.Assert(condition=condition, data=message, summarize=4)
    with tf.control_dependencies([check]):
        return tf.identity(value)


def swap_colour_type(data: tf.Tensor) -> tf.Tensor:
    """Declares a palette image gray, or a gray one a palette image.

    Args:
        data: Scalar string that begins as a PNG file of either kind does.

    Returns:
        Scalar string, the file up to the end of its header chunk.
    """
    is_palette = tf.strings.substr(data, _COLOUR_TYPE, 1) == _PALETTE
    checksum = tf.bitwise.bitwise_xor(
        tf.io.decode_raw(tf.strings.substr(data, _CHECKSUM, 4), tf.uint8),
        np.frombuffer(struct.pack(">I", _CHECKSUM_CHANGE), np.uint8),
    )
    checksum = tf.strings.reduce_join(tf.gather(_BYTES, tf.cast(checksum, tf.int32)))
    before = tf.strings.substr(data, 0, _COLOUR_TYPE)
    after = tf.strings.substr(data, _COLOUR_TYPE + 1, 3)
    return tf.strings.join([before, tf.where(is_palette, _GRAY, _PALETTE), after, checksum])


def _require_whole(data: tf.Tensor, name: tf.Tensor | str) -> tf.Tensor:
    # The decoders' own messages do not name the file. One that was cut short lacks its end mark;
    # behind it phones write videos, and cameras fill the file up.
    is_png = tf.strings.substr(data, 0, 8) == PNG_SIGNATURE
    parts = tf.strings.split(data, tf.where(is_png, b"IEND", b"\xff\xd9"), maxsplit=1)
    message = ["image file is cut short or no image:", name]
    return require(data, (tf.strings.length(data) > 32) & (tf.size(parts) > 1), message)


def _bits(data: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(tf.strings.substr(data, _BITS, 1), tf.uint8)[0], tf.int32)


def _decode_indices(data: tf.Tensor) -> tf.Tensor:
    """Decodes the indices of a palette PNG, or the values of a gray one, of 1 to 8 bits a pixel."""
    # Everything between header and pixels is left out: a gray image has no palette.
    pixels = tf.strings.split(data, b"IDAT", maxsplit=1)
    chunk_length = tf.strings.substr(pixels[0], -4, 4)
    is_palette = tf.strings.substr(data, _COLOUR_TYPE, 1) == _PALETTE
    gray = tf.strings.join([swap_colour_type(data), chunk_length, b"IDAT", pixels[1]])
    decoded = tf.io.decode_png(tf.where(is_palette, gray, data), channels=1)[..., 0]
    # The decoder stretches 1, 2 and 4 bits to the range 0 to 255.
    step = 255 // (tf.bitwise.left_shift(1, _bits(data)) - 1)
    return tf.cond(step == 1, lambda: decoded, lambda: decoded // tf.cast(step, tf.uint8))


def _palette_labels(data: tf.Tensor, class_names: Sequence[str] | None) -> tf.Tensor:
    """Returns the label of each index in a palette PNG: `tfdeconv.labels.labels_of_indices`.

    The result is `(256,)` int32, `_NO_LABEL` for indices behind the end of the file's palette but
    for 255, the void.
    """
    head = tf.strings.split(data, b"IDAT", maxsplit=1)[0]
    parts = tf.strings.split(head, b"PLTE", maxsplit=1)
    length = tf.io.decode_raw(tf.strings.substr(parts[0], -4, 4), tf.uint8)
    length = tf.minimum(tf.cast(length[2], tf.int32) * 256 + tf.cast(length[3], tf.int32), 768)
    colours = tf.io.decode_raw(tf.strings.substr(parts[-1], 0, length), tf.uint8)
    colours = tf.reshape(tf.cast(colours, tf.int32), (-1, 3))
    indices = tf.range(tf.shape(colours)[0])
    by_colour = tf.gather(LABEL_OF_CODE.astype(np.int32), colour_code(colours))
    lit = tf.reduce_any(colours > 0, axis=1)
    used = by_colour[: tf.reduce_max(tf.where(lit, indices + 1, 0))]
    is_voc = tf.reduce_all(tf.gather(_COLOURS, by_colour) == colours)
    once = tf.reduce_max(tf.math.bincount(used, minlength=1)) <= 1
    reordered = is_voc & once & _may_be_reordered(used, class_names)
    found = tf.where(reordered, by_colour, indices)
    found = tf.pad(found, [[0, 256 - tf.shape(found)[0]]], constant_values=_NO_LABEL)
    return tf.where(_IS_VOID & (found == _NO_LABEL), IGNORE_LABEL, found)


def _may_be_reordered(used: tf.Tensor, class_names: Sequence[str] | None) -> tf.Tensor:
    out_of_order = tf.reduce_any(used != tf.range(tf.size(used)))
    if class_names is None:
        return out_of_order
    possible = tf.reduce_all((used < len(class_names)) | (used == IGNORE_LABEL))
    if tuple(class_names) == VOC_CLASSES:
        return out_of_order & possible
    return possible & tf.reduce_any(used[:IGNORE_LABEL] == IGNORE_LABEL)


def _look_up(indices: tf.Tensor, table: tf.Tensor, name: tf.Tensor | str) -> tf.Tensor:
    def translate() -> tf.Tensor:
        labels = tf.gather(table, tf.cast(indices, tf.int32))
        labels = require(labels, tf.reduce_max(labels) < _NO_LABEL, [_OUTSIDE, name])
        return tf.cast(labels, tf.uint8)

    highest = tf.cast(tf.reduce_max(indices), tf.int32)
    # As a rule indices are labels, and need not be looked up.
    in_order = tf.reduce_all(table[: highest + 1] == tf.range(highest + 1))
    return tf.cond(in_order, lambda: indices, translate)
