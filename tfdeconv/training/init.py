"""What a training starts from: random weights, those of Caffe or ImageNet, or a trained network."""

import copy
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.layers import Preprocess, RequireSize
from tfdeconv.models import SegmentationModel, build, class_names, load_model, takes, width_of
from tfdeconv.models.base import check_classes
from tfdeconv.models.saved import is_whole_h5
from tfdeconv.training.recipes import DECONVNET, Recipe
from tfdeconv.weights import Report, load_caffemodel, load_encoder, read_caffemodel
from tfdeconv.weights.classifiers import HDF5, STATE_DICTS, is_classifier
from tfdeconv.weights.folding import fold_batch_norm
from tfdeconv.weights.imagenet import IMAGENET
from tfdeconv.weights.mapping import renamed

CAFFEMODEL = ".caffemodel"
_SUMS = (keras.layers.Add, keras.layers.Average, keras.layers.Maximum)
# The weights of `fc7` depend on those of `fc6`, whose kernel differs between input sizes.
_DEPENDS_ON = {"fc7": "fc6"}


def load_init(
    init: str | os.PathLike[str],
    network: str,
    recipe: Recipe,
    names: tuple[str, ...],
    seed: int,
) -> keras.Model:
    """Opens what a training starts from.

    Args:
        init: A run folder or a `.keras` file; or weights: `"imagenet"` for the VGG-16 or ResNet of
            `keras.applications`, a file of them (`tfdeconv.weights.read_classifier`), or a
            .caffemodel, of VGG-16 or of the network itself as training left it. Which layers are
            loaded from weights is printed.
        network: Name of the network to train.
        recipe: Gives size and width of the network that weights are loaded into.
        names: Class names of the data. The head starts from random weights if a .caffemodel has
            another number of classes.
        seed: Decides the weights that are not loaded.

    Returns:
        A model for `starting_model`.

    Raises:
        UserError: when the weights are missing or do not fit, or a DeconvNet has other classes.
    """
    saved = None if _holds_weights(init) else load_model(init)
    if saved is None or is_classifier(saved):
        keras.utils.set_random_seed(seed)
        model = starting_model(network, recipe, names)
        report = _load_weights(model, init if saved is None else saved)
        print(f"{os.fspath(init)}: {report}", flush=True)
        for note in report.notes:
            print(f"warning: {note}", flush=True)
        return model
    model, found = saved, class_names(saved)
    fits = model.output_shape[-1] == len(names) and found in (None, names)
    if network == DECONVNET and not fits:
        raise UserError(
            f"`{init}` must be trained for the classes of the data, {', '.join(names)}. "
            f"Received: {model.output_shape[-1]} classes, {', '.join(found or ('unnamed',))}. "
            "Start from a stage 1 of the same classes."
        )
    return model


def _holds_weights(init: str | os.PathLike[str]) -> bool:
    suffix = Path(init).suffix
    if suffix in HDF5:
        return not is_whole_h5(Path(init))
    return init == IMAGENET or suffix in (CAFFEMODEL, *STATE_DICTS)


def _load_weights(model: keras.Model, init: str | os.PathLike[str] | keras.Model) -> Report:
    if isinstance(init, keras.Model) or not os.fspath(init).endswith(CAFFEMODEL):
        return load_encoder(model, init)
    found = renamed(read_caffemodel(init))
    if all(layer.name in found for layer in model.layers if layer.weights):
        # A training goes on from the files of a training; folded statistics cannot be trained.
        return load_caffemodel(model, init, folded=False, new_head=True)
    return load_encoder(model, init)


def fitted_recipe(
    recipe: Recipe, network: str, init: keras.Model, changes: dict[str, Any]
) -> Recipe:
    """Returns the recipe with the width, and for DeconvNet the size, of what training starts from.

    Raises:
        UserError: when `changes` asks for others, or the network is not one of this package.
    """
    width = width_of(init)
    if width is None:
        raise UserError(
            "The initial model must be a network of this package or have an encoder like "
            f"VGG-16. Received: {init.name}, whose first convolution is not `conv1_1`."
        )
    found: dict[str, Any] = {"width": width}
    if network == DECONVNET:
        found["input_size"] = init.input_shape[1]
    for name, value in found.items():
        if changes.get(name) not in (None, value):
            raise UserError(
                f"`{name}` must be that of the initial model, {value}. Received: "
                f"{name}={changes[name]}. Omit it."
            )
    return dataclasses.replace(recipe, **found)


