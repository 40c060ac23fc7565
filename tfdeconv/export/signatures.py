"""What a server is asked: photographs to label maps, and crops to scores.

Dimension 0 of every input and output is the batch, and all have names. The functions are graphs
over one copy of the weights and hold TensorFlow ops only: they run without Python and Keras. Images
of a batch are worked on one after the other, so that each gets the answer it would get alone.
"""

from collections.abc import Callable

import tensorflow as tf

from tfdeconv.export.class_table import name_classes
from tfdeconv.export.image_bytes import decode_upright
from tfdeconv.export.requests import (
    OWN_GRID,
    require_batch,
    require_boxes,
    require_crops,
    require_images,
    require_touching,
)
from tfdeconv.export.segmentation import (
    ImageSegmenter,
    Summary,
    image_segmenter,
    summarise,
)
from tfdeconv.inference.graph import network_graph
from tfdeconv.inference.segmenter import Segmenter

Outputs = dict[str, tf.Tensor]
Endpoint = tuple[Callable[..., Outputs], list[tf.TensorSpec]]
# The first one becomes `serving_default`: who asks without a name has photographs.
SEGMENT_BYTES, SEGMENT_BYTES_WITH_BOXES = "segment_bytes", "segment_bytes_with_boxes"
SEGMENT, REGIONS, REGIONS_UINT8 = "segment", "regions", "regions_uint8"

_BOXES = [
    tf.TensorSpec((None, None, 4), tf.float32, "boxes"),
    tf.TensorSpec((None,), tf.int32, "counts"),
]


def signatures(
    segmenter: Segmenter,
    size: int,
    max_pixels: int,
    class_names: tf.lookup.StaticHashTable | None = None,
) -> dict[str, Endpoint]:
    """Returns the signatures of an exported model: name -> function and its named inputs.

    Args:
        segmenter: Gives the network, the number of boxes, the way to combine scores and the CRF.
        size: side of the network's input in pixels.
        max_pixels: the most pixels that an image may have.
        class_names: the names in the order of the labels; None where there are none.
    """
    # One function that all signatures call: the network stands once in the file.
    network = network_graph(segmenter.model)
    segment_image = image_segmenter(segmenter, network, size)
    classes = segmenter.num_classes
    crops = (None, size, size, 3)

    def regions(crops: tf.Tensor) -> Outputs:
        return {"scores": network(require_crops(crops))}

    def regions_uint8(crops: tf.Tensor) -> Outputs:
        return {"scores": network(tf.cast(require_batch("crops", crops), tf.float32))}

    return {
        **_of_bytes(segment_image, classes, max_pixels, class_names),
        SEGMENT: _of_pixels(segment_image, max_pixels),
        REGIONS: (regions, [tf.TensorSpec(crops, tf.float32, "crops")]),
        REGIONS_UINT8: (regions_uint8, [tf.TensorSpec(crops, tf.uint8, "crops")]),
    }


def _of_pixels(segment_image: ImageSegmenter, max_pixels: int) -> Endpoint:
    def segment_one(one: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        index, image, boxes, count = one
        return segment_image(image, require_touching(boxes, count, image, index), count)

    def segment(images: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor) -> Outputs:
        images = require_images(images, max_pixels)
        boxes, counts = require_boxes(images, boxes, counts)
        labels, confidence = tf.map_fn(
            segment_one,
            (tf.range(tf.shape(images)[0]), images, boxes, counts),
            fn_output_signature=(
                tf.TensorSpec((None, None), tf.uint8),
                tf.TensorSpec((None, None), tf.float32),
            ),
            parallel_iterations=1,
        )
        return {"labels": labels, "confidence": confidence}

    return segment, [tf.TensorSpec((None, None, None, 3), tf.uint8, "images"), *_BOXES]


def _of_bytes(
    segment_image: ImageSegmenter,
    classes: int,
    max_pixels: int,
    class_names: tf.lookup.StaticHashTable | None,
) -> dict[str, Endpoint]:
    def segment_one(
        index: tf.Tensor, data: tf.Tensor, boxes: tf.Tensor, count: tf.Tensor
    ) -> Summary:
        image = decode_upright(data, index, max_pixels)
        labels, _ = segment_image(image, require_touching(boxes, count, image, index), count)
        return summarise(labels, classes)

    encoded = tf.TensorSpec((None,), tf.string, "images_bytes")

    @tf.function(input_signature=[encoded, *_BOXES], autograph=False)
    def with_boxes(images_bytes: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor) -> Outputs:
        images_bytes = require_batch("images_bytes", images_bytes)
        boxes, counts = require_boxes(images_bytes, boxes, counts)
        numbers = tf.range(tf.shape(images_bytes)[0])
        found = tf.map_fn(
            lambda one: segment_one(*one),
            (numbers, images_bytes, boxes, counts),
            fn_output_signature=Summary(
                tf.TensorSpec((), tf.string),
                tf.TensorSpec((classes,), tf.int32),
                tf.TensorSpec((classes,), tf.float32),
            ),
            parallel_iterations=1,
        )
        return {
            "labels_png_bytes": found.png,
            "class_ids": found.class_ids,
            "class_shares": found.class_shares,
            "class_names": name_classes(found.class_ids, class_names),
        }

    def by_grid(images_bytes: tf.Tensor) -> Outputs:
        batch = tf.shape(images_bytes)[0]
        return with_boxes(images_bytes, tf.zeros((batch, 0, 4)), tf.fill([batch], OWN_GRID))

    return {
        SEGMENT_BYTES: (by_grid, [encoded]),
        SEGMENT_BYTES_WITH_BOXES: (with_boxes, [encoded, *_BOXES]),
    }
