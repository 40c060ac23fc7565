"""What passes through a decoder on its way from a few pixels to the image (the paper's Figure 4).

The paper shows "the most representative activation" of every layer, chosen by eye; here it is the
channel that follows the probability of the main class (`tfdeconv.visual.representative`). An
unpooled map is shown for the channel of the map that it puts back, so that a column tells where the
values of the one before it went.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.layers import Unpool
from tfdeconv.visual.representative import class_probability, main_class, representative_channel

_ENLARGING = (Unpool, keras.layers.UpSampling2D, keras.layers.Resizing)


class Activation(NamedTuple):
    """One channel of a layer.

    Attributes:
        layer: Name of the layer.
        channel: Which of its channels.
        values: `(rows, columns)` float32.
    """

    layer: str
    channel: int
    values: np.ndarray


class Activations(NamedTuple):
    """What a network made of one image.

    Attributes:
        network: Its name.
        rows: Rows of activations from the bottleneck to the image: unpooled maps and densified
            ones, or the enlarged maps alone.
        labels: `(rows, columns)` uint8, the prediction.
        label: The class whose probability the channels were chosen by.
    """

    network: str
    rows: tuple[tuple[Activation, ...], ...]
    labels: np.ndarray
    label: int


def unpooling_activations(
    model: keras.Model, image: np.ndarray, inside: np.ndarray | None = None
) -> Activations:
    """Shows every unpooling of a network and the last convolution before the next one.

    Args:
        model: A functional network with `tfdeconv.layers.Unpool` layers in a chain, such as
            DeconvNet, from RGB in [0, 255] to scores before softmax.
        image: `(height, width, 3)` of the size that the network takes.
        inside: `(height, width)` bool, the pixels that the main class is sought among, so that what
            is seen in a black margin is not taken for an object; all by default.

    Returns:
        The `Activations`, in two rows: the unpooled maps, and below each its densified map.

    Raises:
        UserError: when the network has no unpooling layer.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> model = DeconvNet(num_classes=3, input_shape=(32, 32, 3), width=1 / 32)
    >>> shown = unpooling_activations(model, np.zeros((32, 32, 3)))
    >>> [activation.layer for activation in shown.rows[1]]
    ['deconv5_3', 'deconv4_3', 'deconv3_3', 'deconv2_2', 'deconv1_2']

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        Figure 4.
    """
    unpoolings = [layer for layer in model.layers if isinstance(layer, Unpool)]
    if not unpoolings:
        raise UserError(
            f"The network must have unpooling layers (tfdeconv.layers.Unpool). Received: "
            f"{model.name!r}, which has none. Show it beside one that has, by --beside."
        )
    dense_names, last = _densified(model, unpoolings)
    sources = [layer.input[0] for layer in unpoolings]
    *maps, scores = _run(model, [*sources, last, *(layer.output for layer in unpoolings)], image)
    dense, unpooled = maps[: len(unpoolings) + 1], maps[len(unpoolings) + 1 :]
    label = main_class(scores, inside)
    probability = class_probability(scores, label)
    channels = [representative_channel(map_, probability) for map_ in dense]
    above = zip(unpoolings, channels[:-1], unpooled, strict=True)
    below = zip(dense_names, channels[1:], dense[1:], strict=True)
    rows = (
        tuple(Activation(layer.name, k, map_[..., k]) for layer, k, map_ in above),
        tuple(Activation(name, k, map_[..., k]) for name, k, map_ in below),
    )
    return Activations(model.name, rows, scores.argmax(-1).astype(np.uint8), label)


def upsampling_activations(model: keras.Model, image: np.ndarray, label: int) -> Activations:
    """Shows every layer of a network that enlarges its map.

    Args:
        model: Any functional network from RGB in [0, 255] to scores before softmax.
        image: `(height, width, 3)` of a size that the network takes.
        label: The class to choose channels by, that of the other network.

    Returns:
        The `Activations`, in one row: transposed convolutions with a stride, unpoolings,
        `UpSampling2D` and `Resizing`. A layer that has a channel for every class, as FCN's have,
        is shown for that of the class. Maps are shown as they are: FCN's have a margin, since it
        pads its input.

    Raises:
        UserError: when the network has no such layer or no such class.
    """
    found = [layer for layer in model.layers if _enlarges(layer)]
    if not found:
        raise UserError(
            "The network beside must have layers that enlarge a map. Received: "
            f"{model.name!r}, which has none: no strided Conv2DTranspose, no UpSampling2D."
        )
    *maps, scores = _run(model, [layer.output for layer in found], image)
    if label >= scores.shape[-1]:
        raise UserError(
            f"The network beside must know class {label}, which is shown. Received: {model.name!r} "
            f"for {scores.shape[-1]} classes. Take one that was trained on the same data."
        )
    probability = class_probability(scores, label)
    channels = [
        label if map_.shape[-1] == scores.shape[-1] else representative_channel(map_, probability)
        for map_ in maps
    ]
    row = tuple(
        Activation(layer.name, k, map_[..., k])
        for layer, k, map_ in zip(found, channels, maps, strict=True)
    )
    return Activations(model.name, (row,), scores.argmax(-1).astype(np.uint8), label)


def _densified(model: keras.Model, unpoolings: list[Unpool]) -> tuple[list[str], Any]:
    """Names of the convolutions whose maps are shown, and the last of these maps."""
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, Unpool)
    layers = [layer for layer in model.layers if isinstance(layer, kinds)]
    names = [layers[layers.index(unpool) - 1].name for unpool in unpoolings[1:]]
    behind = layers[layers.index(unpoolings[-1]) + 1 :]
    if len(behind) < 2:
        # Scores are made of the unpooled map itself: nothing else is there to be shown.
        return [*names, model.layers[-1].name], model.output
    *_, densest, classifier = behind
    return [*names, densest.name], classifier.input


def _enlarges(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return max(layer.strides) > 1
    return isinstance(layer, _ENLARGING)


def _run(model: keras.Model, tensors: list[Any], image: np.ndarray) -> list[np.ndarray]:
    inner = keras.Model(model.inputs, [*tensors, model.output])
    results = inner.predict_on_batch(np.asarray(image, np.float32)[None])
    return [np.asarray(result[0], np.float32) for result in results]
