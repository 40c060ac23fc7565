"""Layers that compute as another, plainer layer does in less time: which, and with what weights."""

import math
from typing import Any

import keras
from keras import ops

from tfdeconv.layers import DenseMap

_CONVOLUTION = (
    *("filters", "kernel_size", "padding", "data_format"),
    *("dilation_rate", "use_bias", "activation"),
)


def plain_kind(layer: Any) -> type[keras.layers.Layer]:
    """Returns the kind of layer that gives what this one gives, in the least time.

    Returns:
        `DenseMap` for a convolution whose kernel covers its whole input, and for a transposed one
        of a single element; `keras.layers.Conv2D` for a transposed convolution of stride 1 that
        keeps the size; otherwise the layer's own kind.
    """
    if _maps_densely(layer):
        return DenseMap
    return keras.layers.Conv2D if _keeps_size(layer) else type(layer)


def plain_layer(layer: Any, with_bias: bool) -> keras.layers.Layer:
    """Returns a new layer of the plain kind, without the weights.

    Args:
        layer: a layer, built.
        with_bias: whether the new one has a bias even where this one has none.
    """
    kind, config = plain_kind(layer), layer.get_config()
    common = {name: config[name] for name in ("name", "trainable", "dtype")}
    if kind is DenseMap:
        rows, columns, filters = layer._inbound_nodes[0].outputs[0].shape[1:]
        size = {"rows": rows, "columns": columns, "filters": filters}
        config = {**common, **size, **{name: config[name] for name in ("use_bias", "activation")}}
    elif kind is not type(layer):
        config = {**common, **{name: config[name] for name in _CONVOLUTION}}
    if with_bias:
        config["use_bias"] = True
    # `plain_weights` merges what LoRA added.
    config = {name: value for name, value in config.items() if not name.startswith("lora_")}
    if "kernel" in (getattr(weight, "name", "") for weight in layer.weights):
        # The weights follow; drawing 250 million random numbers first takes seconds and gigabytes.
        config["kernel_initializer"] = "zeros"
    return kind.from_config(config)


def plain_weights(layer: Any) -> list[Any]:
    """Returns the weights of the plain layer of a convolution: its kernel and perhaps its bias."""
    kind = plain_kind(layer)
    # Not `layer.weights`, where the kernel is without what LoRA added.
    kernel = ops.convert_to_tensor(layer.kernel)
    bias = [] if layer.bias is None else [layer.bias]
    if kind is type(layer):
        return [kernel, *bias]
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)
    if kind is not DenseMap:
        # What a stamped kernel adds up to is the correlation with the turned kernel.
        return [ops.transpose(ops.flip(kernel, (0, 1)), (0, 1, 3, 2)), *bias]
    inputs = kernel.shape[3] if transposed else math.prod(kernel.shape[:3])
    rows = ops.transpose(kernel, (3, 0, 1, 2)) if transposed else kernel
    return [ops.reshape(rows, (inputs, -1)), *bias]


def _maps_densely(layer: Any) -> bool:
    if type(layer) not in (keras.layers.Conv2D, keras.layers.Conv2DTranspose):
        return False
    if layer.data_format != "channels_last" or layer.dilation_rate != (1, 1):
        return False
    # All its uses, those in other models too: `layer.input` refuses to speak for several.
    shapes = {
        (node.input_tensors[0].shape[1:3], node.outputs[0].shape[1:3])
        for node in layer._inbound_nodes
    }
    if len(shapes) != 1:
        return False
    seen, made = shapes.pop()
    if type(layer) is keras.layers.Conv2DTranspose:
        return seen == (1, 1) and made == layer.kernel_size
    return made == (1, 1) and seen == layer.kernel_size and layer.groups == 1


def _keeps_size(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.Conv2DTranspose
        and layer.strides == (1, 1)
        and layer.padding == "same"
        and all(side % 2 for side in layer.kernel_size)
    )
