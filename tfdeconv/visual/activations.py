"""The maps of a decoder on their way from a few pixels to the image (the paper's Figure 4).

The paper shows "the most representative activation" of every layer, chosen by eye. Here it is the
channel with the highest correlation with the probability of the main class. The layers are found in
the graph: a layer belongs to the decoder when its map has more rows or columns than its first
input, padding aside. DeconvNet and SegNet unpool, U-Net and FCN have transposed convolutions,
DeepLab and PSPNet interpolate.

Reference:
    Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015, Figure 4.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.layers import MirrorPad, RequireSize
from tfdeconv.visual.pictures import (
    PAPER,
    captioned,
    colour_map,
    fitted,
    overlay,
    panels,
    size_within,
    with_notes,
)

# The paper's input: maps of 7, 14, 28, 56 and 112 pixels fill it exactly.
SIDE = 224
_PADDINGS = (keras.layers.ZeroPadding2D, MirrorPad)
# A map has the name of the layer before these, which do not move its pixels.
_POINTWISE = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
)


class Activation(NamedTuple):
    """One channel of a layer: the layer's name, the channel, and `(rows, columns)` float32."""

    layer: str
    channel: int
    values: np.ndarray


class Activations(NamedTuple):
    """The maps of a network for one image.

    Attributes:
        network: Its name.
        steps: From the bottleneck to the image, a map and the larger one that was made of it.
        densest: The map from which the last convolution makes logits; None where the last step
            enlarges the logits themselves.
        probability: `(rows, columns)` float32 in [0, 1], the probability of the class.
        labels: `(rows, columns)` uint8, the prediction.
        label: The class by whose probability the channels were chosen.
    """

    network: str
    steps: tuple[tuple[Activation, Activation], ...]
    densest: Activation | None
    probability: np.ndarray
    labels: np.ndarray
    label: int


class Step(NamedTuple):
    """One enlargement.

    Attributes:
        layer: The layer that enlarges.
        source: The map that it enlarges, a tensor of the graph.
        source_name: Name of the layer that made this map, such as a convolution.
    """

    layer: keras.layers.Layer
    source: Any
    source_name: str


def decoder_activations(
    model: keras.Model,
    image: np.ndarray,
    inside: np.ndarray | None = None,
    label: int | None = None,
) -> Activations:
    """Returns the map before and after every layer of a network that enlarges its maps.

    A layer without weights, such as an unpooling, keeps its channels: its map is shown for the
    channel that is shown before it.

    Args:
        model: A functional network from RGB in [0, 255] to logits.
        image: `(height, width, 3)` of a size that the network takes.
        inside: `(height, width)` bool, the pixels among which the main class is looked for, such as
            those of the photograph without its margin; all by default.
        label: The class to choose channels by, such as that of another network; the main class of
            the prediction by default.

    Returns:
        The `Activations`. FCN's maps have a margin, since it pads its input.

    Raises:
        UserError: when no layer enlarges a map, the network does not have the class, or it has no
            input size and cannot take this image.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> model = DeconvNet(num_classes=3, input_shape=(32, 32, 3), width=1 / 32)
    >>> found = decoder_activations(model, np.zeros((64, 64, 3))[:32, :32])
    >>> [f"{before.layer} {after.layer}" for before, after in found.steps[:2]]
    ['deconv5_3 unpool4', 'deconv4_3 unpool3']
    >>> found.densest.layer
    'deconv1_2'
    """
    with _explained_size(model, image):
        steps = enlarging_steps(model, *image.shape[:2])
    if not steps:
        raise UserError(
            "The network must have layers that enlarge a map, such as an unpooling. Received: "
            f"{model.name!r}, which has none."
        )
    last = _before_the_logits(model, steps)
    wanted = [step.source for step in steps] + [first(step.layer.output) for step in steps]
    wanted += [] if last is None else [last[1]]
    *maps, logits = run_tensors(model, [*wanted, model.outputs[0]], image)
    if label is None:
        label = main_class(logits, inside)
    elif label >= logits.shape[-1]:
        raise UserError(
            f"The second network must have class {label}. Received: {model.name!r} "
            f"for {logits.shape[-1]} classes. Take one that was trained on the same data."
        )
    probability = softmax(logits)[..., label]
    pairs = []
    for step, before, after in zip(steps, maps, maps[len(steps) :], strict=False):
        source = _representative(step.source_name, before, probability)
        target = _representative(step.layer.name, after, probability)
        if not step.layer.weights and before.shape[-1] == after.shape[-1]:
            channel = source.channel
            target = Activation(step.layer.name, channel, after[..., channel])
        pairs.append((source, target))
    densest = None if last is None else _representative(last[0], maps[-1], probability)
    labels = logits.argmax(-1).astype(np.uint8)
    return Activations(model.name, tuple(pairs), densest, probability, labels, label)


