"""What a server is asked: crops to scores, and photographs with boxes to label maps.

Dimension 0 of every input and output is the batch, and all have names. The functions are graphs
over one copy of the weights and hold TensorFlow ops only: they run without Python and Keras.
"""

from collections.abc import Callable

import tensorflow as tf

from tfdeconv.data.crops import crop_images
from tfdeconv.export.label_maps import combine_scores, label_pixels
from tfdeconv.inference.regions import choose_regions
from tfdeconv.inference.segmenter import Segmenter

Graph = Callable[..., dict[str, tf.Tensor]]
# The first one becomes `serving_default`: who asks without a name has photographs.
SEGMENT, REGIONS, REGIONS_UINT8 = "segment", "regions", "regions_uint8"


def signatures(segmenter: Segmenter, size: int) -> dict[str, tuple[Graph, list[tf.TensorSpec]]]:
    """Returns the signatures of an exported model: name -> function and its named inputs.

    Args:
        segmenter: Gives the network, the number of boxes and the way to combine scores; its own
            search for boxes has no part in the graph.
        size: side of the network's input in pixels.
    """
    network = _network(segmenter, size)

    def segment(images: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor) -> dict[str, tf.Tensor]:
        check = _check_counts(boxes, counts)
        with tf.control_dependencies(check):
            labels, confidence = tf.map_fn(
                lambda one: _segment_image(segmenter, network, size, *one),
                (images, boxes, tf.identity(counts)),
                fn_output_signature=(
                    tf.TensorSpec((None, None), tf.uint8),
                    tf.TensorSpec((None, None), tf.float32),
                ),
                parallel_iterations=1,
            )
        return {"labels": labels, "confidence": confidence}

    def regions(crops: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": network(tf.cast(crops, tf.float32))}

    images = [
        tf.TensorSpec((None, None, None, 3), tf.uint8, "images"),
        tf.TensorSpec((None, None, 4), tf.float32, "boxes"),
        tf.TensorSpec((None,), tf.int32, "counts"),
    ]
    crops = (None, size, size, 3)
    return {
        SEGMENT: (segment, images),
        REGIONS: (regions, [tf.TensorSpec(crops, tf.float32, "crops")]),
        REGIONS_UINT8: (regions, [tf.TensorSpec(crops, tf.uint8, "crops")]),
    }


def _network(segmenter: Segmenter, size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    # One function that all signatures call: the network stands once in the file.
    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32)])
    def network(crops: tf.Tensor) -> tf.Tensor:
        return tf.cast(segmenter.model(crops, training=False), tf.float32)

    return network


def _check_counts(boxes: tf.Tensor, counts: tf.Tensor) -> list[tf.Operation]:
    most = tf.shape(boxes)[1]
    right = tf.reduce_all((counts >= 0) & (counts <= most))
    message = "`counts` must be between 0 and the number of boxes of an image. Received:"
    return [tf.debugging.Assert(right, [message, counts, "for", most, "boxes"])]


def _segment_image(
    segmenter: Segmenter,
    network: Callable[[tf.Tensor], tf.Tensor],
    size: int,
    image: tf.Tensor,
    boxes: tf.Tensor,
    count: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    regions = choose_regions(boxes[:count], height, width, segmenter.boxes, size)

    def region_scores(batch: tf.Tensor) -> tf.Tensor:
        return network(crop_images(image, batch, size))

    scores = combine_scores(segmenter, region_scores, regions, height, width)
    return label_pixels(scores, height, width)
