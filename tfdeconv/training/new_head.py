"""A trained network for other classes: all it has learnt but what speaks of the classes."""

import copy
from collections.abc import Iterator
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.models.base import SegmentationModel, check_classes
from tfdeconv.weights import Report

_SUMS = (keras.layers.Add, keras.layers.Average, keras.layers.Maximum)


def replace_head(
    model: keras.Model, num_classes: int, class_names: tuple[str, ...] | None = None
) -> tuple[keras.Model, Report]:
    """Returns the network for other classes, with the weights of all layers but the head.

    The head are the layers whose channels are classes: the convolutions that give the scores, every
    one of several that are added, and the deconvolutions behind them that only enlarge. They begin
    anew, by their own initialisers. All other layers keep their shapes and weights, those too whose
    channels happen to be as many as the old classes, and frozen layers stay frozen.

    Args:
        model: A functional model from images to scores, of `tfdeconv.models` or any other. It stays
            as it is; the new one has weights of its own.
        num_classes: Number of classes, 2 to 255, the background included.
        class_names: Their names in the order of the labels, saved with the model.

    Returns:
        The new model, not compiled, and the `Report`: `loaded` names the layers that keep what they
        have learnt, `kept` those of the new head.

    Raises:
        ValueError: when the number and the names of the classes do not fit.
        UserError: when the scores come from no convolution.

    Example:

    >>> from tfdeconv.models import FCN32s
    >>> model, report = replace_head(FCN32s(21, width=1 / 64), 3, ("ground", "tree", "sky"))
    >>> model.output_shape, report.kept
    ((None, None, None, 3), ('score_fr', 'upscore'))
    """
    check_classes(num_classes, class_names)
    head = head_layers(model)
    config = copy.deepcopy(model.get_config())
    if isinstance(model, SegmentationModel):
        config |= {"num_classes": num_classes, "class_names": class_names}
    for layer in config["layers"]:
        options = layer["config"]
        if layer["name"] in head:
            options["filters"] = num_classes
        if "class_names" in options:
            options["class_names"] = class_names
        # The shapes it was built for are those of the old classes.
        layer.pop("build_config", None)
    replaced = model.__class__.from_config(config)
    for layer in replaced.layers:
        if layer.name not in head:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    with_weights = [layer.name for layer in replaced.layers if layer.weights]
    return replaced, Report(
        loaded=tuple(name for name in with_weights if name not in head),
        kept=tuple(name for name in with_weights if name in head),
    )


def head_layers(model: keras.Model) -> set[str]:
    """Returns the names of the layers that `replace_head` would begin anew.

    Raises:
        UserError: when the scores come from no convolution.
    """
    return {name for output in model.outputs for name in _head(output)}


def _head(tensor: Any) -> Iterator[str]:
    """Yields the names of the layers that decide how many channels a tensor has."""
    layer = tensor._keras_history.operation
    inputs = layer._inbound_nodes[tensor._keras_history.node_index].input_tensors
    if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
        yield layer.name
        if _only_enlarges(layer, inputs[0]):
            yield from _head(inputs[0])
    elif layer.weights or not inputs or inputs[0].shape[-1] != tensor.shape[-1]:
        raise UserError(
            "The scores of a network must come from a convolution for its head to be replaced. "
            f"Received: layer {layer.name!r} ({type(layer).__name__}). Build the network for the "
            "new classes and copy the weights of its layers."
        )
    else:
        # What else a layer takes, such as the map to whose size it crops, has other channels.
        for source in inputs if isinstance(layer, _SUMS) else inputs[:1]:
            yield from _head(source)


def _only_enlarges(layer: keras.Layer, source: Any) -> bool:
    enlarges = isinstance(layer, keras.layers.Conv2DTranspose) and max(layer.strides) > 1
    return enlarges and source.shape[-1] == layer.filters
