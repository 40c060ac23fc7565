"""A network that takes images of any size, over a whole image at once."""

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.data.whole_images import seen_size
from tfdeconv.errors import UserError
from tfdeconv.inference.checks import as_scores
from tfdeconv.inference.graph import runner
from tfdeconv.layers import RequireSize


class WholeImage:
    """Runs a fully convolutional network over whole images, without proposals.

    An image is shown at its own size; one whose longer side is above 500 pixels is shrunk to that
    (`tfdeconv.data.whole_images`), as in training: what such a network has learnt has a size in
    pixels, and memory stays bounded. Where the network asks for multiples of a number
    (`tfdeconv.layers.RequireSize`), black rows and columns are added below and to the right.

    Args:
        model: Keras model from RGB in [0, 255], `(batch, None, None, 3)`, to scores,
            `(batch, rows, columns, classes)`.
    """

    def __init__(self, model: keras.Model) -> None:
        demands = [layer for layer in model.layers if isinstance(layer, RequireSize)]
        self._multiple = demands[0].multiple if demands else 1
        self._minimum = demands[0].minimum if demands else (1, 1)
        image, sides = tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((2,), tf.int32)
        self._show = tf.function(_resize_and_pad, input_signature=[image, sides, sides])
        self._run = runner(model, batch_size=1)

    def scores(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the network says of an image, and what part of the plane it speaks of.

        Args:
            image: `(height, width, 3)` uint8 RGB.

        Returns:
            `(1, rows, columns, classes)` float32 scores before softmax, and the `(1, 4)` int32
            region in pixels of the image that they fill: the image and what was added to it.

        Raises:
            UserError: when the network cannot take the size, or gives NaN.
        """
        height, width = image.shape[:2]
        seen = seen_size(height, width)
        shown = [
            max(-(-side // self._multiple) * self._multiple, least)
            for side, least in zip(seen, self._minimum, strict=True)
        ]
        try:
            found = self._run(self._show(image, seen, shown).numpy())
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise UserError(
                "A network without an input size must take images of every size. Received: for "
                f"{shown[0]}x{shown[1]} pixels, {str(error).splitlines()[0]}. Build it for one "
                "size, or put a `tfdeconv.layers.RequireSize` in front."
            ) from error
        reach = [
            round(all_of_it * side / part)
            for all_of_it, side, part in zip(shown, (height, width), seen, strict=True)
        ]
        return as_scores(found), np.array([[0, 0, *reach]], np.int32)


def _resize_and_pad(image: tf.Tensor, seen: tf.Tensor, shown: tf.Tensor) -> tf.Tensor:
    # As windows are resized for training: bilinearly, half-pixel centres, no antialiasing.
    resized = tf.raw_ops.ResizeBilinear(
        images=image[tf.newaxis], size=seen, half_pixel_centers=True
    )
    missing = shown - seen
    return tf.pad(resized, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
