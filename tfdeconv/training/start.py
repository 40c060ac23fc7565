"""The model that a stage starts from: a new network, or one that was trained before."""

import copy
import os
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.layers import RequireSize
from tfdeconv.models import build, class_names, load_model, takes
from tfdeconv.training.recipes import Recipe
from tfdeconv.training.stages import NETWORK
from tfdeconv.training.transfer import copy_weights


def starting_model(
    recipe: Recipe,
    names: tuple[str, ...],
    init: keras.Model | None,
    policy: str,
    network: str = NETWORK,
) -> keras.Model:
    """Returns the uncompiled model that training begins with.

    Args:
        recipe: Gives size and width of a new network; networks that see whole images take any size.
        names: Class names of the data.
        init: A model to start from (see `load_init`), None for random weights.
        policy: Keras dtype policy, "float32", "mixed_bfloat16" or "mixed_float16".
        network: Name of the network. DeconvNet, and any other from a model of its own kind and
            classes, goes on with `init` itself; else with those of its weights that it has a place
            for.

    Returns:
        The model; its optimizer is always fresh, as in the release.

    Raises:
        UserError: when the network cannot take windows of the recipe's size, or has no layer in
            common with `init`.
    """
    # A width that was rounded to whole channels is not known exactly: the network itself is.
    if init is not None and (network == NETWORK or _same(init, network, names)):
        _check_size(init, recipe.input_size)
        return _with_policy(init, policy)
    options = _of_deconvnet(recipe) if network == NETWORK else _of_whole_images(recipe, network)
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = build(
            network, num_classes=len(names), width=recipe.width, class_names=names, **options
        )
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(keras.ops.full_like(layer.beta, recipe.first_shift))
    _check_size(model, recipe.input_size)
    if init is not None:
        copy_weights(init, model)
    return model


def _same(init: keras.Model, network: str, names: tuple[str, ...]) -> bool:
    return init.name == network and class_names(init) == names and len(init.outputs) == 1


def _check_size(model: keras.Model, size: int) -> None:
    for layer in model.layers:
        if isinstance(layer, RequireSize) and (size % layer.multiple or size < max(layer.minimum)):
            nearest = max(round(size / layer.multiple) * layer.multiple, *layer.minimum)
            raise UserError(
                f"`input_size` must be a multiple of {layer.multiple} for {model.name}, at least "
                f"{max(layer.minimum)}. Received: input_size={size}. The nearest is {nearest}."
            )


def _of_deconvnet(recipe: Recipe) -> dict[str, Any]:
    deviation = recipe.deconv_deviation
    gaussian = None if deviation is None else keras.initializers.RandomNormal(stddev=deviation)
    return {
        "input_shape": (recipe.input_size, recipe.input_size, 3),
        "deconv_initializer": gaussian,
        "fc6_kernel": recipe.fc6_kernel,
    }


def _of_whole_images(recipe: Recipe, network: str) -> dict[str, Any]:
    wanted = {"batch_norm": recipe.batch_norm, "auxiliary": recipe.head_weight > 0}
    return {name: value for name, value in wanted.items() if takes(network, name)}


def load_init(
    init: str | os.PathLike[str], names: tuple[str, ...], network: str = NETWORK
) -> keras.Model:
    """Opens the model that a training starts from.

    Args:
        init: A run folder or `.keras` file.
        names: Class names of the data.
        network: Name of the network to train.

    Returns:
        The model.

    Raises:
        UserError: when it cannot be opened or, with DeconvNet, is made for other classes.
    """
    model = load_model(init)
    if network != NETWORK:
        return model
    found = class_names(model)
    if model.output_shape[-1] != len(names) or (found is not None and found != names):
        raise UserError(
            f"`{init}` must be trained for the classes of the data, {', '.join(names)}. "
            f"Received: {', '.join(found or ())} ({model.output_shape[-1]} classes)"
        )
    return model


def mixed_policy() -> str:
    """Returns the half precision policy of this machine: float16 on GPUs without bfloat16."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0,))
        if capability[0] < 8:
            return "mixed_float16"
    return "mixed_bfloat16"


def _with_policy(model: keras.Model, policy: str) -> keras.Model:
    main = model.get_layer(index=len(model.layers) // 2).dtype_policy.name
    if main == policy:
        return model
    converted = type(model).from_config(_renamed(copy.deepcopy(model.get_config()), main, policy))
    converted.set_weights(model.get_weights())
    return converted


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        if value.get("class_name") == "DTypePolicy" and value["config"]["name"] == old:
            value["config"]["name"] = new
        for inner in value.values():
            _renamed(inner, old, new)
    elif isinstance(value, list | tuple):
        for inner in value:
            _renamed(inner, old, new)
    return value
