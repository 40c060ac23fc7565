"""What a server is asked: photographs to label maps, and crops to scores.

Dimension 0 of every input and output is the batch, and all have names. The functions are graphs
over one copy of the weights and hold TensorFlow ops only: they run without Python and Keras.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfdeconv.export.batches import Labels, Outputs, label_each, summarise_each
from tfdeconv.export.image_bytes import decode_upright
from tfdeconv.export.requests import (
    OWN_GRID,
    require_batch,
    require_boxes,
    require_crop_sizes,
    require_crops,
    require_images,
    require_touching,
)
from tfdeconv.export.segmentation import ImageSegmenter, Network
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.segmentation.whole_image import SizeRule, size_rule

Endpoint = tuple[Callable[..., Outputs], list[tf.TensorSpec]]
# The first one becomes `serving_default`: who asks without a name has photographs.
SEGMENT_BYTES, SEGMENT_BYTES_WITH_BOXES = "segment_bytes", "segment_bytes_with_boxes"
SEGMENT, REGIONS, REGIONS_UINT8 = "segment", "regions", "regions_uint8"

# Odd, even, and a multiple of nothing that a network halves by.
_TRIED = (13, 22)
_FILES = tf.TensorSpec((None,), tf.string, "images_bytes")
_IMAGES = tf.TensorSpec((None, None, None, 3), tf.uint8, "images")
_BOXES = [
    tf.TensorSpec((None, None, 4), tf.float32, "boxes"),
    tf.TensorSpec((None,), tf.int32, "counts"),
]


def signatures(
    segmenter: Segmenter,
    size: int | None,
    max_pixels: int,
    class_names: tf.lookup.StaticHashTable | None = None,
) -> dict[str, Endpoint]:
    """Returns the signatures of an exported model: name -> function and its named inputs.

    Args:
        segmenter: Gives the network, the number of boxes, the way to combine scores and the CRF.
        size: side of the network's input in pixels; None where it takes images of every size: then
            there are no boxes, and no `segment_bytes_with_boxes`.
        max_pixels: the most pixels that an image may have.
        class_names: the names in the order of the labels; None where there are none.

    Raises:
        UserError: when a network of no size does not take images of every size.
    """
    # One function that all signatures call: the network stands once in the file.
    network = segmenter.network.graph
    if size is None:
        rule = size_rule(segmenter.model)
        # A server has no sentence for a network that does not take every size.
        segmenter.network(np.zeros((1, *rule.fit(_TRIED), 3), np.float32))
        segmenting = _of_whole_images(segmenter, max_pixels, class_names)
        return segmenting | _of_crops(network, None, max_pixels, rule)
    segmenting = _by_boxes(segmenter, max_pixels, class_names)
    return segmenting | _of_crops(network, size, max_pixels)


def _by_boxes(
    segmenter: Segmenter,
    max_pixels: int,
    class_names: tf.lookup.StaticHashTable | None,
) -> dict[str, Endpoint]:
    segment_image = ImageSegmenter(segmenter).by_boxes

    def label(index: tf.Tensor, image: tf.Tensor, boxes: tf.Tensor, count: tf.Tensor) -> Labels:
        return segment_image(image, require_touching(boxes, count, image, index), count)

    def label_file(
        index: tf.Tensor, data: tf.Tensor, boxes: tf.Tensor, count: tf.Tensor
    ) -> tf.Tensor:
        return label(index, decode_upright(data, index, max_pixels), boxes, count)[0]

    @tf.function(input_signature=[_FILES, *_BOXES], autograph=False)
    def with_boxes(images_bytes: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor) -> Outputs:
        images_bytes = require_batch("images_bytes", images_bytes)
        boxes, counts = require_boxes(images_bytes, boxes, counts)
        classes = segmenter.num_classes
        return summarise_each(
            label_file, images_bytes, boxes, counts, classes=classes, class_names=class_names
        )

    def by_grid(images_bytes: tf.Tensor) -> Outputs:
        batch = tf.shape(images_bytes)[0]
        return with_boxes(images_bytes, tf.zeros((batch, 0, 4)), tf.fill([batch], OWN_GRID))

    def segment(images: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor) -> Outputs:
        images = require_images(images, max_pixels)
        return label_each(label, images, *require_boxes(images, boxes, counts))

    return {
        SEGMENT_BYTES: (by_grid, [_FILES]),
        SEGMENT_BYTES_WITH_BOXES: (with_boxes, [_FILES, *_BOXES]),
        SEGMENT: (segment, [_IMAGES, *_BOXES]),
    }


def _of_whole_images(
    segmenter: Segmenter,
    max_pixels: int,
    class_names: tf.lookup.StaticHashTable | None,
) -> dict[str, Endpoint]:
    segment_image = ImageSegmenter(segmenter).whole

    def label_file(index: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
        return segment_image(decode_upright(data, index, max_pixels))[0]

    def segment_bytes(images_bytes: tf.Tensor) -> Outputs:
        images_bytes = require_batch("images_bytes", images_bytes)
        classes = segmenter.num_classes
        return summarise_each(label_file, images_bytes, classes=classes, class_names=class_names)

    def segment(images: tf.Tensor) -> Outputs:
        images = require_images(images, max_pixels)
        return label_each(lambda _, image: segment_image(image), images)

    return {SEGMENT_BYTES: (segment_bytes, [_FILES]), SEGMENT: (segment, [_IMAGES])}


def _of_crops(
    network: Network, size: int | None, max_pixels: int, rule: SizeRule | None = None
) -> dict[str, Endpoint]:
    shape = (None, size, size, 3)

    def scores(crops: tf.Tensor) -> Outputs:
        if rule is not None:
            crops = require_crop_sizes(crops, rule, max_pixels)
        return {"scores": network(tf.cast(crops, tf.float32))}

    def regions(crops: tf.Tensor) -> Outputs:
        return scores(require_crops(crops))

    def regions_uint8(crops: tf.Tensor) -> Outputs:
        return scores(require_batch("crops", crops))

    return {
        REGIONS: (regions, [tf.TensorSpec(shape, tf.float32, "crops")]),
        REGIONS_UINT8: (regions_uint8, [tf.TensorSpec(shape, tf.uint8, "crops")]),
    }
