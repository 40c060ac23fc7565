"""How a network for images of every size sees an image: as a whole, at once, without proposals.

The sizes are TensorFlow ops, computed in double precision and with halves to the even number.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfdeconv.data.whole_images import MEAN_COLOUR, seen_size
from tfdeconv.layers import RequireSize


class SizeRule(NamedTuple):
    """The sizes that a network takes.

    Attributes:
        multiple: height and width must be multiples of it.
        least: the smallest height and width.

    Example:

    >>> SizeRule(multiple=32, least=(64, 64)).fit((70, 20)).numpy().tolist()
    [96, 64]
    """

    multiple: int
    least: tuple[int, int]

    def fit(self, size: tf.Tensor) -> tf.Tensor:
        """Returns the smallest size that the network takes and that holds this one.

        Args:
            size: `(2,)` int32, height and width, or a pair of numbers.

        Returns:
            `(2,)` int32.
        """
        multiples = -(-tf.convert_to_tensor(size) // self.multiple)
        return tf.maximum(multiples * self.multiple, self.least)


def size_rule(model: keras.Model) -> SizeRule:
    """Returns what a network for every size asks for by its `tfdeconv.layers.RequireSize`."""
    demands = [layer for layer in model.layers if isinstance(layer, RequireSize)]
    if not demands:
        return SizeRule(1, (1, 1))
    height, width = demands[0].minimum
    return SizeRule(demands[0].multiple, (height, width))


class WholeImage:
    """Shows a network the whole image.

    An image is seen at its own size; one whose longer side is above 500 pixels is shrunk to that
    (`tfdeconv.data.whole_images`), as in training: what such a network has learnt has a size in
    pixels, and memory stays bounded. Where the network asks for multiples of a number
    (`tfdeconv.layers.RequireSize`), rows and columns of the mean colour are added below and to the
    right: a U-Net trained for a few minutes on CamVid, 240x180 pixels, had a mean IoU of 0.38 so,
    and 0.28 with twelve black rows.

    Args:
        rule: the sizes that the network takes.
        scale: what the size at which an image is seen is multiplied by.
    """

    batch_size = 1

    def __init__(self, rule: SizeRule, scale: float = 1.0) -> None:
        self._rule, self._scale = rule, scale

    def regions(self, boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Returns the one region that the network sees, with what is added: `(1, 4)` int32.

        Args:
            boxes: not used.
            height: rows of the image, a scalar int32.
            width: columns of the image.
        """
        size = tf.stack([height, width])
        seen = self._seen(size)
        area = tf.cast(self._rule.fit(seen), tf.float64) * tf.cast(size, tf.float64)
        reach = tf.cast(tf.round(area / tf.cast(seen, tf.float64)), tf.int32)
        return tf.concat([[0, 0], reach], axis=0)[tf.newaxis]

    def pictures(self, image: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
        """Returns what the network sees: `(1, rows, columns, 3)` float32 in [0, 255].

        Args:
            image: `(height, width, 3)` uint8 RGB.
            regions: not used, since there is but one.
        """
        seen = self._seen(tf.shape(image)[:2])
        return resize_and_fill(image, seen, self._rule.fit(seen))

    def _seen(self, size: tf.Tensor) -> tf.Tensor:
        sides = self._scale * tf.cast(seen_size(size), tf.float64)
        return tf.maximum(tf.cast(tf.round(sides), tf.int32), 1)


def resize_and_fill(image: tf.Tensor, seen: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    """Returns an image as a network sees it: resized, and the mean colour below and to the right.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        seen: `(2,)` int32, height and width to resize it to.
        whole: `(2,)` int32, at least as large: of the result.

    Returns:
        `(1, rows, columns, 3)` float32 in [0, 255].
    """
    # As windows are resized for training: bilinearly, half-pixel centres, no antialiasing.
    resized = tf.raw_ops.ResizeBilinear(
        images=image[tf.newaxis], size=seen, half_pixel_centers=True
    )
    below, right = tf.unstack(whole - seen)
    mean = tf.constant(MEAN_COLOUR, tf.float32)
    columns = tf.broadcast_to(mean, tf.stack([1, seen[0], right, 3]))
    rows = tf.broadcast_to(mean, tf.stack([1, below, whole[1], 3]))
    return tf.concat([tf.concat([resized, columns], axis=2), rows], axis=1)
