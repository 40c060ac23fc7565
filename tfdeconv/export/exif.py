"""EXIF's orientation in the graph: how a camera was held, and turning its pictures upright."""

import tensorflow as tf

from tfdeconv.export.file_parts import big_endian

_MARK, _ORIENTATION = 42, 0x0112
_UPRIGHT = 1


def read_orientation(tiff: tf.Tensor) -> tf.Tensor:
    """Returns the orientation that an EXIF block tells, 1 (upright) where it is damaged.

    Args:
        tiff: `(n,)` uint8, the block from its byte order on; n may be 0.

    Returns:
        Scalar int32, 1 to 8.

    Example:

    >>> entry = b"\\0\\1" + b"\\1\\x12\\0\\3\\0\\0\\0\\1\\0\\6\\0\\0"
    >>> int(read_orientation(tf.io.decode_raw(b"MM\\0*\\0\\0\\0\\x08" + entry, tf.uint8)))
    6
    """
    length = tf.size(tiff, tf.int64)
    # What lies behind the end is zero; where it matters, the end is checked.
    octets = tf.cast(tf.pad(tiff, [[0, 16]]), tf.int64)
    last = length + 15
    # As OpenCV: what is not "II" is taken for "MM", and the number 42 must follow.
    little = tf.reduce_all(octets[:2] == [*b"II"])

    def number(at: tf.Tensor, count: int) -> tf.Tensor:
        places = tf.clip_by_value(at[..., tf.newaxis] + tf.range(count, dtype=tf.int64), 0, last)
        parts = tf.gather(octets, places)
        return big_endian(tf.where(little, parts[..., ::-1], parts))

    is_exif = number(tf.constant(2, tf.int64), 2) == _MARK
    directory = number(tf.constant(4, tf.int64), 4)
    first = directory + 2
    entries = tf.where((length >= 8) & (first <= length), number(directory, 2), 0)
    # An entry that begins less than 10 bytes before the end is damaged, and so are those after it.
    entries = tf.clip_by_value((length - 10 - first) // 12 + 1, 0, entries)
    places = first + 12 * tf.range(entries)
    values = number(places + 8, 2)
    found = (number(places, 2) == _ORIENTATION) & (values >= 1) & (values <= 8)
    values = tf.boolean_mask(values, found & is_exif)
    return tf.cast(tf.concat([values, [_UPRIGHT]], axis=0)[0], tf.int32)


def turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns a `(height, width, 3)` image that is stored with an orientation of 1 to 8 upright."""

    def turn() -> tf.Tensor:
        turned = tf.cond(orientation > 4, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        for axis, mirrored in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
            steps = tf.where(tf.reduce_any(orientation == mirrored), -1, 1)
            turned = turned[:, ::steps] if axis else turned[::steps]
        return turned

    upright = tf.cond(orientation == _UPRIGHT, lambda: image, turn)
    return tf.ensure_shape(upright, (None, None, 3))
