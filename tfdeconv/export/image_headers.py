"""What a JPEG or PNG file says of itself, read in the graph without decoding it.

As in `tfdeconv.images`, the header is checked before a decoder allocates anything. Here files
are refused, too, that the decoder would read otherwise than the check does.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfdeconv.data.decode import PNG_SIGNATURE
from tfdeconv.export.exif import read_orientation
from tfdeconv.export.file_parts import Parts
from tfdeconv.export.jpeg_segments import read_segments
from tfdeconv.export.png_chunks import read_chunks

_JPEG_SIGNATURE = b"\xff\xd8"


class Header(NamedTuple):
    """What the bytes of an image file say.

    Attributes:
        problem: scalar string, what is wrong with the file, or "".
        height: scalar int64, rows as stored.
        width: scalar int64, columns as stored.
        orientation: scalar int32, EXIF's, 1 (upright) to 8.
    """

    problem: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    orientation: tf.Tensor


def read_header(data: tf.Tensor) -> Header:
    """Reads the header of an encoded image and checks that the file is whole.

    Args:
        data: Scalar string, the bytes of the file.

    Returns:
        The `Header`; where there is a problem, only that counts.

    Example:

    >>> read_header(tf.constant("GIF89a")).problem.numpy().decode()
    'an encoded JPEG or PNG image. Received: 6 bytes of another kind.'
    """
    is_png = tf.strings.substr(data, 0, len(PNG_SIGNATURE)) == PNG_SIGNATURE
    is_jpeg = tf.strings.substr(data, 0, len(_JPEG_SIGNATURE)) == _JPEG_SIGNATURE

    def read(reader: Callable[[tf.Tensor], Parts]) -> Header:
        octets = tf.io.decode_raw(data, tf.uint8)
        found = reader(octets)
        exif = octets[found.exif_start : found.exif_start + found.exif_length]
        reason = [" cut short or damaged (", found.damage, ")."]
        damage = tf.strings.join(["a whole image. Received: ", _size(data), *reason])
        problem = tf.where(found.damage == "", "", damage)
        return Header(problem, found.height, found.width, read_orientation(exif))

    def refuse() -> Header:
        parts = ["an encoded JPEG or PNG image. Received: ", _size(data), " of another kind."]
        nothing = tf.constant(0, tf.int64)
        return Header(tf.strings.join(parts), nothing, nothing, tf.constant(1))

    return tf.cond(
        is_png,
        lambda: read(read_chunks),
        lambda: tf.cond(is_jpeg, lambda: read(read_segments), refuse),
    )


def _size(data: tf.Tensor) -> tf.Tensor:
    return tf.strings.join([tf.strings.as_string(tf.strings.length(data)), " bytes"])
