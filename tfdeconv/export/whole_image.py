"""Networks that take images of every size in the graph: a whole image at once, without boxes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdeconv.data.whole_images import LONGEST_SIDE
from tfdeconv.export.segmentation import Network, label_regions
from tfdeconv.segmentation.any_size import SizeRule, run_any_size, size_rule
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.segmentation.whole_image import resize_and_fill

# Odd, even, and a multiple of nothing that a network halves by.
_TRIED = (13, 22)


class Shown(NamedTuple):
    """How an image is shown; height and width each, `(2,)` int32.

    Attributes:
        seen: of the image as the network sees it.
        shown: with the rows and columns that are added below and to the right.
        reach: of `shown` in pixels of the image itself.
    """

    seen: tf.Tensor
    shown: tf.Tensor
    reach: tf.Tensor


def shown_size(image: tf.Tensor, rule: SizeRule) -> Shown:
    """Returns at what size an image is shown, as `Segmenter` shows it, in the graph.

    Args:
        image: `(height, width, 3)`.
        rule: the sizes that the network takes.

    Example:

    >>> rule = SizeRule(multiple=32, least=(32, 32))
    >>> seen, shown, reach = shown_size(tf.zeros((300, 1000, 3)), rule)
    >>> seen.numpy().tolist(), shown.numpy().tolist(), reach.numpy().tolist()
    ([150, 500], [160, 512], [320, 1024])
    """
    own = tf.shape(image)[:2]
    # As Python computes it, in double precision and with halves to the even number.
    sides = tf.cast(own, tf.float64)
    factor = LONGEST_SIDE / tf.reduce_max(sides)
    shrunk = tf.maximum(tf.cast(tf.round(factor * sides), tf.int32), 1)
    seen = tf.where(factor >= 1.0, own, shrunk)
    shown = tf.maximum(-(-seen // rule.multiple) * rule.multiple, rule.least)
    area = tf.cast(shown, tf.float64) * sides
    reach = tf.cast(tf.round(area / tf.cast(seen, tf.float64)), tf.int32)
    return Shown(seen, shown, reach)


def whole_image_segmenter(
    segmenter: Segmenter, network: Network
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns the graph that labels the pixels of one image by a network for images of every size.

    It is one function, so that it stands once in the file, however many signatures call it.

    Args:
        segmenter: Gives the demands of the network, the way to combine scores, and the CRF.
        network: `(1, rows, columns, 3)` float32 images -> `(1, ..., classes)` float32 scores.

    Returns:
        A function of an image, `(height, width, 3)` uint8 RGB, to `(height, width)` uint8 labels
        and the `(height, width)` float32 probability of each.

    Raises:
        UserError: when the network does not take images of every size.
    """
    rule = size_rule(segmenter.model)
    # A server has no sentence for it.
    run_any_size(network, np.zeros((1, *rule.fit(*_TRIED), 3), np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def segment(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        seen, shown, reach = shown_size(image, rule)
        region = tf.concat([[0, 0], reach], axis=0)[tf.newaxis]

        def region_scores(_: tf.Tensor) -> tf.Tensor:
            return network(resize_and_fill(image, seen, shown))

        return label_regions(segmenter, region_scores, region, image)

    return segment
