"""From a window to the network's input: a crop and a mirror, the same for image and labels.

The release cuts 224 of 250 pixels at a random place and mirrors every other window. Random numbers
come from stateless ops: the same seed gives the same window, in any thread.
"""

from typing import NamedTuple

import tensorflow as tf


class Place(NamedTuple):
    """Where in its window an input lies.

    Attributes:
        top: scalar int32, its first row.
        left: scalar int32, its first column.
        mirrored: scalar bool, whether its columns are then reversed.
    """

    top: tf.Tensor
    left: tf.Tensor
    mirrored: tf.Tensor


def random_place(room: int, seed: tf.Tensor) -> Place:
    """Draws a place, mirrored with probability 1/2.

    Args:
        room: by how many pixels the window is larger than the input, on each axis.
        seed: `(2,)` int64; every window its own.

    Returns:
        The `Place`; `top` and `left` are 0 to `room`.
    """
    # The algorithm is named: what is chosen automatically depends on the device.
    draw = tf.random.stateless_uniform((3,), seed, alg="philox")
    corner = tf.cast(draw[:2] * tf.cast(room + 1, tf.float32), tf.int32)
    return Place(corner[0], corner[1], draw[2] < 0.5)


def centre(room: int) -> Place:
    """Returns the place in the middle, not mirrored, as the release cuts in its test phase.

    Args:
        room: as in `random_place`; where it is odd, the place is one pixel nearer to the top left.
    """
    return Place(tf.constant(room // 2), tf.constant(room // 2), tf.constant(False))


def cut_image(image: tf.Tensor, place: Place, size: int) -> tf.Tensor:
    """Cuts the input out of an image.

    Args:
        image: `(side, side, channels)` tensor.
        place: Where.
        size: side of the result.

    Returns:
        `(size, size, channels)` of the dtype given.

    Example:

    >>> image = tf.reshape(tf.range(9), (3, 3, 1))
    >>> place = Place(tf.constant(1), tf.constant(0), tf.constant(True))
    >>> cut_image(image, place, 2)[..., 0].numpy().tolist()
    [[4, 3], [7, 6]]
    """
    cut = image[place.top : place.top + size, place.left : place.left + size]
    cut = tf.cond(place.mirrored, lambda: tf.reverse(cut, [1]), lambda: cut)
    return tf.ensure_shape(cut, (size, size, image.shape[-1]))


def cut_points(
    rows: tf.Tensor, columns: tf.Tensor, place: Place, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts the input out of what is given by its rows and columns; see `crops.nearest_points`.

    Args:
        rows: `(side,)` tensor, what each row shows.
        columns: `(side,)` tensor.
        place: Where.
        size: rows and columns of the result.

    Returns:
        rows and columns, both `(size,)`.
    """
    columns = columns[place.left : place.left + size]
    columns = tf.where(place.mirrored, columns[::-1], columns)
    return rows[place.top : place.top + size], columns