def starting_model(
    network: str,
    recipe: Recipe,
    names: tuple[str, ...],
    init: keras.Model | None = None,
    policy: str = "float32",
) -> keras.Model:
    """Returns the uncompiled model that a training begins with.

    Args:
        network: Name of the network. DeconvNet, and any other network from a model of its own kind
            and classes, continues with `init` itself; else a new network gets the weights of
            `init` that it has layers for, see `copy_weights`.
        recipe: Gives size and width of a new network; networks that run on full images take images
            of any size.
        names: Class names of the data.
        init: A model from `load_init`, None for random weights.
        policy: Keras dtype policy, "float32", "mixed_bfloat16" or "mixed_float16".

    Raises:
        UserError: when the network cannot take windows of the recipe's size, or has no layer in
            common with `init`.
    """
    # A width that was rounded to whole channels is not known exactly, so the model itself is used.
    if init is not None and (network == DECONVNET or _continues(init, network, names)):
        _check_size(init, recipe.input_size)
        return _with_policy(init, policy)
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = build(
            network,
            num_classes=len(names),
            width=recipe.width,
            class_names=names,
            **_options(network, recipe),
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


def _continues(init: keras.Model, network: str, names: tuple[str, ...]) -> bool:
    return init.name == network and class_names(init) == names and len(init.outputs) == 1


def _check_size(model: keras.Model, size: int) -> None:
    for layer in model.layers:
        if isinstance(layer, RequireSize) and (size % layer.multiple or size < max(layer.minimum)):
            nearest = max(round(size / layer.multiple) * layer.multiple, *layer.minimum)
            raise UserError(
                f"`input_size` must be a multiple of {layer.multiple} for {model.name}, at least "
                f"{max(layer.minimum)}. Received: input_size={size}. The nearest is {nearest}."
            )


def _options(network: str, recipe: Recipe) -> dict[str, Any]:
    if network == DECONVNET:
        deviation = recipe.deconv_deviation
        gaussian = None if deviation is None else keras.initializers.RandomNormal(stddev=deviation)
        return {
            "input_shape": (recipe.input_size, recipe.input_size, 3),
            "deconv_initializer": gaussian,
            "fc6_kernel": recipe.fc6_kernel,
        }
    options = {"batch_norm": recipe.batch_norm, "auxiliary": recipe.head_weight > 0}
    return {name: value for name, value in options.items() if takes(network, name)}


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
    config = copy.deepcopy(model.get_config())
    for layer in config["layers"]:
        dtype = layer["config"].get("dtype")
        if isinstance(dtype, dict) and dtype["config"]["name"] == main:
            dtype["config"]["name"] = policy
    converted = type(model).from_config(config)
    converted.set_weights(model.get_weights())
    return converted


def copy_weights(source: keras.Model, target: keras.Model) -> tuple[str, ...]:
    """Copies the weights of all layers that two networks have in common by name and shape.

    So FCN-16s continues from FCN-32s and FCN-8s from FCN-16s, as in the release, and each of them
    from a VGG-16. Batch normalisation that the target does not have is folded into the convolutions
    first: an FCN also takes the encoder of a DeconvNet. The mean of the preprocessing is copied.
    Other layers keep their weights, and so do the layers that score the classes when the networks
    have other classes.

    Args:
        source: The trained network.
        target: The network to fill.

    Returns:
        The names of the layers that were filled, in the order of the target.

    Raises:
        UserError: when the networks have no layer in common.

    Example:

    >>> from tfdeconv.models import FCN16s, FCN32s
    >>> coarse, fine = FCN32s(3, width=1 / 64), FCN16s(3, width=1 / 64)
    >>> copy_weights(coarse, fine)[-3:]
    ('fc6', 'fc7', 'score_fr')
    """
    if _normalises(source) and not _normalises(target):
        source = fold_batch_norm(source)
    same_classes = class_names(source) in (None, class_names(target))
    new = set() if same_classes else _head_layers(target)
    sources = {layer.name: layer for layer in source.layers}
    filled: list[str] = []
    for layer in target.layers:
        weights = sources[layer.name].get_weights() if layer.name in sources else []
        shapes = [value.shape for value in layer.get_weights()]
        wanted = layer.name not in new and _DEPENDS_ON.get(layer.name, "") in ("", *filled)
        if shapes and wanted and shapes == [value.shape for value in weights]:
            layer.set_weights(weights)
            filled.append(layer.name)
        elif isinstance(layer, Preprocess) and isinstance(sources.get(layer.name), Preprocess):
            layer.mean = sources[layer.name].mean
    if not filled:
        raise UserError(
            f"The initial model must share layers of the same names and shapes with {target.name}. "
            f"Received: {source.name}, which shares none. Start from a network of this package of "
            "the same width."
        )
    return tuple(filled)


def _normalises(model: keras.Model) -> bool:
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


def replace_head(
    model: keras.Model, num_classes: int, class_names: tuple[str, ...] | None = None
) -> tuple[keras.Model, Report]:
    """Returns the network for other classes, with the weights of all layers but the head.

    The head is every layer whose channels are classes: the convolutions that compute the scores,
    all of them where scores are added, and the deconvolutions that upsample scores. It is
    initialized anew. All other layers keep shapes and weights, also those that happen to have as
    many channels as there were classes, and frozen layers stay frozen.

    Args:
        model: A functional model from images to scores, of `tfdeconv.models` or any other. It is
            not changed, and the new model shares no weights with it.
        num_classes: Number of classes, 2 to 255, the background included.
        class_names: Their names in the order of the labels, saved with the model.

    Returns:
        The new model, not compiled, and the `Report`: `loaded` has the layers that keep their
        weights, `kept` those of the new head.

    Raises:
        ValueError: when the number and the names of the classes do not fit.
        UserError: when the scores do not come from a convolution.

    Example:

    >>> from tfdeconv.models import FCN32s
    >>> model, report = replace_head(FCN32s(21, width=1 / 64), 3, ("ground", "tree", "sky"))
    >>> model.output_shape, report.kept
    ((None, None, None, 3), ('score_fr', 'upscore'))
    """
    check_classes(num_classes, class_names)
    head = _head_layers(model)
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
    replaced = type(model).from_config(config)
    for layer in replaced.layers:
        if layer.name not in head:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    with_weights = [layer.name for layer in replaced.layers if layer.weights]
    return replaced, Report(
        loaded=tuple(name for name in with_weights if name not in head),
        kept=tuple(name for name in with_weights if name in head),
    )


def _head_layers(model: keras.Model) -> set[str]:
    return {name for output in model.outputs for name in _head(output)}


def _head(tensor: Any) -> Iterator[str]:
    """Yields the names of the layers that determine the number of channels of a tensor."""
    layer = tensor._keras_history.operation
    inputs = layer._inbound_nodes[tensor._keras_history.node_index].input_tensors
    if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
        yield layer.name
        upsamples = isinstance(layer, keras.layers.Conv2DTranspose) and max(layer.strides) > 1
        if upsamples and inputs[0].shape[-1] == layer.filters:
            yield from _head(inputs[0])
    elif layer.weights or not inputs or inputs[0].shape[-1] != tensor.shape[-1]:
        raise UserError(
            "The scores of a network must come from a convolution for its head to be replaced. "
            f"Received: layer {layer.name!r} ({type(layer).__name__}). Build the network for the "
            "new classes and copy the weights of its layers."
        )
    else:
        # A second input, such as the map to whose size a layer crops, has other channels.
        for source in inputs if isinstance(layer, _SUMS) else inputs[:1]:
            yield from _head(source)


def make_ready(model: keras.Model) -> None:
    """Creates the variables of optimizer, losses and metrics of a compiled model.

    Without it `fit` creates them while it traces a step: TensorFlow traces such a step twice, and
    creates variables in a graph much more slowly, together 20 s for DeconvNet.

    Args:
        model: From images to scores, with one or more outputs that have labels each. Its weights,
            and variables that exist already, are not changed.

    Example:

    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 1)])
    >>> model.compile("sgd", loss="sparse_categorical_crossentropy")
    >>> make_ready(model)
    >>> model.optimizer.built
    True
    """
    model.optimizer.build(model.trainable_variables)
    # The sides do not matter; the number of classes does, and is always known.
    images, *scores = (
        np.ones([side or 1 for side in tensor.shape], np.float32)
        for tensor in (model.inputs[0], *model.outputs)
    )
    labels = [np.zeros(one.shape[:-1], np.uint8) for one in scores]
    y, y_pred = (labels, scores) if len(scores) > 1 else (labels[0], scores[0])
    model.compute_loss(images, y, y_pred)
    model.compute_metrics(images, y, y_pred)
    model.reset_metrics()
