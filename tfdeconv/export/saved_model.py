"""A SavedModel in a versioned folder, as TensorFlow Serving expects it: OUT/1, OUT/2, ...

A version is written beside and renamed, since the server loads whatever folder appears. Beside the
graph lies `assets.extra/tfdeconv.json`, which tells clients what the graph cannot.
"""

import dataclasses
import os
import platform
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.export.class_table import table_of
from tfdeconv.export.metadata import Metadata, existing_versions, write_metadata
from tfdeconv.export.signatures import signatures
from tfdeconv.export.warmup import write_warmup
from tfdeconv.files import cannot_write, replacing
from tfdeconv.images import MAX_PIXELS
from tfdeconv.inference.any_size import size_rule
from tfdeconv.inference.checks import require_choice
from tfdeconv.inference.precision import PRECISIONS
from tfdeconv.inference.segmenter import Segmenter
from tfdeconv.layers.choice import kernel_ops
from tfdeconv.models import class_names
from tfdeconv.version import __version__

_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


def export_saved_model(
    model: keras.Model,
    directory: str | os.PathLike[str],
    boxes: int = 50,
    aggregate: str = "max",
    crf: DenseCRF | None = None,
    precision: str = "float32",
    max_pixels: int = 2**25,
) -> Path:
    """Writes a model as a SavedModel that needs neither Python nor Keras.

    Signatures, with dimension 0 the batch everywhere; `segment_bytes` is the `serving_default`,
    because whoever asks without naming one has photographs:

    - `segment_bytes`: `images_bytes` string `(batch,)`, JPEGs and PNGs of any sizes, to
      `labels_png_bytes` string `(batch,)`, palette PNGs as large as the upright photographs;
      `class_ids` int32 `(batch, classes)`, the classes present by decreasing share, then -1;
      `class_shares` float32 `(batch, classes)`, their shares of the pixels, then 0; `class_names`
      string `(batch, classes)`, then "".
    - `segment_bytes_with_boxes`: the same with `boxes` and `counts`, as `segment` has them.
    - `segment`: `images` uint8 `(batch, height, width, 3)` RGB of any one size, `boxes` float32
      `(batch, n, 4)` proposals (top, left, bottom, right in pixels), best first, and `counts` int32
      `(batch,)`, how many of the n boxes of each image count, to `labels` uint8 and `confidence`
      float32 in [0, 1], both `(batch, height, width)`. A count of 0 is the whole image alone, and
      -1 the grid of `Segmenter(proposals="grid")`, which `segment_bytes` always uses.
    - `regions`: `crops` float32 `(batch, size, size, 3)` RGB in [0, 255] to `scores` float32
      `(batch, size, size, classes)` before softmax. `regions_uint8` is the same for uint8 crops,
      a quarter of the bytes.

    A network for images of every size sees each of them whole, as in `Segmenter`: it has no
    `segment_bytes_with_boxes`, its `segment` takes `images` alone, and its `regions` take `crops`
    of any one size that the network does, `(batch, height, width, 3)`, neither shrunk nor padded.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores, `(batch, rows, columns, classes)`. Batch
            normalisation is folded into the convolutions before it.
        directory: Folder of versions. The next free number becomes the new version, beginning at 1.
        boxes: The most boxes of an image to use, as in `Segmenter`.
        aggregate: "max", "mean" or "release", how the scores of overlapping regions become one.
        crf: Refines the labels to the edges of the image, as in `Segmenter`.
        precision: "float32", "bfloat16" or "float16": what the network computes in; scores come
            out as float32. The latter two store kernels in half the size; rounding moves some
            maxima in the pooling windows, and with them labels, and float16 overflows above 65504.
        max_pixels: Images of more pixels are refused before they are decoded.

    Returns:
        The folder of the new version.

    Raises:
        UserError: when the model cannot be exported, or the folder cannot be written; in both cases
            nothing is left behind.
        ValueError: when another argument is out of range.

    Example:

    >>> from tfdeconv.export import read_metadata
    >>> from tfdeconv.layers import Scores
    >>> layers = [keras.layers.Conv2D(2, 3, padding="same"), Scores(("ground", "tree"))]
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    >>> folder = export_saved_model(model, tempfile.mkdtemp())
    >>> folder.name, read_metadata(folder).class_names
    ('1', ['ground', 'tree'])
    """
    _check_arguments(crf, precision, max_pixels)
    _require_one_output(model)
    segmenter = Segmenter(model, boxes=boxes, aggregate=aggregate, crf=crf, precision=precision)
    metadata = _metadata(segmenter, precision, max_pixels)
    target = Path(directory) / str(max(existing_versions(directory), default=0) + 1)
    with tempfile.TemporaryDirectory() as scratch:
        archive = _archive(segmenter, metadata, scratch)
        with kernel_ops(), replacing(target) as beside:
            _write(archive, beside, target)
            _refuse_python(beside, segmenter.model)
            write_metadata(beside, metadata)
            write_warmup(beside)
    return target


