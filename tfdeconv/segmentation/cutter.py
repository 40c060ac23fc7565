"""From an image and its proposals to the batches of crops that a network is shown."""

import numpy as np
import tensorflow as tf

from tfdeconv.data.crops import crop_images
from tfdeconv.segmentation.checks import as_boxes
from tfdeconv.segmentation.regions import choose_regions


class RegionCutter:
    """Chooses regions and cuts them out, in graphs that are traced once for all images.

    Args:
        input_size: side of the network's input in pixels.
        boxes: the most proposals to use beside the whole image.
        batch_size: the most regions of a batch.
    """

    def __init__(self, input_size: int, boxes: int, batch_size: int) -> None:
        self.input_size, self.boxes = input_size, boxes
        # Batches as full as can be: 51 regions are 4 of 13, not 3 of 16 and one of 3.
        self.batch_size = -(-(boxes + 1) // -(-(boxes + 1) // batch_size))
        size = tf.TensorSpec((), tf.int32)
        boxes_and_size = [tf.TensorSpec((None, 4)), size, size]
        self._choose = tf.function(self._choose_regions, input_signature=boxes_and_size)
        batch = [tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4), tf.int32)]
        self._crop = tf.function(self._crop_batch, input_signature=batch)

    def regions(self, boxes: np.ndarray, height: int, width: int) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions of an image: see `choose_regions`.

        Args:
            boxes: `(n, 4)` proposals, best first; n may be 0.
            height: rows of the image.
            width: columns of the image.

        Raises:
            ValueError: when `boxes` are of another kind.
        """
        return self._choose(as_boxes(boxes), height, width).numpy()

    def crops(self, image: tf.Tensor, regions: np.ndarray) -> np.ndarray:
        """Returns what regions show: `(n, input_size, input_size, 3)` float32.

        Args:
            image: `(height, width, 3)` uint8 RGB, an array or a tensor.
            regions: `(n, 4)` int32 boxes in the image, 1 <= n <= `batch_size`.
        """
        return self._crop(image, regions).numpy()

    def _choose_regions(self, boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        return choose_regions(boxes, height, width, self.boxes, self.input_size)

    def _crop_batch(self, image: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
        return crop_images(image, regions, self.input_size)
