"""Encoded photographs -> upright RGB in the graph, checked before anything is decoded."""

import tensorflow as tf

from tfdeconv.data.decode import decode_pixels, require
from tfdeconv.export.exif import turn_upright
from tfdeconv.export.image_headers import read_header
from tfdeconv.export.requests import refusal

# libpng reads no longer ones; a JPEG cannot have them.
_LONGEST = 1_000_000


def decode_upright(data: tf.Tensor, index: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Decodes a photograph as `tfdeconv.images.decode_image` does, in the graph.

    An error of the decoder itself would not name the element. It is left to what nobody but its
    maker can have damaged: a PNG whose pixels cannot be unpacked or whose chunks are in a wrong
    order though every checksum is right, or the tables of an arithmetic-coded JPEG.

    Args:
        data: Scalar string, the bytes of a JPEG or PNG file.
        index: Scalar integer, which element of `images_bytes` it is, for errors.
        max_pixels: the most pixels that it may have.

    Returns:
        `(height, width, 3)` uint8 RGB, upright.

    Raises:
        tf.errors.InvalidArgumentError: naming the element, when it is no JPEG or PNG, damaged, cut
            short, without pixels or too large.

    Example:

    >>> from tfdeconv.images import encode_png
    >>> data = encode_png(tf.fill((2, 3, 3), tf.constant(7, tf.uint8)).numpy())
    >>> decode_upright(tf.constant(data), tf.constant(0), max_pixels=6).shape
    TensorShape([2, 3, 3])
    """
    # Many small steps, each of which a GPU would wait for.
    with tf.device("CPU:0"):
        header = read_header(data)
        must = tf.strings.join(["be ", header.problem])
        data = require(data, header.problem == "", [refusal("images_bytes", index, must)])
        pixels, longer = header.height * header.width, tf.maximum(header.height, header.width)
        fits = (pixels >= 1) & (pixels <= max_pixels) & (longer <= _LONGEST)
        must = (
            f"have 1 to {max_pixels} pixels and sides of at most {_LONGEST}. "
            "Received: height and width"
        )
        message = [refusal("images_bytes", index, must), header.height, header.width]
        data = require(data, fits, message)
        return turn_upright(decode_pixels(data), header.orientation)
