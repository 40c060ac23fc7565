"""Which squares of an image a network for squares of one size sees, as TensorFlow ops.

Boxes and regions are `(n, 4)` top, left, bottom, right in pixels of the image. A region is the
int32 square about a box, 1.2 times its longer side (`tfdeconv.data.crops.enlarge_to_square`, as in
training), and may leave the image: the network sees objects with the margin it was trained with.
"""

import numpy as np
import tensorflow as tf

from tfdeconv.data.crops import crop_images, enlarge_to_square
from tfdeconv.proposals import propose

PROPOSALS = ("edges", "grid")

# The release skips regions below 112 pixels: half the network's input, about a quarter of a
# photograph of PASCAL VOC. Smaller ones show the network nothing but blur and use up the limit:
# with the truth for a network, 50 boxes reach 0.988 IoU on images of cell nuclei, 0.975 without.
_LEAST_OF_INPUT = 1 / 2
_LEAST_OF_IMAGE = 1 / 4
# The defaults of `tfdeconv.proposals.multi_scale_grid`.
_GRID_SCALES = (0.5, 0.25, 0.125)
_GRID_OVERLAP = 0.5


class ProposedRegions:
    """Shows a network the whole image and the squares about the best object proposals.

    Args:
        input_size: side of the network's input in pixels.
        boxes: the most proposals to use besides the whole image.
        batch_size: the most regions of a batch.

    Attributes:
        batch_size: how many regions go through the network at a time.
    """

    def __init__(self, input_size: int, boxes: int, batch_size: int) -> None:
        self._input_size, self._boxes = input_size, boxes
        # Batches as full as can be: 51 regions are 4 of 13, not 3 of 16 and one of 3.
        self.batch_size = -(-(boxes + 1) // -(-(boxes + 1) // batch_size))

    def regions(self, boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Returns the `(m, 4)` int32 regions of an image, see `choose_regions`."""
        return choose_regions(boxes, height, width, self._boxes, self._input_size)

    def pictures(self, image: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
        """Returns what the network sees: `(n, input_size, input_size, 3)` float32 in [0, 255].

        Args:
            image: `(height, width, 3)` uint8 RGB.
            regions: `(n, 4)` int32.
        """
        return crop_images(image, regions, self._input_size)


def find_boxes(image: np.ndarray, proposals: str) -> np.ndarray:
    """Returns the boxes of an image, best first.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        proposals: `"edges"` searches for objects (`tfdeconv.propose`); `"grid"` is
            `multi_scale_grid`, coarse to fine: some 9 with half the longer side of a square image,
            49 with a quarter, 225 with an eighth.

    Returns:
        `(n, 4)` float32 boxes in the image; n may be 0.

    Example:

    >>> find_boxes(np.zeros((50, 50, 3), np.uint8), "grid")[0].tolist()
    [0.0, 0.0, 50.0, 50.0]
    """
    if proposals == "edges":
        return propose(image).boxes
    return multi_scale_grid(*image.shape[:2]).numpy()


def choose_regions(
    boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor, limit: int, input_size: int
) -> tf.Tensor:
    """Chooses the regions of an image: the whole image, then the best of the boxes.

    Left out, without counting: boxes without area, boxes whose region does not touch the image,
    boxes whose region was there already, and small regions, namely below half the network's input
    and below a quarter of the longer side of the image.

    Args:
        boxes: `(n, 4)` float32 boxes, best first; n may be 0.
        height: rows of the image, a number or a scalar tensor.
        width: columns of the image.
        limit: the most boxes to use besides the whole image; 0 for the whole image alone.
        input_size: side of the network's input in pixels.

    Returns:
        `(m, 4)` int32 regions, 1 <= m <= limit + 1, in the order of the boxes.

    Raises:
        tf.errors.InvalidArgumentError: when a coordinate is not finite or is 2**29 or more.

    Example:

    >>> boxes = tf.constant([[0.0, 0.0, 50.0, 40.0], [7.0, 7.0, 7.0, 90.0], [0.0, 0.0, 8.0, 8.0]])
    >>> choose_regions(boxes, height=100, width=80, limit=50, input_size=32).numpy().tolist()
    [[-10, -20, 110, 100], [-5, -10, 55, 50]]

    Reference:
        `generate_EDeconvNet_CRF_results.m` of the release: regions below 112 pixels are skipped and
        do not count; the best 50 are used.
    """
    boxes = tf.cast(boxes, tf.float64)
    squares = enlarge_to_square(boxes)
    regions = tf.boolean_mask(squares, tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=1))
    side = tf.cast(regions[:, 2] - regions[:, 0], tf.float32)
    longer = tf.cast(tf.maximum(height, width), tf.float32)
    least = tf.minimum(_LEAST_OF_INPUT * float(input_size), _LEAST_OF_IMAGE * longer)
    touching = (tf.reduce_min(regions[:, 2:], axis=1) > 0) & tf.reduce_all(
        regions[:, :2] < tf.stack([height, width]), axis=1
    )
    regions = tf.boolean_mask(regions, (side >= least) & touching)
    whole = enlarge_to_square(tf.stack([0, 0, height, width])[tf.newaxis])
    return _first_of_each(tf.concat([whole, regions], axis=0))[: limit + 1]


@tf.function(input_signature=[tf.TensorSpec((), tf.int32)] * 2, autograph=False)
def multi_scale_grid(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns the boxes of `tfdeconv.proposals.multi_scale_grid`, which loads no TensorFlow.

    Args:
        height: rows of the image, a number or a scalar int32 tensor, at least 1.
        width: columns of the image.

    Returns:
        `(n, 4)` float32 boxes, at most 337, none of them twice.

    Example:

    >>> multi_scale_grid(2, 4).numpy().astype(int).tolist()[:4]
    [[0, 0, 2, 4], [0, 0, 2, 2], [0, 1, 2, 3], [0, 2, 2, 4]]
    """
    longer = tf.cast(tf.maximum(height, width), tf.float64)
    boxes = [tf.stack([0, 0, height, width])[tf.newaxis]]
    for scale in _GRID_SCALES:
        side = tf.maximum(tf.cast(tf.round(scale * longer), tf.int32), 1)
        top, left = tf.meshgrid(_starts(height, side), _starts(width, side), indexing="ij")
        bottom, right = tf.minimum(top + side, height), tf.minimum(left + side, width)
        boxes.append(tf.reshape(tf.stack([top, left, bottom, right], axis=-1), (-1, 4)))
    return tf.cast(_first_of_each(tf.concat(boxes, axis=0)), tf.float32)


def _first_of_each(boxes: tf.Tensor) -> tf.Tensor:
    unique, _ = tf.raw_ops.UniqueV2(x=boxes, axis=[0])
    return tf.ensure_shape(unique, (None, 4))


def _starts(length: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    free = tf.maximum(length - side, 0)
    step = tf.cast(side, tf.float64) * (1 - _GRID_OVERLAP)
    gaps = tf.minimum(tf.cast(tf.math.ceil(tf.cast(free, tf.float64) / step), tf.int32), free)
    # In this order of operations as np.linspace, whose halves would otherwise fall elsewhere.
    distance = tf.cast(free, tf.float64) / tf.cast(tf.maximum(gaps, 1), tf.float64)
    starts = tf.range(tf.cast(gaps + 1, tf.float64), dtype=tf.float64) * distance
    return tf.cast(tf.floor(starts + 0.5), tf.int32)
