"""What passes through a decoder on its way from a few pixels to the image (the paper's Figure 4).

The paper shows "the most representative activation" of every layer, chosen by eye; here it is the
channel that follows the probability of the main class (`tfdeconv.visual.representative`). Which
layers are shown is found in the graph (`tfdeconv.visual.decoder`): DeconvNet and SegNet unpool,
U-Net and FCN deconvolve, DeepLab and PSPNet interpolate.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.layers import RequireSize
from tfdeconv.visual.decoder import Step, enlarging_steps, first, producing_layers, source_name
from tfdeconv.visual.representative import class_probability, main_class, representative_channel


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
        steps: From the bottleneck to the image, a map and the larger one that was made of it.
        densest: The map that the scores are made of behind the last step; None where the last step
            enlarges the scores themselves.
        probability: `(rows, columns)` float32 in [0, 1], the probability of the class.
        labels: `(rows, columns)` uint8, the prediction.
        label: The class whose probability the channels were chosen by.
    """

    network: str
    steps: tuple[tuple[Activation, Activation], ...]
    densest: Activation | None
    probability: np.ndarray
    labels: np.ndarray
    label: int


def decoder_activations(
    model: keras.Model,
    image: np.ndarray,
    inside: np.ndarray | None = None,
    label: int | None = None,
) -> Activations:
    """Shows every step of a network that enlarges its maps, with the map before and behind it.

    A layer without weights, such as an unpooling, keeps its channels: it is shown for the one that
    is shown before it, so that a column tells where the values went.

    Args:
        model: A functional network from RGB in [0, 255] to scores before softmax.
        image: `(height, width, 3)` of a size that the network takes.
        inside: `(height, width)` bool, the pixels that the main class is sought among, so that what
            is seen in a black margin is not taken for an object; all by default.
        label: The class to choose channels by, such as that of another network; the main class of
            the prediction by default.

    Returns:
        The `Activations`. Maps are shown as they are: FCN's have a margin, since it pads its input.

    Raises:
        UserError: when no layer enlarges a map, or the network does not know the class, or is one
            for every size that cannot take this one.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> model = DeconvNet(num_classes=3, input_shape=(32, 32, 3), width=1 / 32)
    >>> shown = decoder_activations(model, np.zeros((64, 64, 3))[:32, :32])
    >>> [f"{before.layer} {after.layer}" for before, after in shown.steps[:2]]
    ['deconv5_3 unpool4', 'deconv4_3 unpool3']
    >>> shown.densest.layer
    'deconv1_2'

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        Figure 4.
    """
    with _size_told(model, image):
        steps = enlarging_steps(model, *image.shape[:2])
    if not steps:
        raise UserError(
            "The network must have layers that enlarge a map, such as an unpooling. Received: "
            f"{model.name!r}, which has none."
        )
    last = _before_the_scores(model, steps)
    wanted = [step.source for step in steps] + [first(step.layer.output) for step in steps]
    *maps, scores = _run(model, [*wanted, *([] if last is None else [last[1]])], image)
    if label is None:
        label = main_class(scores, inside)
    elif label >= scores.shape[-1]:
        raise UserError(
            f"The network beside must know class {label}, which is shown. Received: {model.name!r} "
            f"for {scores.shape[-1]} classes. Take one that was trained on the same data."
        )
    probability = class_probability(scores, label)
    densest = None if last is None else _representative(last[0], maps.pop(), probability)
    pairs = zip(steps, maps[: len(steps)], maps[len(steps) :], strict=True)
    shown = tuple(_step(step, before, after, probability) for step, before, after in pairs)
    labels = scores.argmax(-1).astype(np.uint8)
    return Activations(model.name, shown, densest, probability, labels, label)


def run_tensors(model: keras.Model, tensors: list[Any], image: np.ndarray) -> list[np.ndarray]:
    """Computes tensors of a graph for one image.

    Args:
        model: The network.
        tensors: Tensors of its graph.
        image: `(height, width, 3)` of a size that it takes.

    Returns:
        The values, without the batch axis, in the tensors' own types.

    Raises:
        UserError: when a network for every size cannot take this one.
    """
    # Several, even of one: the result of one alone would be no list.
    inner = keras.Model(model.inputs[0], [*tensors, model.outputs[0]])
    with _size_told(model, image):
        results = inner.predict_on_batch(np.asarray(image, np.float32)[None])
    return [np.asarray(result[0]) for result in results[:-1]]


@contextlib.contextmanager
def _size_told(model: keras.Model, image: np.ndarray) -> Iterator[None]:
    try:
        yield
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        told = any(isinstance(layer, RequireSize) for layer in model.layers)
        if told or model.inputs[0].shape[1] is not None:
            raise
        raise UserError(
            "A network without an input size must take images of every size. Received: "
            f"{model.name!r}, which does not take {image.shape[0]}x{image.shape[1]} pixels. Show "
            "it a larger image, or put a `tfdeconv.layers.RequireSize` in front."
        ) from error


def _step(
    step: Step, before: np.ndarray, after: np.ndarray, probability: np.ndarray
) -> tuple[Activation, Activation]:
    source = _representative(step.source_name, before, probability)
    if step.layer.weights or before.shape[-1] != after.shape[-1]:
        return source, _representative(step.layer.name, after, probability)
    return source, Activation(step.layer.name, source.channel, after[..., source.channel])


def _representative(name: str, map_: np.ndarray, probability: np.ndarray) -> Activation:
    channel = representative_channel(map_, probability)
    return Activation(name, channel, map_[..., channel])


def _before_the_scores(model: keras.Model, steps: list[Step]) -> tuple[str, Any] | None:
    """Name and map that the last convolution makes scores of, if it stands behind all steps."""
    producers = producing_layers(model)
    enlarging = {step.layer.name for step in steps}
    tensor = model.outputs[0]
    while (layer := producers.get(id(tensor))) is not None and layer.name not in enlarging:
        if len(keras.tree.flatten(layer.input)) > 1:
            return None
        tensor = first(layer.input)
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Conv2DTranspose)):
            name = source_name(tensor, producers)
            return None if name in enlarging else (name, tensor)
    return None


def _run(model: keras.Model, tensors: list[Any], image: np.ndarray) -> list[np.ndarray]:
    maps = run_tensors(model, [*tensors, model.outputs[0]], image)
    return [map_.astype(np.float32) for map_ in maps]
