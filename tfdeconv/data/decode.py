"""Decoding photographs and label maps in the graph, without Python callbacks.

Images come out as `(height, width, 3)` uint8 RGB as stored: EXIF's orientation is not applied
(`tfdeconv check` reports rotated files). Labels come out as `(height, width)` uint8 class indices.
What cannot be decoded fails with `tf.errors.InvalidArgumentError` that names the file.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfdeconv.data.png_indices import NO_LABEL, decode_indices, palette_labels

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_GRAY, _PNG_PALETTE = 0, 3
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
        tf.errors.InvalidArgumentError: naming the file when it is no JPEG or PNG or was cut short.
    """
    return decode_pixels(_require_whole(data, name))


def decode_pixels(data: tf.Tensor) -> tf.Tensor:
    """Decodes a photograph that is known to be whole; otherwise as `decode_image`.

    Args:
        data: Scalar string, the bytes of a JPEG or PNG.

    Returns:
        `(height, width, 3)` uint8 RGB.
    """
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

    >>> import numpy as np
    >>> from tfdeconv import labels
    >>> decode_labels(labels.encode_png(np.array([[0, 7, 255]], np.uint8))).numpy().tolist()
    [[0, 7, 255]]
    """
    data = _require_whole(data, name)
    # IHDR is the first chunk of every PNG: bits at byte 24, colour type at byte 25.
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 24, 2), tf.uint8), tf.int32)
    bits, colour_type = header[0], header[1]
    known = (colour_type == _PNG_GRAY) | (colour_type == _PNG_PALETTE)
    is_png = tf.strings.substr(data, 0, 8) == PNG_SIGNATURE
    data = require(data, is_png & known & (bits <= 8), [_WRONG_KIND, name])
    indices = decode_indices(data)
    return tf.cond(
        colour_type == _PNG_PALETTE,
        lambda: _look_up(indices, palette_labels(data, class_names), name),
        lambda: indices,
    )


def read_labelled(
    image_path: tf.Tensor, label_path: tf.Tensor, class_names: Sequence[str] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads a photograph and its label map, which must have the same size.

    Args:
        image_path: Scalar string.
        label_path: Scalar string.
        class_names: As for `decode_labels`.

    Returns:
        image, `(height, width, 3)` uint8, and labels, `(height, width)` uint8.
    """
    image = decode_image(tf.io.read_file(image_path), image_path)
    return image, read_labels(label_path, image, class_names)


def read_labels(
    path: tf.Tensor, image: tf.Tensor, class_names: Sequence[str] | None = None
) -> tf.Tensor:
    """Reads a class or instance map that must be as large as `image`.

    Args:
        path: Scalar string.
        image: `(height, width, 3)` tensor.
        class_names: As for `decode_labels`; None for an instance map.

    Returns:
        `(height, width)` uint8.
    """
    labels = decode_labels(tf.io.read_file(path), path, class_names)
    size = tf.shape(image)[:2]
    message = ["label map of another size than its image:", path, tf.shape(labels), "image:", size]
    return require(labels, tf.reduce_all(tf.shape(labels) == size), message)


def require(value: tf.Tensor, condition: tf.Tensor, message: list[Any]) -> tf.Tensor:
    """Returns a tensor that exists only where a condition holds.

    Args:
        value: Any tensor.
        condition: Scalar bool.
        message: Strings and tensors to tell otherwise, in a `tf.errors.InvalidArgumentError`.
    """
    # What uses the value has to wait for the check, or its own failure might be told first.
    check = tf.raw_ops.Assert(condition=condition, data=message, summarize=4)
    with tf.control_dependencies([check]):
        return tf.identity(value)


def _require_whole(data: tf.Tensor, name: tf.Tensor | str) -> tf.Tensor:
    # The decoders' own messages do not name the file. One that was cut short lacks its end mark;
    # behind it phones write videos, and cameras fill the file up.
    is_png = tf.strings.substr(data, 0, 8) == PNG_SIGNATURE
    parts = tf.strings.split(data, tf.where(is_png, b"IEND", b"\xff\xd9"), maxsplit=1)
    message = ["image file is cut short or no image:", name]
    return require(data, (tf.strings.length(data) > 32) & (tf.size(parts) > 1), message)


def _look_up(indices: tf.Tensor, table: tf.Tensor, name: tf.Tensor | str) -> tf.Tensor:
    highest = tf.cast(tf.reduce_max(indices), tf.int32)
    # As a rule indices are labels, and need not be looked up.
    in_order = tf.reduce_all(table[: highest + 1] == tf.range(highest + 1))
    return tf.cond(in_order, lambda: indices, lambda: _translate(indices, table, name))


def _translate(indices: tf.Tensor, table: tf.Tensor, name: tf.Tensor | str) -> tf.Tensor:
    labels = tf.gather(table, tf.cast(indices, tf.int32))
    labels = require(labels, tf.reduce_max(labels) < NO_LABEL, [_OUTSIDE, name])
    return tf.cast(labels, tf.uint8)
