"""Networks for inference: batch normalisation folded into convolutions, and these made plain.

A plain layer computes the same as a convolution in less time: `DenseMap`, a matrix product, for a
kernel that covers its whole input and for a transposed convolution of a single element, and a
convolution for a transposed one of stride 1 that keeps the size.
"""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from tfdeconv.layers import DenseMap

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
_SETTINGS = (
    *("filters", "kernel_size", "padding", "data_format"),
    *("dilation_rate", "use_bias", "activation"),
)


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Returns a model for inference with the same scores and without batch normalisation.

    Where a batch normalisation is all that takes the output of a 2-D convolution or transposed
    convolution, its scale and shift become part of the kernel and the bias. Transposed convolutions
    of stride 1 that keep the size become convolutions; convolutions between a full map and a single
    element (`fc6`, `fc7`, `fc6-deconv`) become matrix products (`tfdeconv.layers.DenseMap`). What
    LoRA added to their kernels is merged. All other layers, names of layers and classes, and the
    preprocessing are unchanged. The result is not meant for training.

    Args:
        model: A functional or sequential model, of `tfdeconv.models` or any other.

    Returns:
        A new functional `keras.Model` with its own weights, not compiled.

    Raises:
        ValueError: when `model` is another kind of model, whose layers are no graph.

    Example:

    >>> x = keras.Input((4, 4, 3))
    >>> y = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3, name="conv")(x))
    >>> [layer.name for layer in fold_batch_norm(keras.Model(x, y)).layers[1:]]
    ['conv']

    Reference:
        Section 4.1 of the paper for the normalisation; `BN_make_INFERENCE_script.py` of the release
        folds statistics into scale and shift, and goes no further.
    """
    graph = _graph(model)
    norms = _foldable(graph)
    convolutions = {convolution: norm for norm, convolution in norms.items()}
    changed = {layer.name for layer in graph.layers if _plain_kind(layer) is not type(layer)}
    changed |= set(convolutions)

    def clone(layer: Any) -> Any:
        if layer.name in changed:
            return _plain_layer(layer, with_bias=layer.name in convolutions)
        return layer.__class__.from_config(layer.get_config())

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return [*args, *kwargs.values()][0] if layer.name in norms else layer(*args, **kwargs)

    folded = keras.models.clone_model(graph, _new_inputs(graph), clone, call)
    for layer in folded.layers:
        original = graph.get_layer(layer.name)
        folds = layer.name in convolutions
        weights = _plain_weights(original) if layer.name in changed else original.weights
        for variable, value in zip(layer.weights, weights, strict=not folds):
            # A tensor, not an array: what stays as it is shares its memory with the model's own.
            variable.assign(keras.ops.convert_to_tensor(value))
        del weights
        if folds:
            _fold(layer, bool(original.use_bias), graph.get_layer(convolutions[layer.name]))
    return folded


def is_plain(model: keras.Model) -> bool:
    """Whether `fold_batch_norm` would change nothing."""
    return all(
        _plain_kind(layer) is type(layer) and not isinstance(layer, keras.layers.BatchNormalization)
        for layer in model.layers
    )


def _graph(model: keras.Model) -> keras.Model:
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    try:
        # Uncompiled: a clone of a compiled model would be compiled, too.
        graph = keras.Model(model.input, model.output, name=model.name)
    except (AttributeError, ValueError):
        graph = None
    # A model whose layers are no graph is a single layer of this one.
    if graph is None or any(layer is model for layer in graph.layers):
        raise ValueError(
            "`model` must be a functional or sequential model, whose layers are a graph. "
            f"Received: model={model}"
        )
    return graph


def _new_inputs(graph: keras.Model) -> Any:
    # Left to itself, cloning names the inputs anew where the caller did not.
    names = {
        id(layer.output): layer.name
        for layer in graph.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    return keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=names[id(x)]), graph.input
    )


def _foldable(graph: keras.Model) -> dict[str, str]:
    """Returns the convolution before every batch normalisation that can be folded, by names."""
    config = graph.get_config()
    sources = {
        layer["name"]: [list(_tensors(node)) for node in layer["inbound_nodes"]]
        for layer in config["layers"]
    }
    used = [name for nodes in sources.values() for node in nodes for name in node]
    used += [name for name, *_ in _histories(config["output_layers"])]
    found = {}
    for name, nodes in sources.items():
        if len(nodes) != 1 or len(nodes[0]) != 1:
            continue
        before = nodes[0][0]
        once = used.count(before) == len(sources[before]) == 1
        if once and _can_fold(graph.get_layer(before), graph.get_layer(name)):
            found[name] = before
    return found


def _tensors(value: Any) -> Iterator[str]:
    """Yields the name of the layer behind every tensor in the configuration of a call."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]["keras_history"][0]
        else:
            for inner in value.values():
                yield from _tensors(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _tensors(inner)


def _histories(value: Any) -> Iterator[list]:
    """Yields every [layer, node, tensor] in a structure of them."""
    if isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[0], str):
        yield list(value)
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _histories(inner)


