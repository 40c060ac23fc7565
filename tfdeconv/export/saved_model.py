"""A SavedModel in a versioned folder, as TensorFlow Serving expects it: OUT/1, OUT/2, ...

A version is written under a temporary name and renamed, since a server loads every folder that
appears. `assets.extra` holds `tfdeconv.json`, the metadata for clients, and the requests by which a
server warms up: without them the first caller waits while the graph is optimised.

Reference:
    https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

import dataclasses
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.export.signatures import Signatures
from tfdeconv.files import cannot_write, replacing
from tfdeconv.layers.pooling import portable_ops
from tfdeconv.models import class_names
from tfdeconv.segmentation.network import PRECISIONS
from tfdeconv.segmentation.regions import SizeRule, size_rule
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.version import __version__

METADATA_FILE = Path("assets.extra", "tfdeconv.json")
# Where tensorflow_model_server looks for it in the folder of a version, and the most it takes.
WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000
# Records must name a model; a server replays them whatever name it serves the model by.
_MODEL = "deconvnet"
_WARMUP_SIZE = 48, 64
_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


class Metadata(NamedTuple):
    """The metadata of an exported folder, as saved in `assets.extra/tfdeconv.json`.

    Attributes:
        input_size: side of the crops in pixels; None for a network that takes images of every size
            and uses no boxes.
        num_classes: number of classes, the background included.
        class_names: their names in the order of the labels, or None where the model has none.
        boxes: the most boxes of an image to use in addition to the full image.
        aggregate: "max", "mean" or "raw_max", how the scores of overlapping regions are merged.
        crf: arguments of the `DenseCRF` by which the labels are refined, or None.
        precision: "float32", "bfloat16" or "float16", what the network computes in.
        max_pixels: the most pixels that an image may have.
        versions: package -> version that wrote the folder.
        crop_multiple: what the sides of crops must be multiples of; None with an `input_size`.
        least_crop: the least height and width of crops; None with an `input_size`.
    """

    input_size: int | None
    num_classes: int
    class_names: list[str] | None
    boxes: int
    aggregate: str
    crf: dict[str, Any] | None
    precision: str
    max_pixels: int
    versions: dict[str, str]
    crop_multiple: int | None = None
    least_crop: list[int] | None = None

    def crop_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the smallest height and width of crops that are at least these."""
        if self.input_size is not None:
            return self.input_size, self.input_size
        rows, columns = self.least_crop or (1, 1)
        fitted = SizeRule(self.crop_multiple or 1, (rows, columns)).fit((height, width))
        return tuple(fitted.numpy().tolist())


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

    Signatures, with dimension 0 the batch everywhere; `segment_bytes` is the `serving_default`:

    - `segment_bytes`: `images_bytes` string `(batch,)`, JPEGs and PNGs of any sizes, to
      `labels_png_bytes` string `(batch,)`, palette PNGs as large as the upright photographs, in the
      colours of the model's classes where it has them, otherwise PASCAL VOC's;
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

    A network for images of every size runs on the full image, as in `Segmenter`: it has no
    `segment_bytes_with_boxes`, its `segment` takes `images` alone, and its `regions` take `crops`
    of any one size that the network takes, `(batch, height, width, 3)`, neither shrunk nor padded.

    The warm-up requests are messages of TensorFlow Serving. They are left out where its package is
    not installed (`pip install "tfdeconv[serving]"`).

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores, `(batch, rows, columns, classes)`. Batch
            normalisation is folded into the convolutions before it.
        directory: Folder of versions. The next free number becomes the new version, beginning at 1.
        Maximum number of proposals per image, as in `Segmenter`.
        aggregate: "max", "mean" or "raw_max", how the scores of overlapping regions are merged.
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

    >>> from tfdeconv.layers import Logits
    >>> layers = [keras.layers.Conv2D(2, 3, padding="same"), Logits(("ground", "tree"))]
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    >>> folder = export_saved_model(model, tempfile.mkdtemp())
    >>> folder.name, read_metadata(folder).class_names
    ('1', ['ground', 'tree'])
    """
    _check_arguments(model, crf, precision, max_pixels)
    segmenter = Segmenter(model, boxes=boxes, aggregate=aggregate, crf=crf, precision=precision)
    metadata = _metadata(segmenter, precision, max_pixels)
    target = Path(directory) / str(max(_versions_in(directory), default=0) + 1)
    with tempfile.TemporaryDirectory() as scratch:
        archive = _archive(segmenter, metadata, scratch)
        with portable_ops(False), replacing(target) as temporary:
            try:
                archive.write_out(str(temporary), verbose=False)
                saved = SavedModel.FromString((temporary / "saved_model.pb").read_bytes())
                _refuse_python(saved.meta_graphs[0], segmenter.model)
                _write_metadata(temporary, metadata)
                _write_warmup(temporary, saved.meta_graphs[0], metadata)
            except tf.errors.OpError as error:
                raise cannot_write(target, OSError(error.message)) from error
    return target


def _check_arguments(
    model: keras.Model, crf: DenseCRF | None, precision: str, max_pixels: int
) -> None:
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
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {PRECISIONS}. Received: precision={precision!r}"
        )
    if not 1 <= max_pixels <= images.MAX_PIXELS:
        raise ValueError(
            f"`max_pixels` must be from 1 to {images.MAX_PIXELS}. Received: max_pixels={max_pixels}"
        )
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
        versions={
            "tfdeconv": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
        crop_multiple=multiple if whole else None,
        least_crop=list(least) if whole else None,
    )


def _archive(segmenter: Segmenter, metadata: Metadata, scratch: str) -> keras.export.ExportArchive:
    # `archive.track(model)` would store every weight twice, for Keras and for TensorFlow.
    archive = keras.export.ExportArchive()
    table = None
    if metadata.class_names is not None:
        table = _class_table(metadata.class_names, scratch)
        archive.track(table)
    for name, endpoint in Signatures(segmenter, metadata.max_pixels, table).endpoints().items():
        archive.add_endpoint(name, *endpoint)
    return archive


def _refuse_python(meta_graph: MetaGraphDef, model: keras.Model) -> None:
    # Checking before writing would trace everything twice.
    graph = meta_graph.graph_def
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    if found := {node.op for node in nodes} & _PYTHON_OPS:
        raise UserError(
            f"The model `{model.name}` must consist of TensorFlow operations to be exported. "
            f"Received: calls of Python ({', '.join(sorted(found))}), which no server can run."
        )


def _class_table(names: Sequence[str], folder: str) -> tf.lookup.StaticHashTable:
    # Its file becomes an asset of what is exported, and must stay until that is done.
    if any("\n" in name or "\r" in name for name in names):
        raise UserError(
            f"The names of the classes must have one line each to be exported. Received: {names}"
        )
    path = Path(folder, "class_names.txt")
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    initializer = tf.lookup.TextFileInitializer(
        str(path),
        key_dtype=tf.int64,
        key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
        value_dtype=tf.string,
        value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    return tf.lookup.StaticHashTable(initializer, default_value="")


def _write_metadata(folder: Path, metadata: Metadata) -> None:
    path = folder / METADATA_FILE
    path.parent.mkdir(exist_ok=True)
    # NumPy's numbers, which a CRF takes too, are none of JSON's.
    text = json.dumps(
        metadata._asdict(), indent=2, ensure_ascii=False, default=lambda number: number.item()
    )
    path.write_text(text + "\n", encoding="utf-8")


def read_metadata(folder: str | os.PathLike[str]) -> Metadata:
    """Reads the metadata of an exported folder, one version.

    Raises:
        UserError: when it was not written by `export_saved_model`.
    """
    path = Path(folder) / METADATA_FILE
    try:
        metadata = Metadata(**json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(metadata.crf, dict | None):
            raise TypeError(f"crf={metadata.crf!r}")
        return metadata
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"`{path}` must be the metadata of a folder written by `tfdeconv export`. "
            f"Received: {error}. Export the model again."
        ) from error


def newest_version(path: str | os.PathLike[str]) -> Path:
    """Returns the version that `path` is, or the newest one that it holds.

    Raises:
        UserError: when there is none.
    """
    folder = Path(path)
    if versions := _versions_in(folder):
        folder = folder / str(max(versions))
    if not (folder / "saved_model.pb").is_file():
        raise UserError(
            f"`{path}` must be a folder written by `tfdeconv export`, or a version in it. "
            f"Received: no saved_model.pb in `{folder}`. Export the model first."
        )
    return folder


def _versions_in(directory: str | os.PathLike[str]) -> list[int]:
    folder = Path(directory)
    entries = folder.iterdir() if folder.is_dir() else ()
    return [int(entry.name) for entry in entries if entry.name.isdecimal()]


def _prediction_log() -> Any:
    """Returns TensorFlow Serving's class of records, None where it is not installed."""
    try:
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
    except ImportError:
        return None
    return PredictionLog


