"""ONNX: an .onnx file from any number of crops to their scores."""

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.export.portable_network import CROPS, SCORES, portable_network, require_suffix
from tfdeconv.files import replacing
from tfdeconv.layers.choice import portable_ops
from tfdeconv.models import class_names

OPSET = 18
CLASS_NAMES = "class_names"


def export_onnx(
    model: keras.Model, file: str | os.PathLike[str], input_size: int | None = None
) -> Path:
    """Writes a network as an .onnx file.

    It maps `crops` float32 `(batch, size, size, 3)` RGB in [0, 255] to `scores` float32
    `(batch, rows, columns, classes)` before softmax, for every batch. Batch normalisation is
    folded, and everything is computed in float32 whatever the policy of the model. Class names, in
    the order of the labels, are a JSON list in the file's metadata under `class_names`.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores.
        file: File to write; it ends in .onnx.
        input_size: side of the crops in pixels, for a network of every size.

    Returns:
        The path of the file.

    Raises:
        UserError: when tf2onnx is not installed, the model cannot be converted or the file cannot
            be written; nothing is left behind.

    Example:

    >>> import onnxruntime  # doctest: +SKIP
    >>> file = export_onnx(model, "regions.onnx")  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(file)  # doctest: +SKIP
    >>> (scores,) = session.run(["scores"], {"crops": crops})  # doctest: +SKIP
    """
    target = require_suffix(file, ".onnx")
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise UserError(
            f"To write ONNX, the packages tf2onnx and onnx must be installed. Received: {error}. "
            'Install them with `pip install "tfdeconv[onnx]"`.'
        ) from error
    network, side = portable_network(model, input_size)
    kernels = [variable for variable in network.variables if len(variable.shape) > 1]
    inputs = [
        tf.TensorSpec((None, side, side, 3), tf.float32, CROPS),
        *(tf.TensorSpec(one.shape, one.dtype, f"kernel_{i}") for i, one in enumerate(kernels)),
    ]
    graph = tf.function(_regions(network, kernels), input_signature=inputs)
    converted, _ = tf2onnx.convert.from_function(graph, inputs, opset=OPSET)
    _put_in(
        converted, {spec.name: kernel for spec, kernel in zip(inputs[1:], kernels, strict=True)}
    )
    _describe(converted, class_names(model))
    try:
        # The converter passes over what it does not know.
        onnx.checker.check_model(converted)
    except onnx.checker.ValidationError as error:
        raise UserError(
            f"The model `{model.name}` must consist of operations that ONNX has. Received: "
            f"{str(error).splitlines()[0]}. Replace them, or export a SavedModel."
        ) from error
    with replacing(target) as beside:
        beside.write_bytes(converted.SerializeToString())
    return target


def _regions(network: keras.Model, kernels: list[keras.Variable]) -> Any:
    # Kernels are inputs here: tf2onnx copies constants some fifty times, and those of a full-size
    # network fill more memory than machines have.
    def regions(crops: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        given = {id(kernel): value for kernel, value in zip(kernels, values, strict=True)}
        trainable, others = (
            [given.get(id(variable), variable.value) for variable in variables]
            for variables in (network.trainable_variables, network.non_trainable_variables)
        )
        with portable_ops():
            scores, _ = network.stateless_call(trainable, others, crops, training=False)
        return {SCORES: scores}

    return regions


def _put_in(converted: Any, kernels: dict[str, keras.Variable]) -> None:
    """Makes inputs of the graph what they stand for, already transposed as ONNX needs them."""
    from onnx import numpy_helper

    graph = converted.graph
    kept = [value for value in graph.input if value.name not in kernels]
    readers: dict[str, list[Any]] = {name: [] for name in kernels}
    for node in graph.node:
        for name in set(node.input) & set(readers):
            readers[name].append(node)
    done = []
    for name, nodes in readers.items():
        value = keras.ops.convert_to_numpy(kernels[name])
        if len(nodes) == 1 and nodes[0].op_type == "Transpose":
            value = value.transpose(list(nodes[0].attribute[0].ints))
            name = nodes[0].output[0]
            done.append(nodes[0])
        if nodes:
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    for node in done:
        graph.node.remove(node)
    del graph.input[:]
    graph.input.extend(kept)


def _describe(converted: Any, names: tuple[str, ...] | None) -> None:
    for value in (*converted.graph.input, *converted.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    if names is not None:
        entry = converted.metadata_props.add()
        entry.key, entry.value = CLASS_NAMES, json.dumps(names, ensure_ascii=False)
