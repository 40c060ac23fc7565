"""Files for other runtimes: .tflite (LiteRT, formerly TensorFlow Lite) and .onnx.

Both hold the network alone, from crops of one size to scores, batch normalisation folded and in
float32 whatever the policy of the model.
"""

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.files import cannot_write, replacing
from tfdeconv.layers.pooling import portable_ops
from tfdeconv.models import class_names
from tfdeconv.segmentation.network import inference_network, sizes

CROPS, SCORES = "crops", "scores"
SIGNATURE = "regions"
LABELS, CLASS_NAMES = "labels.txt", "class_names"
QUANTIZATIONS = (None, "dynamic")
OPSET = 18


def export_litert(
    model: keras.Model,
    file: str | os.PathLike[str],
    quantize: str | None = None,
    input_size: int | None = None,
) -> Path:
    """Writes a network as a .tflite file, in LiteRT's own operations without TensorFlow's ("Flex").

    Its signature `regions` maps `crops` float32 `(1, size, size, 3)` RGB in [0, 255] to `scores`
    float32 `(1, rows, columns, classes)` before softmax. Class names are in `labels.txt`, one a
    line, in a ZIP archive appended to the model (LiteRT's associated files): `unzip -p FILE
    labels.txt` shows them.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores.
        file: File to write; it ends in .tflite.
        quantize: None for float32 weights; `"dynamic"` for int8 weights and activations quantised
            at run time (dynamic range): a quarter of the bytes, and other scores.
        input_size: side of the crops in pixels, for a network of every size.

    Returns:
        The path of the file.

    Raises:
        UserError: when the model cannot be converted or the file cannot be written.
        ValueError: when `quantize` is something else.

    Example:

    >>> from tfdeconv.layers import Logits
    >>> layers = [keras.layers.Conv2D(2, 3, padding="same"), Logits(("ground", "tree"))]
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    >>> file = export_litert(model, tempfile.mkdtemp() + "/regions.tflite")
    >>> zipfile.ZipFile(file).read("labels.txt").decode().split()
    ['ground', 'tree']
    """
    if quantize not in QUANTIZATIONS:
        raise ValueError(f"`quantize` must be one of {QUANTIZATIONS}. Received: {quantize!r}")
    target = _require_suffix(file, ".tflite")
    converted = _convert_to_litert(model, quantize, input_size)
    names = class_names(model)
    with replacing(target) as temporary:
        temporary.write_bytes(converted)
        if names is not None:
            with zipfile.ZipFile(temporary, "a") as archive:
                # With the date of 1980 that ZipInfo has, the same model gives the same bytes.
                archive.writestr(zipfile.ZipInfo(LABELS), "\n".join(names) + "\n")
    return target


def _convert_to_litert(model: keras.Model, quantize: str | None, input_size: int | None) -> bytes:
    network, side = _portable_network(model, input_size)

    def regions(crops: tf.Tensor) -> dict[str, tf.Tensor]:
        # Here, because a function is not always traced where it is passed on.
        with portable_ops():
            return {SCORES: network(crops, training=False)}

    # Some runtimes, above all those on phones, want every shape fixed: one crop at a time.
    inputs = [tf.TensorSpec((1, side, side, 3), tf.float32, CROPS)]
    archive = keras.export.ExportArchive()
    archive.add_endpoint(SIGNATURE, regions, inputs)
    # The converter takes names from a SavedModel only.
    with tempfile.TemporaryDirectory() as folder:
        try:
            archive.write_out(folder, verbose=False)
        except tf.errors.OpError as error:
            raise cannot_write(folder, OSError(error.message)) from error
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, [SIGNATURE])
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return _run_converter(converter, model)


def _run_converter(converter: tf.lite.TFLiteConverter, model: keras.Model) -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        return converter.convert()
    except ConverterError as error:
        # By default it allows LiteRT's built-in operations only.
        names = {one.operator.name.removeprefix("tf.") for one in getattr(error, "errors", ())}
        reason = ", ".join(sorted(filter(None, names))) or str(error).splitlines()[0]
        raise UserError(
            f"The model `{model.name}` uses operations that LiteRT does not support: {reason}. "
            "Replace them, or export a SavedModel."
        ) from error


