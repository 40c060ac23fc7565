"""LiteRT (formerly TensorFlow Lite): a .tflite file from one crop to its scores."""

import os
import tempfile
import zipfile
from pathlib import Path

import keras
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.export.portable_network import CROPS, SCORES, portable_network, require_suffix
from tfdeconv.files import cannot_write, replacing
from tfdeconv.layers.choice import portable_ops
from tfdeconv.models import class_names

SIGNATURE = "regions"
LABELS = "labels.txt"
QUANTIZATIONS = (None, "dynamic")


def export_litert(
    model: keras.Model,
    file: str | os.PathLike[str],
    quantize: str | None = None,
    input_size: int | None = None,
) -> Path:
    """Writes a network as a .tflite file that every LiteRT runtime can run.

    It holds the signature `regions`: `crops` float32 `(1, size, size, 3)` RGB in [0, 255] to
    `scores` float32 `(1, rows, columns, classes)` before softmax, in LiteRT's own operations: no
    TensorFlow ("Flex") is needed. Batch normalisation is folded, and everything is computed in
    float32 whatever the policy of the model.

    Class names lie in the file as `labels.txt`, one a line, where LiteRT's metadata has associated
    files: in a ZIP archive behind the model. `unzip -p FILE labels.txt` shows them.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores.
        file: File to write; it ends in .tflite.
        quantize: None for float32 weights; `"dynamic"` for int8 weights and activations that are
            quantised as they come (dynamic range), a quarter of the bytes and not the same scores.
        input_size: side of the crops in pixels, for a network of every size.

    Returns:
        The path of the file.

    Raises:
        UserError: when the model cannot be converted or the file cannot be written; in both cases
            nothing is left behind.
        ValueError: when `quantize` is something else.

    Example:

    >>> from tfdeconv.layers import Scores
    >>> layers = [keras.layers.Conv2D(2, 3, padding="same"), Scores(("ground", "tree"))]
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    >>> file = export_litert(model, tempfile.mkdtemp() + "/regions.tflite")
    >>> zipfile.ZipFile(file).read("labels.txt").decode().split()
    ['ground', 'tree']
    """
    if quantize not in QUANTIZATIONS:
        raise ValueError(f"`quantize` must be one of {QUANTIZATIONS}. Received: {quantize!r}")
    target = require_suffix(file, ".tflite")
    converted = _convert(model, quantize, input_size)
    names = class_names(model)
    with replacing(target) as beside:
        beside.write_bytes(converted)
        if names is not None:
            with zipfile.ZipFile(beside, "a") as archive:
                # With the date of 1980 that ZipInfo has, the same model gives the same bytes.
                archive.writestr(zipfile.ZipInfo(LABELS), "\n".join(names) + "\n")
    return target


def _convert(model: keras.Model, quantize: str | None, input_size: int | None) -> bytes:
    network, side = portable_network(model, input_size)

    def regions(crops: tf.Tensor) -> dict[str, tf.Tensor]:
        # Here, because a function is not always traced where it is handed over.
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
        return _run(converter, model)


def _run(converter: tf.lite.TFLiteConverter, model: keras.Model) -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        return converter.convert()
    except ConverterError as error:
        # By default it allows LiteRT's built-in operations only.
        names = {one.operator.name.removeprefix("tf.") for one in getattr(error, "errors", ())}
        reason = ", ".join(sorted(filter(None, names))) or str(error).splitlines()[0]
        raise UserError(
            f"The model `{model.name}` must consist of operations that LiteRT has. Received: "
            f"{reason}. Replace them, or export a SavedModel."
        ) from error
