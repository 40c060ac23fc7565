"""The second half of `Segmenter` as one graph: score maps of regions -> labels of the image.

As there, memory is bounded: regions go through the network in batches, scores are combined on a
canvas that is smaller than a very large image, and labels are read from it in strips.
"""

from collections.abc import Callable

import tensorflow as tf

from tfdeconv.segmentation import aggregate
from tfdeconv.segmentation.combiner import MAX_SCORES, Combiner
from tfdeconv.segmentation.score_map import SCORES_IN_STRIP as _SCORES_IN_STRIP
from tfdeconv.segmentation.segmenter import Segmenter


def combine_scores(
    segmenter: Segmenter,
    region_scores: Callable[[tf.Tensor], tf.Tensor],
    regions: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
) -> tf.Tensor:
    """Runs the network over regions in batches and combines what it says.

    Args:
        segmenter: Gives batch size, number of classes and the way to combine.
        region_scores: `(n, 4)` int32 regions -> `(n, rows, columns, classes)` float32 scores.
        regions: `(m, 4)` int32 boxes in the image, m at least 1.
        height: rows of the image.
        width: columns of the image.

    Returns:
        `(canvas rows, canvas columns, classes)` float32; see `canvas_size`.
    """
    combiner = Combiner(segmenter.num_classes, segmenter.aggregate)
    rows, columns = canvas_size(height, width, segmenter.num_classes)
    canvas = aggregate.start(rows, columns, segmenter.num_classes, segmenter.aggregate)

    def add_batch(first: tf.Tensor, canvas: aggregate.Canvas) -> tuple[tf.Tensor, aggregate.Canvas]:
        batch = regions[first : first + segmenter.batch_size]
        canvas = combiner.add(canvas, region_scores(batch), batch, height, width)
        return first + segmenter.batch_size, canvas

    _, canvas = tf.while_loop(
        lambda first, _: first < tf.shape(regions)[0],
        add_batch,
        (0, canvas),
        shape_invariants=(
            tf.TensorShape(()),
            aggregate.Canvas(
                tf.TensorShape((None, None, segmenter.num_classes)), tf.TensorShape((None, None))
            ),
        ),
        parallel_iterations=1,
    )
    return aggregate.finish(canvas, segmenter.aggregate)


def canvas_size(
    height: tf.Tensor, width: tf.Tensor, num_classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `tfdeconv.segmentation.combiner.canvas_size`, in the graph: two int32."""
    sides = tf.cast(tf.stack([height, width]), tf.float64)
    factor = tf.minimum(tf.sqrt(MAX_SCORES / (tf.reduce_prod(sides) * num_classes)), 1.0)
    narrow = tf.maximum(tf.floor(tf.reduce_min(sides) * factor), 1.0)
    longer = tf.reduce_max(sides)
    wide = tf.minimum(longer, tf.floor(longer * factor))
    wide = tf.minimum(wide, tf.floor(MAX_SCORES / (narrow * num_classes)))
    rows, columns = tf.unstack(tf.where(sides < longer, narrow, wide))
    return tf.cast(rows, tf.int32), tf.cast(columns, tf.int32)


def label_pixels(
    scores: tf.Tensor, height: tf.Tensor, width: tf.Tensor, probabilities: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Enlarges combined scores to the image and names the best class of every pixel.

    Args:
        scores: `(canvas rows, canvas columns, classes)` float32.
        height: rows of the image.
        width: columns of the image.
        probabilities: whether the scores are probabilities already.

    Returns:
        `(height, width)` uint8 labels, the first of equals, and `(height, width)` float32, the
        probability of that class, after softmax where these are scores.
    """
    image = tf.cast(tf.stack([0, 0, height, width]), tf.float32)
    whole = tf.reduce_all(tf.shape(scores)[:2] == tf.stack([height, width]))
    step = tf.maximum(1, _SCORES_IN_STRIP // (width * tf.shape(scores)[2]))

    def label_strip(top: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        bottom = tf.minimum(top + step, height)
        part = tf.stack([top, 0, bottom, width])
        strip = tf.cond(
            whole,
            lambda: scores[top:bottom],
            lambda: aggregate.resize_part(scores, image, part),
        )
        labels = tf.cast(tf.argmax(strip, axis=-1, output_type=tf.int32), tf.uint8)
        best = tf.reduce_max(strip, axis=-1, keepdims=True)
        if probabilities:
            return labels, best[..., 0]
        return labels, 1.0 / tf.reduce_sum(tf.exp(strip - best), axis=-1)

    def write(
        index: tf.Tensor, labels: tf.TensorArray, confidence: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
        strip = label_strip(index * step)
        return index + 1, labels.write(index, strip[0]), confidence.write(index, strip[1])

    strips = -(-height // step)
    arrays = [
        tf.TensorArray(dtype, strips, infer_shape=False, element_shape=(None, None))
        for dtype in (tf.uint8, tf.float32)
    ]
    _, *arrays = tf.while_loop(
        lambda index, *_: index < strips, write, (0, *arrays), parallel_iterations=1
    )
    return arrays[0].concat(), arrays[1].concat()
