"""Which layers of a network make its maps larger again: found in the graph, whatever the network.

A layer belongs to the decoder when its map has more rows or columns than the first map that it is
given, paddings aside: an unpooling, a transposed convolution with a stride, an interpolation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras

from tfdeconv.layers import MirrorPad

_PADDINGS = (keras.layers.ZeroPadding2D, MirrorPad)
# A map is known by the layer that made it, not by what was done to its values afterwards.
_AFTERWARDS = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
)


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


def enlarging_steps(model: keras.Model, height: int, width: int) -> list[Step]:
    """Finds the steps in which a network enlarges its maps, in the order of its graph.

    Of several layers that enlarge maps of one size to one size, as the residual units of FRRN do,
    the last stands for all; a map of one pixel has no places, and its enlargement none to show.

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
    producers = producing_layers(model)
    # A network inside of the network is passed over: its tensors are none of this graph.
    layers = [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.Model) and is_map(first(layer.output))
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
            found[before, after] = Step(layer, source, source_name(source, producers))
    return list(found.values())


def producing_layers(model: keras.Model) -> dict[int, keras.layers.Layer]:
    """Returns the layer that made every tensor of a graph, by the tensor's `id`."""
    return {
        id(tensor): layer for layer in model.layers for tensor in keras.tree.flatten(layer.output)
    }


def map_sizes(
    model: keras.Model, tensors: list[Any], height: int, width: int
) -> list[tuple[int, int]]:
    """Returns rows and columns of maps for an image of a size; nothing is computed."""
    # A list of one tensor would come back without the list.
    inner = keras.Model(model.inputs[0], [*tensors, model.inputs[0]])
    shapes = inner.compute_output_shape((1, height, width, 3))
    return [(shape[1], shape[2]) for shape in shapes[:-1]]


def source_name(tensor: Any, producers: dict[int, keras.layers.Layer]) -> str:
    """Names a map after the layer that made it, normalisations and activations aside."""
    layer = producers.get(id(tensor))
    while isinstance(layer, _AFTERWARDS):
        tensor = first(layer.input)
        layer = producers.get(id(tensor))
    return tensor.name if layer is None else layer.name


def first(tensors: Any) -> Any:
    """Returns the first of several tensors, or the only one."""
    return keras.tree.flatten(tensors)[0]


def is_map(tensor: Any) -> bool:
    """Tells whether a tensor is `(batch, rows, columns, channels)`."""
    return len(tensor.shape) == 4
