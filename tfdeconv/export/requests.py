"""Checks of requests in the graph: every refusal names the element of the batch and the reason."""

import tensorflow as tf

from tfdeconv.data.decode import require
from tfdeconv.segmentation.regions import SizeRule

# What a request may bring for an image, whatever the model then uses.
MAX_BOXES = 1000
OWN_GRID = -1


def refusal(name: str, index: tf.Tensor, must: str | tf.Tensor) -> tf.Tensor:
    """Returns the beginning of an error message about one element of a batch, a scalar string.

    Example:

    >>> refusal("crops", tf.constant(3), "be finite.").numpy().decode()
    '`crops[3]` must be finite.'
    """
    return tf.strings.join([f"`{name}[", tf.strings.as_string(index), "]` must ", must])


def require_shape(name: str, value: tf.Tensor) -> tf.Tensor:
    """Refuses another shape than that known of `value`, which servers do not check."""
    # What a graph is fed may have any shape. Seen through this op nothing is known of it, so that
    # the question is not answered once and for all when the graph is optimised.
    fed = tf.shape(tf.raw_ops.PlaceholderWithDefault(input=value, shape=tf.TensorShape(None)))
    sizes = ["any" if size is None else size for size in value.shape]
    # One more, so that others of a higher rank differ, too; no size is -2.
    known = tf.constant([*(-1 if size is None else size for size in value.shape), -2])
    found = tf.concat([fed, tf.fill(tf.shape(known), -2)], axis=0)[: len(sizes) + 1]
    right = tf.reduce_all((found == known) | ((known == -1) & (found >= 0)))
    must = f"lie in a batch of shape ({', '.join(map(str, sizes))}). Received: shape"
    return require(value, right, [refusal(name, tf.constant(0), must), fed])


def require_batch(name: str, value: tf.Tensor) -> tf.Tensor:
    """Refuses an empty batch and another shape than the signature's, and returns others."""
    value = require_shape(name, value)
    message = refusal(name, tf.constant(0), "be given. Received: an empty batch.")
    return require(value, tf.shape(value)[0] > 0, [message])


def require_crops(crops: tf.Tensor) -> tf.Tensor:
    """Refuses an empty batch, other sizes, NaN and infinite values: `(batch, size, size, 3)`."""
    crops = require_batch("crops", crops)
    right = tf.reduce_all(tf.math.is_finite(crops), axis=(1, 2, 3))
    return _require_each("crops", crops, right, "be finite. Received: NaN or infinite values.")


def require_crop_sizes(crops: tf.Tensor, rule: SizeRule, max_pixels: int) -> tf.Tensor:
    """Refuses crops that a network for images of every size cannot take: `(batch, rows, ...)`."""
    size = tf.shape(crops, tf.int64)[1:3]
    right = tf.reduce_all((size % rule.multiple == 0) & (size >= rule.least))
    right &= tf.reduce_prod(size) <= max_pixels
    must = (
        f"have sides that are multiples of {rule.multiple}, height at least {rule.least[0]}, "
        f"width at least {rule.least[1]}, and at most {max_pixels} pixels. Received: height and "
        "width"
    )
    return require(crops, right, [refusal("crops", tf.constant(0), must), size])


def require_images(images: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Refuses an empty batch and images of no or too many pixels: `(batch, height, width, 3)`."""
    images = require_batch("images", images)
    size = tf.shape(images, tf.int64)[1:3]
    pixels = tf.reduce_prod(size)
    must = f"have 1 to {max_pixels} pixels. Received: height and width"
    message = [refusal("images", tf.constant(0), must), size]
    return require(images, (pixels >= 1) & (pixels <= max_pixels), message)


def require_boxes(
    images: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Refuses `(batch, n, 4)` boxes and `(batch,)` counts that are wrong or not the images' own.

    Boxes behind the count of an image are not checked.
    """
    boxes, counts = require_shape("boxes", boxes), require_shape("counts", counts)
    batch, most = tf.shape(images)[0], tf.shape(boxes)[1]
    for name, value in (("boxes", boxes), ("counts", counts)):
        length = tf.shape(value)[0]
        must = "be given for each image, and for no other. Received:"
        message = [refusal(name, tf.minimum(length, batch), must), length, "for", batch, "images"]
        # Boxes come after every check, since both are used together.
        boxes = require(boxes, length == batch, message)
    must = f"be at most {MAX_BOXES} boxes. Received:"
    boxes = require(boxes, most <= MAX_BOXES, [refusal("boxes", tf.constant(0), must), most])
    with tf.control_dependencies([boxes]):
        counts = tf.identity(counts)
    right = (counts >= OWN_GRID) & (counts <= most)
    wrong = tf.boolean_mask(counts, ~right)[:1]
    must = f"be from {OWN_GRID} to the number of boxes of an image. Received:"
    counts = _require_each("counts", counts, right, must, wrong, "for", most, "boxes")
    # Comparisons with NaN are false. Coordinates become whole numbers of 30 bits.
    right = tf.reduce_all(tf.abs(boxes) < 2.0**29, axis=2)
    right &= tf.reduce_all(boxes[:, :, 2:] > boxes[:, :, :2], axis=2)
    right |= tf.range(most) >= counts[:, tf.newaxis]
    wrong = tf.boolean_mask(boxes, ~right)[:1]
    must = "be finite boxes with top < bottom and left < right. Received:"
    boxes = _require_each("boxes", boxes, tf.reduce_all(right, axis=1), must, wrong)
    return boxes, counts


def require_touching(
    boxes: tf.Tensor, count: tf.Tensor, image: tf.Tensor, index: tf.Tensor
) -> tf.Tensor:
    """Refuses boxes outside of the image that is element `index` of the batch; returns others.

    Of the `(n, 4)` boxes the first `count` are checked; none below 0.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    right = tf.reduce_all((boxes[:, 2:] > 0) & (boxes[:, :2] < size), axis=1)
    right |= tf.range(tf.shape(boxes)[0]) >= count
    wrong = tf.boolean_mask(boxes, ~right)[:1]
    must = "overlap the image. Received:"
    message = [refusal("boxes", index, must), wrong, "for height and width", size]
    return require(boxes, tf.reduce_all(right), message)


def _require_each(
    name: str, value: tf.Tensor, right: tf.Tensor, must: str, *received: tf.Tensor | str
) -> tf.Tensor:
    count = tf.size(right)
    first = tf.reduce_min(tf.where(right, count, tf.range(count)))
    message = [refusal(name, first, must), *received]
    return require(value, tf.reduce_all(right), message)
