"""The network as it is run for inference: folded, and computing in the type asked for."""

from collections.abc import Iterator
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.layers import DenseMap
from tfdeconv.segmentation.precision import chosen_precision
from tfdeconv.weights import fold_batch_norm, is_plain

# Weights that are only multiplied can be stored as they are used. Others, such as the statistics of
# a batch normalisation, are used in float32 whatever the layer computes in.
_STORED_IN_HALF = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
    DenseMap,
)


def inference_network(model: keras.Model, precision: str | None = None) -> keras.Model:
    """Returns the network for inference: a copy with the weights of now, or the model itself.

    Args:
        model: Any Keras model from images to scores.
        precision: what its layers compute in (`tfdeconv.segmentation.precision`); None leaves
            them as they are. In half precision the kernels of convolutions are stored in it, too,
            at half the size.

    Returns:
        A model with the same scores: folded (`tfdeconv.weights.fold_batch_norm`) where it is built
        of the layers of Keras and tfdeconv, and otherwise as it is, where it computes in
        `precision` already.

    Raises:
        ValueError: when `precision` is none of them.
        UserError: when the model computes in another type and cannot be rebuilt.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> network = inference_network(DeconvNet(2, (32, 32, 3), width=1 / 32), "bfloat16")
    >>> network.get_layer("conv1_1").kernel.dtype, "bn1_1" in [one.name for one in network.layers]
    ('bfloat16', False)
    """
    if _is_known(model) and not is_plain(model):
        model = fold_batch_norm(model)
    if precision is None:
        return model
    precision = chosen_precision(precision)
    computing = {layer.compute_dtype for layer in _leaves(model) if layer.weights}
    return model if computing <= {precision} else _rebuilt(model, precision)


def _leaves(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _is_known(model: keras.Model) -> bool:
    layers = (type(layer).__module__.split(".")[0] for layer in (model, *model.layers))
    return set(layers) <= {"keras", "tfdeconv"}


def _rebuilt(model: keras.Model, precision: str) -> keras.Model:
    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if precision == "float32" or isinstance(layer, _STORED_IN_HALF):
            config["dtype"] = precision
        else:
            config["dtype"] = f"mixed_{precision}"
        if "kernel_initializer" in config:
            # The weights follow; drawing 250 million random numbers takes seconds.
            config["kernel_initializer"] = "zeros"
        return type(layer).from_config(config)

    try:
        # Uncompiled: a clone of a compiled model would be compiled, too.
        graph = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
        rebuilt = keras.models.clone_model(graph, clone_function=clone, recursive=True)
        rebuilt.set_weights(graph.get_weights())
    except (AttributeError, ValueError, TypeError, NotImplementedError) as error:
        raise UserError(
            f"The model `{model.name}` must be a graph of layers that can be rebuilt, to compute "
            f"in {precision}. Received: {error}. Build it in {precision} before the export."
        ) from error
    return rebuilt