def run_tensors(model: keras.Model, tensors: list[Any], image: np.ndarray) -> list[np.ndarray]:
    """Computes tensors of a graph for one image.

    Args:
        model: The network.
        tensors: Tensors of its graph.
        image: `(height, width, 3)` of a size that it takes.

    Returns:
        The values, without the batch axis: float32, or the integers of an argmax.

    Raises:
        UserError: when a network without an input size cannot take this one.
    """
    # With the input as a second one, since Keras returns a single output without its list.
    inner = keras.Model(model.inputs[0], [*tensors, model.inputs[0]])
    with _explained_size(model, image):
        results = inner.predict_on_batch(np.asarray(image, np.float32)[None])
    arrays = [np.asarray(result[0]) for result in results[:-1]]
    return [one if one.dtype.kind in "iu" else one.astype(np.float32) for one in arrays]


def enlarging_steps(model: keras.Model, height: int, width: int) -> list[Step]:
    """Finds the steps in which a network enlarges its maps, in the order of its graph.

    Where layers enlarge maps of the same size to the same size, as the residual units of FRRN do,
    the last is taken. Maps of one pixel are left out, and so are networks inside of the network,
    whose tensors belong to another graph.

    Args:
        model: A functional network from images.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        The steps; none where every map stays as it is or shrinks.

    Example:

    >>> from tfdeconv.models import UNet
    >>> [step.source_name for step in enlarging_steps(UNet(2, width=1 / 32), 32, 32)]
    ['conv_d4b-c', 'conv_u3c-d', 'conv_u2c-d', 'conv_u1c-d']
    """
    producers = _producers(model)
    layers = [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.Model) and len(first(layer.output).shape) == 4
    ]
    sizes = map_sizes(model, [first(layer.output) for layer in layers], height, width)
    of_tensor = {id(first(layer.output)): size for layer, size in zip(layers, sizes, strict=True)}
    found: dict[tuple[Any, Any], Step] = {}
    for layer in layers:
        if isinstance(layer, (*_PADDINGS, keras.layers.InputLayer)):
            continue
        source = first(layer.input)
        before, after = of_tensor.get(id(source)), of_tensor[id(first(layer.output))]
        if before is None or before == (1, 1):
            continue
        if after[0] > before[0] or after[1] > before[1]:
            # Taken out first, so that the last one keeps its place in the order.
            found.pop((before, after), None)
            found[before, after] = Step(layer, source, _source_name(source, producers))
    return list(found.values())


def map_sizes(
    model: keras.Model, tensors: list[Any], height: int, width: int
) -> list[tuple[int, int]]:
    """Returns rows and columns of maps for an image of a size; nothing is computed."""
    inner = keras.Model(model.inputs[0], [*tensors, model.inputs[0]])
    shapes = inner.compute_output_shape((1, height, width, 3))
    return [(shape[1], shape[2]) for shape in shapes[:-1]]


def first(tensors: Any) -> Any:
    """Returns the first of several tensors, or the only one."""
    return keras.tree.flatten(tensors)[0]


def main_class(logits: np.ndarray, inside: np.ndarray | None = None) -> int:
    """Returns the class with the most pixels, without the background.

    Args:
        logits: `(rows, columns, classes)` float32; class 0 is the background.
        inside: `(height, width)` bool of any size, the pixels that count; all by default.

    Returns:
        A class from 1 on; where all is background, the most probable one.

    Example:

    >>> main_class(np.array([[[9.0, 0.0, 1.0], [0.0, 9.0, 1.0]]]))
    1
    """
    rows, columns, classes = logits.shape
    weights = np.ones((rows, columns), np.float32)
    if inside is not None:
        weights = _averaged(inside.astype(np.float32), (rows, columns))
    counts = np.bincount(logits.argmax(-1).ravel(), weights.ravel(), minlength=classes)
    if not counts[1:].any():
        counts = (softmax(logits) * weights[..., None]).sum((0, 1))
    return 1 + int(counts[1:].argmax())


def representative_channel(maps: np.ndarray, probability: np.ndarray) -> int:
    """Returns the channel with the highest correlation with a probability map.

    Args:
        maps: `(rows, columns, channels)` float32.
        probability: `(height, width)` float32 of any size; averaged down to the maps' size.

    Returns:
        The channel; where none varies, as in maps of one pixel, the one of the largest mean.

    Example:

    >>> maps = np.array([[[0.0, 9.0, 1.0], [1.0, 9.0, 0.0]]], np.float32)
    >>> representative_channel(maps, np.array([[0.2, 0.8]], np.float32))
    0
    """
    rows, columns = maps.shape[:2]
    target = _averaged(probability, (rows, columns)).reshape(-1, 1).astype(np.float64)
    values = maps.reshape(rows * columns, -1).astype(np.float64)
    deviation = values.std(0) * target.std()
    varies = deviation > 1e-6 * np.abs(values).max() * np.abs(target).max()
    covariance = ((values - values.mean(0)) * (target - target.mean())).mean(0)
    correlation = np.divide(covariance, deviation, out=np.full_like(covariance, -2), where=varies)
    return int(np.argmax(correlation if varies.any() else values.mean(0)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the probabilities of logits, over the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def draw_activations(
    networks: Sequence[tuple[np.ndarray, Activations]], class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Draws the activations of networks.

    Args:
        networks: For each network its input, `(height, width, 3)` uint8 RGB or float in [0, 255],
            and its activations, all for the same class.
        class_names: The name of every label; numbers are written without them.

    Returns:
        The sheet, uint8 RGB, two rows a network: above the maps before every step, below those
        after it. The longer side of a panel is 224 pixels, one pixel of a map being a block of
        them; dark is zero (or the lowest value, where that is negative), bright the largest.
    """
    rows = [row for image, found in networks for row in _rows(image, found, class_names)]
    columns = max(map(len, rows))
    blank = np.full_like(rows[0][0], PAPER)
    sheet = panels([[*row, *[blank] * (columns - len(row))] for row in rows])
    name = name_of(networks[0][1].label, class_names)
    notes = [
        "Above the map before a step, below the enlarged one: of every layer the channel with the "
        f"highest correlation with the probability of '{name}'.",
        "A layer without weights shows the channel of the map above it. Every map has its own "
        "range: dark is zero, bright its largest value.",
    ]
    return with_notes(sheet, notes)


def name_of(label: int, class_names: Sequence[str] | None) -> str:
    """Returns the name of a class, "class 7" where none is known."""
    return class_names[label] if class_names and label < len(class_names) else f"class {label}"


def _rows(
    image: np.ndarray, found: Activations, class_names: Sequence[str] | None
) -> list[list[np.ndarray]]:
    picture = np.clip(image, 0, 255).astype(np.uint8)
    size, name = size_within(picture, SIDE), name_of(found.label, class_names)
    note = f"{picture.shape[0]} x {picture.shape[1]}, the network's input"
    above = [captioned(fitted(picture, size), f"{found.network}: input", note)]
    # Resized first, so that the line around an object is one pixel of the sheet.
    labelled = overlay(fitted(picture, size), fitted(found.labels, size))
    share = np.count_nonzero(found.labels == found.label) / found.labels.size
    written = "under 1%" if 0 < share < 0.01 else f"{share:.0%}"
    below = [captioned(labelled, "prediction", f"{name}: {written} of the pixels")]
    for before, after in found.steps:
        above.append(_panel(before, size))
        below.append(_panel(after, size))
    blank = np.full_like(above[0], PAPER)
    above.append(blank if found.densest is None else _panel(found.densest, size))
    probability = fitted(colour_map(found.probability), size)
    most = f"at most {found.probability.max():.0%}"
    below.append(captioned(probability, f"probability of {name}", most))
    return [above, below]


def _panel(activation: Activation, size: tuple[int, int]) -> np.ndarray:
    rows, columns = activation.values.shape
    note = f"{rows} x {columns}, channel {activation.channel}"
    return captioned(fitted(colour_map(activation.values), size), activation.layer, note)


def _representative(name: str, map_: np.ndarray, probability: np.ndarray) -> Activation:
    channel = representative_channel(map_, probability)
    return Activation(name, channel, map_[..., channel])


def _averaged(map_: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    import cv2

    return cv2.resize(map_, size[::-1], interpolation=cv2.INTER_AREA)


def _producers(model: keras.Model) -> dict[int, keras.layers.Layer]:
    """Returns the layer that made every tensor of a graph, by the tensor's `id`."""
    return {
        id(tensor): layer for layer in model.layers for tensor in keras.tree.flatten(layer.output)
    }


def _source_name(tensor: Any, producers: dict[int, keras.layers.Layer]) -> str:
    layer = producers.get(id(tensor))
    while isinstance(layer, _POINTWISE):
        tensor = first(layer.input)
        layer = producers.get(id(tensor))
    return tensor.name if layer is None else layer.name


def _before_the_logits(model: keras.Model, steps: list[Step]) -> tuple[str, Any] | None:
    """Name and map from which the last convolution makes logits, if it comes after all steps."""
    producers = _producers(model)
    enlarging = {step.layer.name for step in steps}
    tensor = model.outputs[0]
    while (layer := producers.get(id(tensor))) is not None and layer.name not in enlarging:
        if len(keras.tree.flatten(layer.input)) > 1:
            return None
        tensor = first(layer.input)
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Conv2DTranspose)):
            name = _source_name(tensor, producers)
            return None if name in enlarging else (name, tensor)
    return None


@contextlib.contextmanager
def _explained_size(model: keras.Model, image: np.ndarray) -> Iterator[None]:
    try:
        yield
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        explained = any(isinstance(layer, RequireSize) for layer in model.layers)
        if explained or model.inputs[0].shape[1] is not None:
            raise
        raise UserError(
            "A network without an input size must take images of every size. Received: "
            f"{model.name!r}, which does not take {image.shape[0]}x{image.shape[1]} pixels. Give "
            "a larger image, or put a `tfdeconv.layers.RequireSize` in front."
        ) from error