def _check_arguments(crf: DenseCRF | None, precision: str, max_pixels: int) -> None:
    if keras.config.backend() != "tensorflow":
        raise UserError(
            "A SavedModel must be exported under Keras's TensorFlow backend. Received: "
            f"{keras.config.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    if crf is not None and crf.backend != "tensorflow":
        raise ValueError(
            '`crf` must have backend="tensorflow" to run without Python. Received: '
            f"backend={crf.backend!r}"
        )
    require_choice("precision", precision, PRECISIONS)
    if not 1 <= max_pixels <= MAX_PIXELS:
        raise ValueError(
            f"`max_pixels` must be from 1 to {MAX_PIXELS}. Received: max_pixels={max_pixels}"
        )


def _require_one_output(model: keras.Model) -> None:
    outputs = getattr(model, "output_names", [])
    if len(outputs) > 1:
        raise UserError(
            f"The model `{model.name}` must have one output, its scores, to be exported. Received: "
            f"{len(outputs)} ({', '.join(outputs)}). Export `keras.Model(model.input, "
            "model.outputs[0])`, which has the first alone."
        )


def _metadata(segmenter: Segmenter, precision: str, max_pixels: int) -> Metadata:
    names = class_names(segmenter.model)
    whole = segmenter.input_size is None
    multiple, least = size_rule(segmenter.model)
    return Metadata(
        input_size=segmenter.input_size,
        num_classes=segmenter.num_classes,
        class_names=None if names is None else list(names),
        boxes=0 if whole else segmenter.boxes,
        aggregate=segmenter.aggregate,
        crf=None if segmenter.crf is None else dataclasses.asdict(segmenter.crf),
        precision=precision,
        max_pixels=max_pixels,
        versions=_versions(),
        crop_multiple=multiple if whole else None,
        least_crop=list(least) if whole else None,
    )


def _archive(segmenter: Segmenter, metadata: Metadata, scratch: str) -> keras.export.ExportArchive:
    # Not `archive.track(model)`: it stores every weight twice, for Keras and for TensorFlow.
    archive = keras.export.ExportArchive()
    table = None
    if metadata.class_names is not None:
        table = table_of(metadata.class_names, scratch)
        archive.track(table)
    endpoints = signatures(segmenter, metadata.input_size, metadata.max_pixels, table)
    for name, (function, inputs) in endpoints.items():
        archive.add_endpoint(name, function, inputs)
    return archive


def _refuse_python(folder: Path, model: keras.Model) -> None:
    # What was written: to ask before would be to trace everything twice.
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    if found := {node.op for node in nodes} & _PYTHON_OPS:
        raise UserError(
            f"The model `{model.name}` must consist of TensorFlow operations to be exported. "
            f"Received: calls of Python ({', '.join(sorted(found))}), which no server can run."
        )


def _write(archive: keras.export.ExportArchive, beside: Path, target: Path) -> None:
    try:
        archive.write_out(str(beside), verbose=False)
    except tf.errors.OpError as error:
        raise cannot_write(target, OSError(error.message)) from error


def _versions() -> dict[str, str]:
    return {
        "tfdeconv": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }
