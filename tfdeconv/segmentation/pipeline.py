"""From an image to the labels of its pixels: TensorFlow functions, run eagerly and traced.

The regions of an image (`tfdeconv.segmentation.regions`) go through the network in batches, their
scores are combined on a canvas, optionally refined by a CRF, and turned into labels. Eagerly the
batches are a loop in Python, in an exported model a `tf.while_loop`.

Memory is bounded whatever the size of the image: the canvas of a very large one is smaller, and its
labels are enlarged strip by strip.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from tfdeconv.crf import DenseCRF
from tfdeconv.segmentation import aggregate
from tfdeconv.segmentation.aggregate import Canvas
from tfdeconv.segmentation.network import Network
from tfdeconv.segmentation.regions import ProposedRegions, WholeImage

# Scores on the canvas, height x width x classes: a quarter of a gigabyte, held three times at most.
MAX_SCORES = 2**26
# With 21 classes a pixel of a photograph needs 1140 bytes for the CRF, one of noise 2850: 5 to 12
# gigabytes.
MAX_PIXELS = 2**22
_SCORES_IN_STRIP = 2**22


class Pipeline:
    """The steps up to the combined scores of one network, each traced once for all images.

    Args:
        network: the network.
        view: its regions and inputs.
        mode: how the scores of regions are combined (`tfdeconv.segmentation.aggregate`).

    Attributes:
        regions: `(boxes, height, width)` -> `(m, 4)` int32 regions of an image.
        pictures: `(image, regions)` -> `(n, rows, columns, 3)` float32, the network's input.
        add: `(canvas, scores, regions, height, width)` -> the canvas with some more regions, which
            are in pixels of the image.
        finish: `(canvas,)` -> `(canvas rows, canvas columns, classes)` float32 scores.

    Example:

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)])
    >>> pipeline = Pipeline(Network(model), ProposedRegions(8, boxes=0, batch_size=1), "max")
    >>> pipeline.regions(tf.zeros((0, 4)), 20, 30).numpy().tolist()
    [[-8, -3, 28, 33]]
    >>> canvas = pipeline.start(20, 30)
    >>> canvas = pipeline.add(canvas, tf.zeros((1, 8, 8, 2)), [[-8, -3, 28, 33]], 20, 30)
    >>> pipeline.finish(canvas).shape
    TensorShape([20, 30, 2])
    """

    def __init__(self, network: Network, view: ProposedRegions | WholeImage, mode: str) -> None:
        self.network, self.view, self.mode = network, view, mode
        self.batch_size, self.num_classes = view.batch_size, network.num_classes
        number, regions = tf.TensorSpec((), tf.int32), tf.TensorSpec((None, 4), tf.int32)
        image, boxes = tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4))
        maps = tf.TensorSpec((None, None, None, self.num_classes))
        canvas = canvas_spec(self.num_classes)
        self.regions = _traced(view.regions, boxes, number, number)
        self.pictures = _traced(view.pictures, image, regions)
        self.add = _traced(self._add, canvas, maps, regions, number, number)
        self.finish = _traced(lambda canvas: aggregate.finish(canvas, mode), canvas)

    def start(self, height: tf.Tensor, width: tf.Tensor) -> Canvas:
        """Returns an empty canvas for an image; numbers or scalar int32 tensors."""
        rows, columns = tf.unstack(canvas_size(height, width, self.num_classes))
        return aggregate.start(rows, columns, self.num_classes, self.mode)

    def region_scores(self, image: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
        """Returns the network's `(n, rows, columns, classes)` scores of n regions, eagerly."""
        return self.network(self.pictures(image, regions), self.batch_size)

    def combined_scores(
        self,
        image: np.ndarray,
        boxes: np.ndarray,
        observe: Callable[[np.ndarray, tf.Tensor], None] | None = None,
    ) -> tf.Tensor:
        """Returns the `(canvas rows, canvas columns, classes)` scores of one image, eagerly.

        A batch is computed while the batch before is combined; no more than these two are held.
        `observe` is called with the regions and the scores of every batch.
        """
        height, width = image.shape[:2]
        regions = self.regions(boxes, height, width).numpy()
        # Once, not once a batch: a large image is copied.
        pixels = tf.convert_to_tensor(image)
        canvas = self.start(height, width)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="combine") as pool:
            combining: Future[Canvas] | None = None
            for first in range(0, len(regions), self.batch_size):
                batch = regions[first : first + self.batch_size]
                scores = self.region_scores(pixels, batch)
                if observe is not None:
                    observe(batch, scores)
                if combining is not None:
                    canvas = combining.result()
                combining = pool.submit(self.add, canvas, scores, batch, height, width)
            return self.finish(canvas if combining is None else combining.result())

    def full_image_scores(self, images: Sequence[np.ndarray]) -> list[tf.Tensor]:
        """Returns the scores of images of one size, without boxes and in one batch."""
        height, width = images[0].shape[:2]
        regions = self.regions(np.zeros((0, 4), np.float32), height, width)
        pictures = [self.pictures(image, regions) for image in images]
        return [
            self.finish(self.add(self.start(height, width), maps, regions, height, width))
            for maps in tf.split(self.network(tf.concat(pictures, axis=0)), len(images))
        ]

    def _add(
        self,
        canvas: Canvas,
        scores: tf.Tensor,
        regions: tf.Tensor,
        height: tf.Tensor,
        width: tf.Tensor,
    ) -> Canvas:
        image = tf.cast(tf.stack([height, width]), tf.float32)
        scale = tf.cast(tf.shape(canvas.count), tf.float32) / image
        regions = tf.cast(regions, tf.float32) * tf.tile(scale, [2])
        return aggregate.add(canvas, scores, regions, self.mode)


def canvas_spec(num_classes: int) -> Canvas:
    """Returns the `tf.TensorSpec`s of a canvas of any size."""
    return Canvas(tf.TensorSpec((None, None, num_classes)), tf.TensorSpec((None, None)))


def canvas_size(height: tf.Tensor, width: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns height and width of the canvas of an image, `(2,)` int32.

    It is the image's own size where that makes at most `MAX_SCORES` scores, otherwise a smaller one
    of nearly the same proportions.

    Example:

    >>> canvas_size(375, 500, num_classes=21).numpy().tolist()
    [375, 500]
    >>> canvas_size(8000, 10_000, num_classes=21).numpy().tolist()
    [1598, 1998]
    """
    return _bounded_size(tf.stack([height, width]), num_classes, MAX_SCORES)


def refine(crf: DenseCRF, scores: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Applies a CRF to the softmax of scores, at a bounded number of pixels.

    Args:
        crf: the CRF; in graphs with the backend of TensorFlow.
        scores: `(rows, columns, classes)` float32 scores before softmax of the whole image.
        image: `(height, width, 3)` uint8 RGB of this or a larger size.

    Returns:
        `(r, c, classes)` float32 probabilities, of the scores' size; where that is more than
        `MAX_PIXELS`, of a smaller one, at which the CRF ran.
    """
    size = _bounded_size(tf.shape(scores)[:2], 1, MAX_PIXELS)
    probabilities = _reduced(tf.nn.softmax(scores), size)
    colours = tf.cond(
        tf.reduce_all(size == tf.shape(image)[:2]),
        lambda: image,
        lambda: tf.cast(tf.round(_reduced(tf.cast(image, tf.float32), size)), tf.uint8),
    )
    return crf(probabilities, tf.ensure_shape(colours, (None, None, 3)))


def rows_of(
    scores: tf.Tensor, top: tf.Tensor, bottom: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Returns rows `top` to `bottom` of the image's scores, enlarged from those of the canvas."""
    image = tf.cast(tf.stack([0, 0, height, width]), tf.float32)
    return tf.cond(
        tf.reduce_all(tf.shape(scores)[:2] == tf.stack([height, width])),
        lambda: scores[top:bottom],
        lambda: aggregate.resize_part(scores, image, tf.stack([top, 0, bottom, width])),
    )


def rows_in_strip(width: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns how many rows of an image are enlarged and labelled at a time."""
    return tf.maximum(1, _SCORES_IN_STRIP // (width * num_classes))


def label_pixels(
    scores: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
    confidence: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tuple[tf.Tensor, ...]:
    """Enlarges combined scores to the image and returns the best class of every pixel.

    Args:
        scores: `(canvas rows, canvas columns, classes)` float32 scores or probabilities.
        height: rows of the image.
        width: columns of the image.
        confidence: None, or a function from `(rows, width, classes)` to the `(rows, width)` float32
            confidence in the best class.

    Returns:
        `(height, width)` uint8 labels, of equals the first, and with `confidence` its values,
        `(height, width)` float32.
    """
    step = rows_in_strip(width, tf.shape(scores)[2])
    strips = -(-height // step)

    def label_strip(index: tf.Tensor, *done: tf.TensorArray) -> tuple[Any, ...]:
        top = index * step
        strip = rows_of(scores, top, tf.minimum(top + step, height), height, width)
        found = [tf.cast(tf.argmax(strip, axis=-1, output_type=tf.int32), tf.uint8)]
        if confidence is not None:
            found.append(confidence(strip))
        return index + 1, *(one.write(index, of) for one, of in zip(done, found, strict=True))

    done = [
        tf.TensorArray(dtype, strips, infer_shape=False, element_shape=(None, None))
        for dtype in ((tf.uint8,) if confidence is None else (tf.uint8, tf.float32))
    ]
    _, *done = tf.while_loop(
        lambda index, *_: index < strips, label_strip, (0, *done), parallel_iterations=1
    )
    return tuple(one.concat() for one in done)


def traced_labels(num_classes: int) -> Any:
    """Returns `label_pixels` without confidence, traced once for all images."""
    number = tf.TensorSpec((), tf.int32)
    return _traced(label_pixels, tf.TensorSpec((None, None, num_classes)), number, number)


def largest_probability(scores: tf.Tensor) -> tf.Tensor:
    """Returns the probability of the best class, after softmax: `(..., classes)` -> `(...)`."""
    best = tf.reduce_max(scores, axis=-1, keepdims=True)
    return 1.0 / tf.reduce_sum(tf.exp(scores - best), axis=-1)


def _bounded_size(size: tf.Tensor, channels: int, most: float) -> tf.Tensor:
    sides = tf.cast(size, tf.float64)
    factor = tf.minimum(tf.sqrt(most / (tf.reduce_prod(sides) * channels)), 1.0)
    # The narrow side first: it cannot go below one pixel, and the other one makes up for that.
    narrow = tf.maximum(tf.floor(tf.reduce_min(sides) * factor), 1.0)
    longer = tf.reduce_max(sides)
    wide = tf.minimum(longer, tf.floor(longer * factor))
    wide = tf.minimum(wide, tf.floor(most / (narrow * channels)))
    return tf.cast(tf.where(sides < longer, narrow, wide), tf.int32)


def _traced(function: Callable[..., Any], *inputs: Any) -> Any:
    return tf.function(function, input_signature=inputs, autograph=False)


def _reduced(maps: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    reduced = tf.cond(
        tf.reduce_all(size == tf.shape(maps)[:2]),
        lambda: maps,
        lambda: tf.image.resize(maps, size, antialias=True),
    )
    return tf.ensure_shape(reduced, (None, None, maps.shape[-1]))