def _write_warmup(folder: Path, meta_graph: MetaGraphDef, metadata: Metadata) -> None:
    """Writes one small request for every signature: a 64x48 photograph, or one crop."""
    prediction_log = _prediction_log()
    if prediction_log is None:
        return
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        for name, signature in sorted(meta_graph.signature_def.items()):
            if name.startswith("__"):
                continue  # TensorFlow's own, such as __saved_model_init_op
            record = prediction_log()
            request = record.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = _MODEL, name
            samples = _warmup_inputs(name, metadata)
            for key, info in signature.inputs.items():
                proto = tf.make_tensor_proto(samples[key], tf.as_dtype(info.dtype))
                request.inputs[key].CopyFrom(proto)
            writer.write(record.SerializeToString(deterministic=True))


def _warmup_inputs(signature: str, metadata: Metadata) -> dict[str, np.ndarray]:
    photograph = sample_photograph(*_WARMUP_SIZE)
    # Servers decode both kinds; one request each warms up both.
    encode = images.encode_png if signature == "segment_bytes" else images.encode_jpeg
    return {
        "images_bytes": np.array([encode(photograph)], object),
        "images": photograph[None],
        "boxes": np.array([[[0, 0, 32, 40], [12, 20, 48, 64]]]),
        "counts": np.array([2]),
        "crops": sample_photograph(*metadata.crop_size(*_WARMUP_SIZE))[None],
    }


