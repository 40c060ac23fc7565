"""Labels as palette PNGs in the graph, in the colours of PASCAL VOC."""

import struct
import zlib

import tensorflow as tf

from tfdeconv.data.decode import swap_colour_type
from tfdeconv.labels import palette

# Signature and header chunk of a PNG; what follows, in a palette image, is the palette.
_HEADER_END = 33
_COLOURS = b"PLTE" + palette().tobytes()
_PALETTE_CHUNK = (
    struct.pack(">I", len(_COLOURS) - 4) + _COLOURS + struct.pack(">I", zlib.crc32(_COLOURS))
)


def encode_label_png(labels: tf.Tensor) -> tf.Tensor:
    """Encodes labels as `tfdeconv.labels.encode_png` does, in the graph.

    TensorFlow writes gray PNGs. One of a palette has the same pixels, another colour type in its
    header, and its colours behind that.

    Args:
        labels: `(height, width)` uint8 labels, at least one pixel.

    Returns:
        Scalar string, the bytes of the file.

    Example:

    >>> from tfdeconv.data.decode import decode_labels
    >>> labels = tf.constant([[0, 7], [255, 1]], tf.uint8)
    >>> decode_labels(encode_label_png(labels)).numpy().tolist()
    [[0, 7], [255, 1]]
    """
    gray = tf.io.encode_png(labels[..., tf.newaxis])
    pixels = tf.strings.substr(gray, _HEADER_END, tf.strings.length(gray) - _HEADER_END)
    header = swap_colour_type(tf.strings.substr(gray, 0, _HEADER_END))
    return tf.strings.join([header, _PALETTE_CHUNK, pixels])
