"""The switches of a network: where in the image the maximum of every pooling window was.

A switch is a position in the map that was pooled. That map is made of the output of the pooling
before it, whose switches lead to positions one map further down, and so on to the first map, which
is as large as the image. Convolutions mix channels in between: the trace follows the channel with
the largest value at the position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.layers import MaxPoolWithArgmax
from tfdeconv.visual.activations import (
    SIDE,
    first,
    main_class,
    map_sizes,
    name_of,
    representative_channel,
    run_tensors,
    softmax,
)
from tfdeconv.visual.pictures import (
    captioned,
    class_colours,
    colour_map,
    fitted,
    panels,
    size_within,
    with_notes,
)

# Larger panels than those of activations: hundreds of dots and lines must be told apart.
_LARGER = 3 / 2
_DIMMED, _NOTHING = 0.4, (26, 27, 31)
_LARGEST_DOT = 6
# Windows that are narrower on the panel have no room for a line.
_LEAST_LINED = 16


class Pooled(NamedTuple):
    """The result of one pooling.

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
        """Returns the rows and columns of padding above and to the left of the map."""
        return [
            max(0, self.values.shape[axis] * self.window[axis] - self.size[axis]) // 2
            for axis in (0, 1)
        ]


class Level(NamedTuple):
    """The switches of one channel of one pooling.

    Attributes:
        layer: Name of the pooling.
        channel: The channel.
        values: `(rows, columns)` float32, the maxima.
        places: `(rows, columns)` integers, the position of each in its window, row by row.
        window: Height and width of a window.
        middles: `(rows, columns, 2)` float64, the centre of each window in the image, in the units
            of `traced`.
        traced: `(rows, columns, 2)` float64, the position of each in the image: row and column of
            the centre of a pixel of the first map, divided by height and width.
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
        model: A functional network from RGB in [0, 255] to logits, whose poolings are
            `tfdeconv.layers.MaxPoolWithArgmax`.
        image: `(height, width, 3)` of a size that it takes.
        inside: `(height, width)` bool, the pixels among which the main class is looked for.

    Returns:
        The `Switches`, of every pooling for the channel with the highest correlation with the
        probability of the main class.

    Raises:
        UserError: when the network has no switches, or has no input size and cannot take this one.

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
    *maps, logits = run_tensors(model, [*tensors, model.outputs[0]], image)
    sizes = map_sizes(model, [first(layer.input) for layer in layers], *image.shape[:2])
    pooled = [
        Pooled(values, argmax, size, layer.pool_size)
        for values, argmax, size, layer in zip(maps[::2], maps[1::2], sizes, layers, strict=True)
    ]
    label = main_class(logits, inside)
    probability = softmax(logits)[..., label]
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
        next map has another size than the output of the pooling, positions are scaled and rounded
        down.

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


def draw_switches(
    image: np.ndarray, found: Switches, class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Draws the switches of every pooling of a network.

    Args:
        image: `(height, width, 3)` uint8 RGB or float in [0, 255], the network's input.
        found: From `network_switches`.
        class_names: The name of every label; numbers are written without them.

    Returns:
        The sheet, uint8 RGB. Above: every pooling window in the colour of the position of its
        maximum, the brighter the larger it is. Below: the image and the pixels to which the
        switches lead, each joined to the centre of its window.
    """
    picture = np.clip(image, 0, 255).astype(np.uint8)
    height, width = size_within(picture, SIDE)
    size = round(_LARGER * height), round(_LARGER * width)
    note = f"{picture.shape[0]} x {picture.shape[1]}, the network's input"
    above = [captioned(fitted(picture, size), f"{found.network}: input", note)]
    below = [captioned(_key(found.levels[0].window, size), "colours", "position in the window")]
    for level in found.levels:
        rows, columns = level.values.shape
        note = f"{rows} x {columns} windows, channel {level.channel}"
        above.append(captioned(fitted(coloured_places(level), size), level.layer, note))
        note = f"{np.count_nonzero(level.values > 0)} of {level.values.size} above zero"
        below.append(captioned(_traced(picture, level, size), "traced to the image", note))
    name = name_of(found.label, class_names)
    notes = [
        "Above: the colour is the position of each maximum in its window, dark is zero. Of every "
        f"pooling the channel with the highest correlation with the probability of '{name}'.",
        "Below: each maximum traced through the poolings before it to the image, along the channel "
        "with the largest value; a line joins it to the centre of its window.",
    ]
    return with_notes(panels([above, below]), notes)


def coloured_places(level: Level) -> np.ndarray:
    """Colours every window by the position of its maximum: `(rows, columns, 3)` uint8 RGB.

    A window whose maximum is not above zero is dark.
    """
    high = max(float(level.values.max()), 1e-12)
    share = np.clip(level.values / high, 0, 1)[..., None]
    colours = class_colours()[1 + level.places].astype(np.float64)
    # Roots, since most values are far below the largest one.
    bright = colours * (0.3 + 0.7 * np.sqrt(share))
    return np.where(share > 0, bright, _NOTHING).astype(np.uint8)


def _key(window: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    places = np.arange(window[0] * window[1]).reshape(window)
    side = min(size) // 3
    swatches = fitted(class_colours()[1 + places], (side, side))
    panel = np.full((*size, 3), 255, np.uint8)
    panel[:side, :side] = swatches
    return panel


def _traced(picture: np.ndarray, level: Level, size: tuple[int, int]) -> np.ndarray:
    import cv2

    drawn = (fitted(picture, size) * _DIMMED).astype(np.uint8)
    rows, columns = level.values.shape
    cell = min(size[0] / rows, size[1] / columns)
    radius = min(max(1, round(cell / 10)), _LARGEST_DOT)
    colours = colour_map(np.sqrt(np.maximum(level.values, 0)))
    # The largest last, so that nothing lies over it.
    for index in np.argsort(level.values, axis=None):
        row, column = divmod(int(index), columns)
        if level.values[row, column] <= 0:
            continue
        colour = colours[row, column].tolist()
        middle, place = (
            (round(share[1] * size[1]), round(share[0] * size[0]))
            for share in (level.middles[row, column], level.traced[row, column])
        )
        if cell >= _LEAST_LINED:
            cv2.line(drawn, middle, place, colour, 1, cv2.LINE_AA)
        cv2.circle(drawn, place, radius, colour, cv2.FILLED, cv2.LINE_AA)
    return drawn