def read_warmup(folder: str | os.PathLike[str]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Reads the warm-up requests of the version in `folder`: signature and inputs of each.

    Raises:
        UserError: when the file is damaged or holds something else, or TensorFlow Serving's
            messages are not installed.
    """
    path, prediction_log = Path(folder) / WARMUP_FILE, _prediction_log()
    if not path.is_file():
        return []
    if prediction_log is None:
        raise UserError(
            f"To read `{path}`, TensorFlow Serving's messages must be installed. Received: no "
            'package `tensorflow_serving`. Run `pip install "tfdeconv[serving]"`.'
        )
    try:
        records = [*tf.data.TFRecordDataset(str(path)).take(MOST_RECORDS + 1).as_numpy_iterator()]
        requests = [prediction_log.FromString(record).predict_log.request for record in records]
        if len(requests) > MOST_RECORDS:
            raise ValueError(f"more than {MOST_RECORDS} records")
        return [
            (
                request.model_spec.signature_name,
                {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()},
            )
            for request in requests
        ]
    except (ValueError, TypeError, DecodeError, tf.errors.OpError) as error:
        raise UserError(
            f"`{path}` must hold at most {MOST_RECORDS} requests, whole. Received: "
            f"{getattr(error, 'message', error)}. Export the model again."
        ) from error


def sample_photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Returns a random image, `(height, width, 3)` uint8 RGB, of patches and noise."""
    # Flat areas make ties, which pooling must break as the model does.
    generator = np.random.default_rng(seed)
    patches = generator.integers(0, 256, (-(-height // 8), -(-width // 8), 3))
    patches = np.kron(patches, np.ones((8, 8, 1), int))[:height, :width]
    noise = generator.integers(-20, 21, patches.shape)
    return np.clip(patches + noise * (patches > 100), 0, 255).astype(np.uint8)