def _can_fold(before: Any, norm: Any) -> bool:
    if type(before) not in _CONVOLUTIONS:
        return False
    if not isinstance(norm, keras.layers.BatchNormalization):
        return False
    axes = (-1, 3) if before.data_format == "channels_last" else (1, -3)
    return norm.axis in axes and before.activation is keras.activations.linear


def _fold(layer: Any, has_bias: bool, norm: Any) -> None:
    """Scales the kernel of `layer` in place, without a third copy of it."""

    def values(variable: Any, otherwise: float) -> np.ndarray:
        if variable is None:
            return np.full(norm.moving_mean.shape, otherwise)
        return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)

    kernel, bias = layer.weights
    variance = values(norm.moving_variance, 1.0)
    scale = values(norm.gamma, 1.0) / np.sqrt(variance + norm.epsilon)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        factors = scale[:, None]
    else:  # Of a `DenseMap`, every element of the map has all channels.
        factors = np.tile(scale, kernel.shape[-1] // len(scale))
    kernel.assign(kernel * keras.ops.cast(factors, kernel.dtype))
    shift = (values(bias, 0.0) if has_bias else 0.0) - values(norm.moving_mean, 0.0)
    bias.assign(shift * scale + values(norm.beta, 0.0))


def _plain_kind(layer: Any) -> type[keras.layers.Layer]:
    """Returns the class of the plain layer, the layer's own where that is the fastest."""
    if _maps_densely(layer):
        return DenseMap
    return keras.layers.Conv2D if _keeps_size(layer) else type(layer)


def _plain_layer(layer: Any, with_bias: bool) -> keras.layers.Layer:
    """Returns the plain layer without its weights; `with_bias` adds a bias where there is none."""
    kind, config = _plain_kind(layer), layer.get_config()
    common = {name: config[name] for name in ("name", "trainable", "dtype")}
    if kind is DenseMap:
        rows, columns, filters = layer._inbound_nodes[0].outputs[0].shape[1:]
        size = {"rows": rows, "columns": columns, "filters": filters}
        config = {**common, **size, **{name: config[name] for name in ("use_bias", "activation")}}
    elif kind is not type(layer):
        config = {**common, **{name: config[name] for name in _SETTINGS}}
    if with_bias:
        config["use_bias"] = True
    # `_plain_weights` merges what LoRA added.
    config = {name: value for name, value in config.items() if not name.startswith("lora_")}
    if "kernel" in (getattr(weight, "name", "") for weight in layer.weights):
        # The weights follow; drawing 250 million random numbers first takes seconds and gigabytes.
        config["kernel_initializer"] = "zeros"
    return kind.from_config(config)


def _plain_weights(layer: Any) -> list[Any]:
    """Returns the weights of the plain layer: its kernel, and its bias where there is one."""
    kind = _plain_kind(layer)
    # Not `layer.weights`, where the kernel is without what LoRA added.
    kernel = ops.convert_to_tensor(layer.kernel)
    bias = [] if layer.bias is None else [layer.bias]
    if kind is type(layer):
        return [kernel, *bias]
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)
    if kind is not DenseMap:
        # A transposed convolution is the correlation with the rotated kernel.
        return [ops.transpose(ops.flip(kernel, (0, 1)), (0, 1, 3, 2)), *bias]
    inputs = kernel.shape[3] if transposed else math.prod(kernel.shape[:3])
    rows = ops.transpose(kernel, (3, 0, 1, 2)) if transposed else kernel
    return [ops.reshape(rows, (inputs, -1)), *bias]


def _maps_densely(layer: Any) -> bool:
    if type(layer) not in (keras.layers.Conv2D, keras.layers.Conv2DTranspose):
        return False
    if layer.data_format != "channels_last" or layer.dilation_rate != (1, 1):
        return False
    # All its calls, those in other models too.
    shapes = {
        (node.input_tensors[0].shape[1:3], node.outputs[0].shape[1:3])
        for node in layer._inbound_nodes
    }
    if len(shapes) != 1:
        return False
    taken, made = shapes.pop()
    if type(layer) is keras.layers.Conv2DTranspose:
        return taken == (1, 1) and made == layer.kernel_size
    return made == (1, 1) and taken == layer.kernel_size and layer.groups == 1


def _keeps_size(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.Conv2DTranspose
        and layer.strides == (1, 1)
        and layer.padding == "same"
        and all(side % 2 for side in layer.kernel_size)
    )
