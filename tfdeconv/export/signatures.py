"""The signatures of an exported model: images to label maps, and crops to logits.

Dimension 0 of every input and output is the batch, and all have names. The functions are graphs
over one copy of the weights and hold TensorFlow ops only: they run without Python and Keras. Images
of a batch are processed one by one, so that each gets the answer it would get alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdeconv.export.image_bytes import decode_upright, encode_label_png
from tfdeconv.export.requests import (
    OWN_GRID,
    require_batch,
    require_boxes,
    require_crop_sizes,
    require_crops,
    require_images,
    require_touching,
)
from tfdeconv.models import palette
from tfdeconv.segmentation.aggregate import Canvas
from tfdeconv.segmentation.pipeline import (
    Pipeline,
    canvas_spec,
    label_pixels,
    largest_probability,
    refine,
)
from tfdeconv.segmentation.regions import multi_scale_grid, size_rule
from tfdeconv.segmentation.segmenter import Segmenter

Outputs = dict[str, tf.Tensor]
Endpoint = tuple[Callable[..., Outputs], list[tf.TensorSpec]]

# Odd, even, and a multiple of nothing that a network halves by.
_TRIED = (13, 22)
_FILES = tf.TensorSpec((None,), tf.string, "images_bytes")
_IMAGES = tf.TensorSpec((None, None, None, 3), tf.uint8, "images")
_BOXES = [
    tf.TensorSpec((None, None, 4), tf.float32, "boxes"),
    tf.TensorSpec((None,), tf.int32, "counts"),
]


class Summary(NamedTuple):
    """A label map as a server sends it.

    Attributes:
        png: scalar string, the palette PNG.
        class_ids: `(classes,)` int32, the classes present by decreasing share, then -1.
        class_shares: `(classes,)` float32, their shares of the pixels, then 0.
    """

    png: tf.Tensor
    class_ids: tf.Tensor
    class_shares: tf.Tensor


class Signatures:
    """The functions of an exported model.

    Args:
        segmenter: its steps and options; it does not search for boxes here.
        max_pixels: the most pixels that an image may have.
        class_names: the names in the order of the labels; None where there are none.

    Raises:
        UserError: when a network without an input size does not take images of every size.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        max_pixels: int,
        class_names: tf.lookup.StaticHashTable | None = None,
    ) -> None:
        self._segmenter, self._max_pixels, self._class_names = segmenter, max_pixels, class_names
        self._rule = size_rule(segmenter.model) if segmenter.input_size is None else None
        if self._rule is not None:
            # A server has no sentence for a network that does not take every size.
            segmenter.network(np.zeros((1, *self._rule.fit(_TRIED), 3), np.float32))
        self._colours = palette(segmenter.model)
        # Functions that several signatures call stand once in the file.
        image, boxes = tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4))
        self._label = tf.function(
            self._label_image,
            input_signature=[image, boxes, tf.TensorSpec((), tf.int32)],
            autograph=False,
        )
        self._label_files = tf.function(
            self.segment_bytes_with_boxes, input_signature=[_FILES, *_BOXES], autograph=False
        )

    def endpoints(self) -> dict[str, Endpoint]:
        """Returns name -> function and its named inputs; the first becomes `serving_default`."""
        size = self._segmenter.input_size
        found: dict[str, Endpoint] = {"segment_bytes": (self.segment_bytes, [_FILES])}
        if size is None:
            found["segment"] = (self.segment_whole, [_IMAGES])
        else:
            found["segment_bytes_with_boxes"] = (self._label_files, [_FILES, *_BOXES])
            found["segment"] = (self.segment, [_IMAGES, *_BOXES])
        for name, function, dtype in (
            ("regions", self.regions, tf.float32),
            ("regions_uint8", self.regions_uint8, tf.uint8),
        ):
            found[name] = (function, [tf.TensorSpec((None, size, size, 3), dtype, "crops")])
        return found

    def segment_bytes(self, images_bytes: tf.Tensor) -> Outputs:
        """Labels encoded photographs by the multi-scale grid, or as a whole."""
        batch = tf.shape(images_bytes)[0]
        return self._label_files(images_bytes, tf.zeros((batch, 0, 4)), tf.fill([batch], OWN_GRID))

    def segment_bytes_with_boxes(
        self, images_bytes: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor
    ) -> Outputs:
        """Labels encoded photographs of any sizes; see `export_saved_model`."""
        images_bytes = require_batch("images_bytes", images_bytes)
        boxes, counts = require_boxes(images_bytes, boxes, counts)
        classes = self._segmenter.num_classes
        found = tf.map_fn(
            self._summarise_file,
            (tf.range(tf.shape(images_bytes)[0]), images_bytes, boxes, counts),
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
            "class_names": name_classes(found.class_ids, self._class_names),
        }

    def segment(self, images: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor) -> Outputs:
        """Labels images of one size; see `export_saved_model`."""
        images = require_images(images, self._max_pixels)
        return self._label_each(images, *require_boxes(images, boxes, counts))

    def segment_whole(self, images: tf.Tensor) -> Outputs:
        """Labels images of one size as a whole, without boxes."""
        images = require_images(images, self._max_pixels)
        batch = tf.shape(images)[0]
        return self._label_each(images, tf.zeros((batch, 0, 4)), tf.zeros([batch], tf.int32))

    def regions(self, crops: tf.Tensor) -> Outputs:
        """Returns the network's scores of float32 crops."""
        return self._scores_of(require_crops(crops))

    def regions_uint8(self, crops: tf.Tensor) -> Outputs:
        """Returns the network's scores of uint8 crops."""
        return self._scores_of(require_batch("crops", crops))

    def _label_each(self, images: tf.Tensor, boxes: tf.Tensor, counts: tf.Tensor) -> Outputs:
        labels, confidence = tf.map_fn(
            lambda one: self._label_with_boxes(*one),
            (tf.range(tf.shape(images)[0]), images, boxes, counts),
            fn_output_signature=(
                tf.TensorSpec((None, None), tf.uint8),
                tf.TensorSpec((None, None), tf.float32),
            ),
            parallel_iterations=1,
        )
        return {"labels": labels, "confidence": confidence}

    def _scores_of(self, crops: tf.Tensor) -> Outputs:
        if self._rule is not None:
            crops = require_crop_sizes(crops, self._rule, self._max_pixels)
        return {"scores": self._segmenter.network.graph(tf.cast(crops, tf.float32))}

    def _summarise_file(self, one: tuple[tf.Tensor, ...]) -> Summary:
        index, data, boxes, count = one
        image = decode_upright(data, index, self._max_pixels)
        labels, _ = self._label_with_boxes(index, image, boxes, count)
        return summarise(labels, self._segmenter.num_classes, self._colours)

    def _label_with_boxes(
        self, index: tf.Tensor, image: tf.Tensor, boxes: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._label(image, require_touching(boxes, count, image, index), count)

    def _label_image(
        self, image: tf.Tensor, boxes: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns labels and their probabilities; a count below 0 means the multi-scale grid."""
        height, width = tf.unstack(tf.shape(image)[:2])
        boxes = tf.cond(count < 0, lambda: multi_scale_grid(height, width), lambda: boxes[:count])
        scores = combined_scores(self._segmenter.pipeline, image, boxes)
        if self._segmenter.crf is None:
            return label_pixels(scores, height, width, largest_probability)
        probabilities = refine(self._segmenter.crf, scores, image)
        return label_pixels(
            probabilities, height, width, lambda strip: tf.reduce_max(strip, axis=-1)
        )


def combined_scores(pipeline: Pipeline, image: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Does in a graph what `Pipeline.combined_scores` does eagerly."""
    height, width = tf.unstack(tf.shape(image)[:2])
    regions = pipeline.regions(boxes, height, width)

    def add_batch(first: tf.Tensor, canvas: Canvas) -> tuple[tf.Tensor, Canvas]:
        batch = regions[first : first + pipeline.batch_size]
        scores = pipeline.network.graph(pipeline.pictures(image, batch))
        return first + pipeline.batch_size, pipeline.add(canvas, scores, batch, height, width)

    shapes = tf.nest.map_structure(lambda spec: spec.shape, canvas_spec(pipeline.num_classes))
    _, canvas = tf.while_loop(
        lambda first, _: first < tf.shape(regions)[0],
        add_batch,
        (0, pipeline.start(height, width)),
        shape_invariants=(tf.TensorShape(()), shapes),
        parallel_iterations=1,
    )
    return pipeline.finish(canvas)


def summarise(labels: tf.Tensor, num_classes: int, colours: np.ndarray | None = None) -> Summary:
    """Returns the `Summary` of `(height, width)` uint8 labels; `colours` as for `encode_png`."""
    flat = tf.reshape(tf.cast(labels, tf.int32), [-1])
    counts = tf.math.bincount(flat, minlength=num_classes, maxlength=num_classes)
    # Of equals, the first one comes first.
    counts, order = tf.math.top_k(counts, num_classes)
    shares = tf.cast(counts / tf.size(labels), tf.float32)
    png = encode_label_png(labels, colours)
    return Summary(png, tf.where(counts > 0, order, -1), shares)


def name_classes(class_ids: tf.Tensor, table: tf.lookup.StaticHashTable | None) -> tf.Tensor:
    """Returns the names of classes, "" for -1; their numbers where there is no table.

    Example:

    >>> name_classes(tf.constant([12, 0, -1]), None).numpy().tolist()
    [b'12', b'0', b'']
    """
    if table is not None:
        return table.lookup(tf.cast(class_ids, tf.int64))
    return tf.where(class_ids >= 0, tf.strings.as_string(class_ids), "")
