"""From a window to the network's input: a crop and a mirror, the same for image and labels.

The release cuts 224 of 250 pixels at a random place and mirrors every other window. Random numbers
come from stateless ops: the same seed gives the same window, in any thread.
"""

import tensorflow as tf


def random_crop_and_mirror(
    image: tf.Tensor, labels: tf.Tensor, size: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts a square at a random place and mirrors it with probability 1/2.

    Args:
        image: `(side, side, channels)` tensor.
        labels: `(side, side)` tensor.
        size: side of the result, at most that of the window.
        seed: `(2,)` int64; every window its own.

    Returns:
        image, `(size, size, channels)`, and labels, `(size, size)`, of the dtypes given.
    """
    # The algorithm is named: what is chosen automatically depends on the device.
    draw = tf.random.stateless_uniform((3,), seed, alg="philox")
    place = tf.cast(draw[:2] * tf.cast(image.shape[0] - size + 1, tf.float32), tf.int32)
    image, labels = _cut(image, labels, size, place[0], place[1])
    return tf.cond(
        draw[2] < 0.5,
        lambda: (tf.reverse(image, [1]), tf.reverse(labels, [1])),
        lambda: (image, labels),
    )


def centre_crop(image: tf.Tensor, labels: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts the square in the middle, as the release does in its test phase.

    Args:
        image: `(side, side, channels)` tensor.
        labels: `(side, side)` tensor.
        size: side of the result; where the rest is odd, it is one pixel nearer to the top left.

    Returns:
        image and labels of that size.
    """
    place = (image.shape[0] - size) // 2
    return _cut(image, labels, size, place, place)


def _cut(
    image: tf.Tensor, labels: tf.Tensor, size: int, top: tf.Tensor | int, left: tf.Tensor | int
) -> tuple[tf.Tensor, tf.Tensor]:
    cut = image[top : top + size, left : left + size]
    cut_labels = labels[top : top + size, left : left + size]
    return tf.ensure_shape(cut, (size, size, image.shape[-1])), tf.ensure_shape(
        cut_labels, (size, size)
    )
