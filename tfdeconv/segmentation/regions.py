"""Which regions of an image a network runs on, and its input for each, as TensorFlow ops.

A network for squares of one size runs on the full image and on squares about object proposals
(`ProposedRegions`); one for images of every size runs on the full image alone (`WholeImage`). Boxes
and regions are `(n, 4)` top, left, bottom, right in pixels of the image and may leave it.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.data.crops import crop_images, enlarge_to_square
from tfdeconv.data.whole_images import MEAN_COLOUR, limited_size
from tfdeconv.layers import RequireSize
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
    """The full image and the squares about the best object proposals, see `choose_regions`.

    Args:
        input_size: side of the network's input in pixels.
        boxes: the most proposals to use in addition to the full image.
        batch_size: the most regions of a batch.
    """

    def __init__(self, input_size: int, boxes: int, batch_size: int) -> None:
        self._input_size, self._boxes = input_size, boxes
        # Batches as full as can be: 51 regions are 4 of 13, not 3 of 16 and one of 3.
        self.batch_size = -(-(boxes + 1) // -(-(boxes + 1) // batch_size))

    def regions(self, boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Returns the `(m, 4)` int32 regions of an image."""
        return choose_regions(boxes, height, width, self._boxes, self._input_size)

    def pictures(self, image: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
        """Returns the network's input for n regions: `(n, input_size, input_size, 3)` float32."""
        return crop_images(image, regions, self._input_size)


class SizeRule(NamedTuple):
    """The sizes that a network takes.

    Height and width must be multiples of `multiple`, and at least those in `least`.

    Example:

    >>> SizeRule(multiple=32, least=(64, 64)).fit((70, 20)).numpy().tolist()
    [96, 64]
    """

    multiple: int
    least: tuple[int, int]

    def fit(self, size: tf.Tensor) -> tf.Tensor:
        """Returns the smallest `(2,)` int32 size that the network takes and that holds `size`."""
        multiples = -(-tf.convert_to_tensor(size) // self.multiple)
        return tf.maximum(multiples * self.multiple, self.least)


def size_rule(model: keras.Model) -> SizeRule:
    """Returns the sizes that the `tfdeconv.layers.RequireSize` of a network asks for."""
    demands = [layer for layer in model.layers if isinstance(layer, RequireSize)]
    if not demands:
        return SizeRule(1, (1, 1))
    height, width = demands[0].minimum
    return SizeRule(demands[0].multiple, (height, width))


class WholeImage:
    """The full image, for a network that takes images of every size.

    The image keeps its size; one whose longer side is above 500 pixels is shrunk to that
    (`tfdeconv.data.whole_images`), as in training: what such a network has learnt has a size in
    pixels, and memory stays bounded. Where the network asks for multiples of a number
    (`tfdeconv.layers.RequireSize`), rows and columns of the mean colour are added below and to the
    right: a U-Net trained for a few minutes on CamVid, 240x180 pixels, had a mean IoU of 0.38 so,
    and 0.28 with twelve black rows.

    Args:
        rule: the sizes that the network takes.
        scale: factor by which the image is resized first.
    """

    batch_size = 1

    def __init__(self, rule: SizeRule, scale: float = 1.0) -> None:
        self._rule, self._scale = rule, scale

    def regions(self, boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Returns the one region, the image and what is added: `(1, 4)` int32; ignores `boxes`."""
        size = tf.stack([height, width])
        resized = self._resized(size)
        area = tf.cast(self._rule.fit(resized), tf.float64) * tf.cast(size, tf.float64)
        reach = tf.cast(tf.round(area / tf.cast(resized, tf.float64)), tf.int32)
        return tf.concat([[0, 0], reach], axis=0)[tf.newaxis]

    def pictures(self, image: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
        """Returns the network's input: `(1, rows, columns, 3)` float32; ignores `regions`."""
        resized = self._resized(tf.shape(image)[:2])
        return resize_and_pad(image, resized, self._rule.fit(resized))

    def _resized(self, size: tf.Tensor) -> tf.Tensor:
        # In double precision, since halves go to the even number.
        sides = self._scale * tf.cast(limited_size(size), tf.float64)
        return tf.maximum(tf.cast(tf.round(sides), tf.int32), 1)


def resize_and_pad(image: tf.Tensor, resized: tf.Tensor, padded: tf.Tensor) -> tf.Tensor:
    """Resizes an image and pads it with the mean colour below and to the right.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        resized: `(2,)` int32, height and width to resize it to.
        padded: `(2,)` int32, height and width of the `(1, rows, columns, 3)` float32 result.
    """
    # As windows are resized for training: bilinearly, half-pixel centres, no antialiasing.
    picture = tf.raw_ops.ResizeBilinear(
        images=image[tf.newaxis], size=resized, half_pixel_centers=True
    )
    below, right = tf.unstack(padded - resized)
    mean = tf.constant(MEAN_COLOUR, tf.float32)
    columns = tf.broadcast_to(mean, tf.stack([1, resized[0], right, 3]))
    rows = tf.broadcast_to(mean, tf.stack([1, below, padded[1], 3]))
    return tf.concat([tf.concat([picture, columns], axis=2), rows], axis=1)


def find_boxes(image: np.ndarray, proposals: str) -> np.ndarray:
    """Returns the `(n, 4)` float32 boxes of a uint8 RGB image, best first; n may be 0.

    `"edges"` searches for objects (`tfdeconv.propose`); `"grid"` is `multi_scale_grid`, coarse to
    fine: some 9 boxes with half the longer side of a square image, 49 with a quarter, 225 with an
    eighth.

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
    """Returns the `(m, 4)` int32 regions of an image.

    These are the full image and the squares about the best `limit` boxes, 1.2 times their longer
    side (`tfdeconv.data.crops.enlarge_to_square`), so that the network gets objects with the margin
    it was trained with. Skipped, without counting to the limit: boxes without area, regions that do
    not touch the image, repeated regions, and regions that are both below half the network's input
    and below a quarter of the longer side of the image.

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

    They are `(n, 4)` float32, at most 337, without repetition. Height and width are numbers or
    scalar int32 tensors of at least 1.

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
