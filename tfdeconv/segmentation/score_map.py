"""Scores of a whole image, strip by strip: what the ways to see an image have in common.

However large the image, only the strips at hand are held. A map may be smaller than the image, or
come from a picture of another size: `resized` brings it to the image's.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdeconv.progress import track
from tfdeconv.segmentation import aggregate

SCORES_IN_STRIP = 2**22


class ScoreMap(NamedTuple):
    """Scores of every pixel of a plane that shows a whole image.

    Attributes:
        height: rows of the plane.
        width: columns of the plane.
        strips: `(rows, width, classes)` float32 each, from top to bottom, together `height` rows;
            to be gone through once.
    """

    height: int
    width: int
    strips: Iterable[tf.Tensor | np.ndarray]


def resized(
    scores: ScoreMap, height: int, width: int, scores_in_strip: int = SCORES_IN_STRIP
) -> ScoreMap:
    """Resizes a map bilinearly, antialiased where it shrinks, as soon as its rows are there.

    Args:
        scores: the map.
        height: rows wanted.
        width: columns wanted.
        scores_in_strip: the most scores of a strip of the result, which has a row at least.

    Example:

    >>> coarse = ScoreMap(2, 1, [np.array([[[0.0]]], np.float32), np.array([[[4.0]]], np.float32)])
    >>> [strip[:, 0, 0].numpy().tolist() for strip in resized(coarse, 4, 1).strips]
    [[0.0, 1.0, 3.0, 4.0]]
    """
    if (scores.height, scores.width) == (height, width):
        return scores
    return ScoreMap(height, width, _resized_strips(scores, height, width, scores_in_strip))


def combined(maps: Sequence[ScoreMap], combine: Callable[..., tf.Tensor]) -> ScoreMap:
    """Combines several maps of an image into one, rows at a time; smaller ones are enlarged.

    Args:
        maps: the maps.
        combine: as many `(rows, width, classes)` strips to one.
    """
    height, width = max(one.height for one in maps), max(one.width for one in maps)
    strips = [iter(resized(one, height, width).strips) for one in maps]
    return ScoreMap(height, width, _combined_strips(strips, height, combine))


def label_pixels(scores: ScoreMap, description: str | None = None) -> np.ndarray:
    """Returns the class of the largest score, the first of equals: `(height, width)` uint8.

    Args:
        scores: the map.
        description: of a progress bar over the rows, None for none.
    """
    labels = np.empty((scores.height, scores.width), np.uint8)
    rows: Iterator[np.ndarray] = (
        row for strip in scores.strips for row in tf.argmax(strip, axis=-1).numpy()
    )
    if description is not None:
        rows = track(rows, description, scores.height)
    for index, row in enumerate(rows):
        labels[index] = row
    return labels


def collected(scores: ScoreMap) -> np.ndarray:
    """Returns the scores of all pixels: `(height, width, classes)` float32."""
    strips = iter(scores.strips)
    first = next(strips)
    whole = np.empty((scores.height, scores.width, first.shape[-1]), np.float32)
    whole[: len(first)] = first
    done = len(first)
    for strip in strips:
        whole[done : done + len(strip)] = strip
        done += len(strip)
    return whole


def _resized_strips(
    scores: ScoreMap, height: int, width: int, scores_in_strip: int
) -> Iterator[tf.Tensor]:
    scale = height / scores.height
    # The rows to either side of a point that have a weight there, and one for rounding.
    reach = max(1.0, 1 / scale) + 1
    held, first, done = None, 0, 0
    for strip in scores.strips:
        held = tf.convert_to_tensor(strip) if held is None else tf.concat([held, strip], axis=0)
        last = first + len(held)
        ready = height if last == scores.height else math.floor((last - reach) * scale)
        step = max(1, scores_in_strip // (width * held.shape[-1]))
        for top in range(done, ready, step):
            bottom = min(top + step, ready)
            region = [first * scale - top, 0.0, last * scale - top, float(width)]
            yield _part(held, region, [0, 0, bottom - top, width])
        done = max(done, ready)
        needless = max(0, math.floor(done / scale - reach) - first)
        held, first = held[needless:], first + needless


@tf.function(
    input_signature=[
        tf.TensorSpec((None, None, None)),
        tf.TensorSpec((4,)),
        tf.TensorSpec((4,), tf.int32),
    ]
)
def _part(scores: tf.Tensor, region: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
    return aggregate.resize_part(scores, region, part)


def _combined_strips(
    strips: list[Iterator[tf.Tensor | np.ndarray]], height: int, combine: Callable[..., tf.Tensor]
) -> Iterator[tf.Tensor]:
    held = [np.asarray(next(one)) for one in strips]
    done = 0
    while done < height:
        step = max(1, SCORES_IN_STRIP // (held[0].shape[1] * held[0].shape[2]))
        rows = min(step, *map(len, held))
        yield combine(*(one[:rows] for one in held))
        done += rows
        held = [one[rows:] for one in held]
        if done < height:
            held = [
                one if len(one) else np.asarray(next(more))
                for one, more in zip(held, strips, strict=True)
            ]
