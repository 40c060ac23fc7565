"""A network that takes images of any size, over a whole image at once."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.data.whole_images import MEAN_COLOUR, seen_size
from tfdeconv.segmentation.any_size import run_any_size, size_rule
from tfdeconv.segmentation.augmented import mean_of_views, with_mirror_image
from tfdeconv.segmentation.checks import as_scores
from tfdeconv.segmentation.combiner import Combiner
from tfdeconv.segmentation.graph import runner
from tfdeconv.segmentation.score_map import ScoreMap


class WholeImage:
    """Runs a fully convolutional network over whole images, without proposals.

    An image is shown at its own size; one whose longer side is above 500 pixels is shrunk to that
    (`tfdeconv.data.whole_images`), as in training: what such a network has learnt has a size in
    pixels, and memory stays bounded. Where the network asks for multiples of a number
    (`tfdeconv.layers.RequireSize`), rows and columns of the mean colour are added below and to the
    right: a U-Net trained for a few minutes on CamVid, 240x180 pixels, had a mean IoU of 0.38 so,
    and 0.28 with twelve black rows.

    Args:
        model: Keras model from RGB in [0, 255], `(batch, None, None, 3)`, to scores,
            `(batch, rows, columns, classes)`.
        aggregate: what is done to scores, as of one region (`tfdeconv.segmentation.aggregate`).
        flip: whether the network sees the mirror image, too.
        scales: what the size at which an image is shown is multiplied by, one view each.
    """

    needs_boxes = False
    batch_size = images_in_batch = 1

    def __init__(
        self, model: keras.Model, aggregate: str, flip: bool, scales: Sequence[float]
    ) -> None:
        self._rule, self._scales = size_rule(model), scales
        image, sides = tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((2,), tf.int32)
        self._show = tf.function(resize_and_fill, input_signature=[image, sides, sides])
        self._combiner = Combiner(model.output_shape[-1], aggregate)
        self.run = runner(model, 1)
        if flip:
            self.run = with_mirror_image(self.run)

    def regions(self, height: int, width: int, boxes: np.ndarray) -> np.ndarray:
        """Returns the whole image as the one region that the network sees: `(1, 4)` int32."""
        return np.array([[0, 0, height, width]], np.int32)

    def scores(self, image: np.ndarray, boxes: np.ndarray) -> ScoreMap:
        """Returns the scores of an image, on a canvas of bounded size.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            boxes: not used.

        Raises:
            UserError: when the network cannot take the size, or gives NaN.
        """
        return mean_of_views([self._scores_at(image, scale) for scale in self._scales])

    def _scores_at(self, image: np.ndarray, scale: float) -> ScoreMap:
        size = image.shape[:2]
        rows, columns = (max(1, round(scale * side)) for side in seen_size(*size))
        shown = self._rule.fit(rows, columns)
        found = run_any_size(self.run, self._show(image, (rows, columns), shown).numpy())
        # What the scores speak of: the image and what was added to it, in pixels of the image.
        reach = [
            round(all_of_it * side / part)
            for all_of_it, side, part in zip(shown, size, (rows, columns), strict=True)
        ]
        region = np.array([[0, 0, *reach]], np.int32)
        canvas = self._combiner.add(self._combiner.start(*size), as_scores(found), region, *size)
        return self._combiner.score_map(canvas)


def resize_and_fill(image: tf.Tensor, seen: tf.Tensor, shown: tf.Tensor) -> tf.Tensor:
    """Returns an image as a network sees it: resized, and the mean colour below and to the right.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        seen: `(2,)` int32, height and width to resize it to.
        shown: `(2,)` int32, at least as large: of the whole picture.

    Returns:
        `(1, rows, columns, 3)` float32 in [0, 255].
    """
    # As windows are resized for training: bilinearly, half-pixel centres, no antialiasing.
    resized = tf.raw_ops.ResizeBilinear(
        images=image[tf.newaxis], size=seen, half_pixel_centers=True
    )
    below, beside = tf.unstack(shown - seen)
    mean = tf.constant(MEAN_COLOUR, tf.float32)
    right = tf.broadcast_to(mean, tf.stack([1, seen[0], beside, 3]))
    bottom = tf.broadcast_to(mean, tf.stack([1, below, shown[1], 3]))
    return tf.concat([tf.concat([resized, right], axis=2), bottom], axis=1)