def export_onnx(
    model: keras.Model, file: str | os.PathLike[str], input_size: int | None = None
) -> Path:
    """Writes a network as an .onnx file.

    It maps `crops` float32 `(batch, size, size, 3)` RGB in [0, 255] to `scores` float32
    `(batch, rows, columns, classes)` before softmax, for every batch. Class names are a JSON list
    in the file's metadata under `class_names`.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores.
        file: File to write; it ends in .onnx.
        input_size: side of the crops in pixels, for a network of every size.

    Returns:
        The path of the file.

    Raises:
        UserError: when tf2onnx is not installed, the model cannot be converted or the file cannot
            be written.

    Example:

    >>> import onnxruntime  # doctest: +SKIP
    >>> file = export_onnx(model, "regions.onnx")  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(file)  # doctest: +SKIP
    >>> (scores,) = session.run(["scores"], {"crops": crops})  # doctest: +SKIP
    """
    target = _require_suffix(file, ".onnx")
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise UserError(
            f"To write ONNX, the packages tf2onnx and onnx must be installed. Received: {error}. "
            'Install them with `pip install "tfdeconv[onnx]"`.'
        ) from error
    network, side = _portable_network(model, input_size)
    kernels = [variable for variable in network.variables if len(variable.shape) > 1]
    inputs = [
        tf.TensorSpec((None, side, side, 3), tf.float32, CROPS),
        *(tf.TensorSpec(one.shape, one.dtype, f"kernel_{i}") for i, one in enumerate(kernels)),
    ]
    graph = tf.function(_regions_of(network, kernels), input_signature=inputs)
    converted, _ = tf2onnx.convert.from_function(graph, inputs, opset=OPSET)
    _put_in_kernels(
        converted, {spec.name: kernel for spec, kernel in zip(inputs[1:], kernels, strict=True)}
    )
    _describe(converted, class_names(model))
    try:
        # The converter ignores operations that it does not know.
        onnx.checker.check_model(converted)
    except onnx.checker.ValidationError as error:
        raise UserError(
            f"The model `{model.name}` uses operations that ONNX does not support: "
            f"{str(error).splitlines()[0]}. Replace them, or export a SavedModel."
        ) from error
    with replacing(target) as temporary:
        temporary.write_bytes(converted.SerializeToString())
    return target


def _regions_of(network: keras.Model, kernels: list[keras.Variable]) -> Any:
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


def _put_in_kernels(converted: Any, kernels: dict[str, keras.Variable]) -> None:
    """Replaces inputs of the graph by constants, already transposed as ONNX needs them."""
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


def _portable_network(model: keras.Model, input_size: int | None) -> tuple[keras.Model, int]:
    """Returns the network to trace in `portable_ops`, and the side of its crops."""
    if keras.config.backend() != "tensorflow":
        raise UserError(
            "A network must be exported under Keras's TensorFlow backend. Received: "
            f"{keras.config.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    side = _side(model, input_size)
    network = inference_network(model, "float32")
    if network.input_shape[1] is None:
        _try_size(network, side)
    return network, side


def _require_suffix(path: str | os.PathLike[str], suffix: str) -> Path:
    # By it `tfdeconv verify` knows what is in the file.
    if Path(path).suffix != suffix:
        raise UserError(
            f"The file to write must end in {suffix}. Received: `{path}`. Choose another name."
        )
    return Path(path)


def _side(model: keras.Model, input_size: int | None) -> int:
    size, _ = sizes(model)
    side = input_size if size is None else size
    if side is None:
        raise UserError(
            "This network accepts any image size, but the file needs a fixed one. Received: none. "
            "Choose one, such as `--input-size 224`."
        )
    if input_size not in (None, side) or side < 1:
        raise UserError(
            f"The side of the crops must be {size or 'at least 1'}. Received: {input_size}. "
            "Leave out `--input-size`."
        )
    return side


def _try_size(network: keras.Model, side: int) -> None:
    try:
        network(tf.zeros((1, side, side, 3)), training=False)
    except ValueError as error:
        # Keras puts the reason below a line that names the layer.
        reason = " ".join(str(error).split()).removesuffix(".")
        raise UserError(
            "The side of the crops must be one that the network takes. Received: "
            f"{side}: {reason}. Choose another `--input-size`."
        ) from error
