"""The switches of a network: where in the image the maximum of every pooling window stood.

A switch names a place in the map that was pooled. That map is made of what the pooling before it
left, whose switches lead one map further down, and so on to the first map, which is as large as the
image. Convolutions mix channels in between: on the way down the channel with the largest value at
the place is followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.layers import MaxPoolWithArgmax
from tfdeconv.visual.activations import run_tensors
from tfdeconv.visual.decoder import first, map_sizes
from tfdeconv.visual.representative import class_probability, main_class, representative_channel


class Pooled(NamedTuple):
    """What one pooling gave.

    Attributes:
        values: `(rows, columns, channels)` float32, the maxima.
        argmax: `(rows, columns, channels)` integers, flat indices in the map that was pooled.
        size: Rows and columns of the map that was pooled.
        window: Height and width of a window.
    """

    values: np.ndarray
    argmax: np.ndarray
    size: tuple[int, int]
    window: tuple[int, int]

    def outside(self) -> list[int]:
        """Returns how far the first windows stick out above and to the left: half, if at all."""
        return [
            max(0, count * side - length) // 2
            for count, side, length in zip(
                self.values.shape[:2], self.window, self.size, strict=True
            )
        ]


class Level(NamedTuple):
    """The switches of one channel of one pooling.

    Attributes:
        layer: Name of the pooling.
        channel: The channel.
        values: `(rows, columns)` float32, the maxima.
        places: `(rows, columns)` integers, which place of its window each stood at, row by row.
        window: Height and width of a window.
        middles: `(rows, columns, 2)` float64, the middle of each window in the image, in the same
            shares as `traced`.
        traced: `(rows, columns, 2)` float64, where each stood in the image: row and column as
            shares of height and width, the middle of a pixel of the first map.
    """

    layer: str
    channel: int
    values: np.ndarray
    places: np.ndarray
    window: tuple[int, int]
    middles: np.ndarray
    traced: np.ndarray


class Switches(NamedTuple):
    """The levels of a network, the first pooling first, and the class they were chosen by."""

    network: str
    levels: tuple[Level, ...]
    label: int


def network_switches(
    model: keras.Model, image: np.ndarray, inside: np.ndarray | None = None
) -> Switches:
    """Reads the switches of every pooling of a network for one image.

    Args:
        model: A functional network from RGB in [0, 255] to scores before softmax, whose poolings
            are `tfdeconv.layers.MaxPoolWithArgmax`.
        image: `(height, width, 3)` of a size that it takes.
        inside: `(height, width)` bool, the pixels that the main class is sought among.

    Returns:
        The `Switches`, of every pooling for the channel that follows the probability of the main
        class most closely.

    Raises:
        UserError: when the network has no switches, or is one for every size that cannot take
            this one.

    Example:

    >>> from tfdeconv.models import SegNet
    >>> found = network_switches(SegNet(2, (32, 32, 3), width=1 / 32), np.zeros((32, 32, 3)))
    >>> [(level.layer, level.places.shape) for level in found.levels[:2]]
    [('pool1', (16, 16)), ('pool2', (8, 8))]

    Reference:
        Noh, Hong, Han, ICCV 2015, section 3.2.1.
    """
    layers = [layer for layer in model.layers if isinstance(layer, MaxPoolWithArgmax)]
    if not layers:
        raise UserError(
            "The network must have switches (poolings that are tfdeconv.layers.MaxPoolWithArgmax) "
            f"for --switches. Received: {model.name!r}, which has none. Leave --switches out, or "
            "take a network that unpools, such as DeconvNet or SegNet."
        )
    tensors = [tensor for layer in layers for tensor in layer.output]
    *maps, scores = run_tensors(model, [*tensors, model.outputs[0]], image)
    sizes = map_sizes(model, [first(layer.input) for layer in layers], *image.shape[:2])
    pooled = [
        Pooled(values.astype(np.float32), argmax, size, layer.pool_size)
        for values, argmax, size, layer in zip(maps[::2], maps[1::2], sizes, layers, strict=True)
    ]
    scores = scores.astype(np.float32)
    label = main_class(scores, inside)
    probability = class_probability(scores, label)
    levels = []
    for index, layer in enumerate(layers):
        channel = representative_channel(pooled[index].values, probability)
        levels.append(_level(layer.name, pooled[: index + 1], channel))
    return Switches(model.name, tuple(levels), label)


def trace(poolings: Sequence[Pooled], channel: int) -> np.ndarray:
    """Follows the switches of a channel from the last of some poolings down to the first map.

    Args:
        poolings: Poolings one behind the other, the first one first.
        channel: A channel of the last one.

    Returns:
        `(rows, columns, 2)` integers, row and column in the map that was pooled first. Where the
        next map is of another size than what a pooling left, places are scaled and rounded down.

    Example:

    >>> last = Pooled(np.ones((1, 1, 1)), np.array([[[3]]]), (2, 2), (2, 2))
    >>> before = Pooled(np.ones((2, 2, 1)), np.array([[[0], [2]], [[8], [15]]]), (4, 4), (2, 2))
    >>> trace([before, last], 0).tolist()
    [[[3, 3]]]
    """
    *before, last = poolings
    rows, columns = _places(last.argmax[..., channel], last)
    size = last.size
    for pooling in reversed(before):
        height, width = pooling.values.shape[:2]
        rows, columns = rows * height // size[0], columns * width // size[1]
        strongest = pooling.values[rows, columns].argmax(-1)
        rows, columns = _places(pooling.argmax[rows, columns, strongest], pooling)
        size = pooling.size
    return np.stack([rows, columns], axis=-1)


def _places(argmax: np.ndarray, pooling: Pooled) -> tuple[np.ndarray, np.ndarray]:
    place = argmax // pooling.values.shape[-1]
    return place // pooling.size[1], place % pooling.size[1]


def _level(name: str, poolings: Sequence[Pooled], channel: int) -> Level:
    last = poolings[-1]
    rows, columns = _places(last.argmax[..., channel], last)
    (height, width), (above, left) = last.window, last.outside()
    places = (rows + above) % height * width + (columns + left) % width
    traced = (trace(poolings, channel) + 0.5) / np.array(poolings[0].size)
    values = last.values[..., channel]
    return Level(name, channel, values, places, last.window, _middles(poolings), traced)


def _middles(poolings: Sequence[Pooled]) -> np.ndarray:
    shape = poolings[-1].values.shape[:2]
    middles = np.moveaxis(np.indices(shape), 0, -1) + 0.5
    size: tuple[int, ...] = shape
    for pooling in reversed(poolings):
        middles = middles * np.array(pooling.values.shape[:2]) / np.array(size)
        middles = middles * np.array(pooling.window) - np.array(pooling.outside())
        size = pooling.size
    return np.clip(middles / np.array(size), 0, 1)
