"""A SavedModel in a versioned folder, as TensorFlow Serving expects it: OUT/1, OUT/2, ...

A version is written beside and renamed, since the server loads whatever folder appears. Beside the
graph lies `assets.extra/tfdeconv.json`, which tells clients what the graph cannot.
"""

import json
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.export.signatures import signatures
from tfdeconv.files import cannot_write, replacing
from tfdeconv.inference.segmenter import Segmenter
from tfdeconv.models import class_names
from tfdeconv.version import __version__

METADATA_FILE = Path("assets.extra", "tfdeconv.json")
_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


class Metadata(NamedTuple):
    """What an exported folder says of itself, as saved in `assets.extra/tfdeconv.json`.

    Attributes:
        input_size: side of the crops in pixels.
        num_classes: number of classes, the background included.
        class_names: their names in the order of the labels, or None where the model has none.
        boxes: the most boxes of an image that `segment` uses.
        aggregate: "max", "mean" or "release", how `segment` joins the scores of regions.
        versions: package -> version that wrote the folder.
    """

    input_size: int
    num_classes: int
    class_names: list[str] | None
    boxes: int
    aggregate: str
    versions: dict[str, str]


def export_saved_model(
    model: keras.Model, directory: str | os.PathLike[str], boxes: int = 50, aggregate: str = "max"
) -> Path:
    """Writes a model as a SavedModel that needs neither Python nor Keras.

    Signatures, with dimension 0 the batch everywhere; `segment` is the `serving_default`, because
    whoever asks without naming one has photographs:

    - `segment`: `images` uint8 `(batch, height, width, 3)` RGB of any one size, `boxes` float32
      `(batch, n, 4)` proposals (top, left, bottom, right in pixels) and `counts` int32 `(batch,)`,
      how many of the n boxes of each image count (0: the whole image alone), best first, to
      `labels` uint8 and `confidence` float32 in [0, 1], both `(batch, height, width)`. The graph
      enlarges boxes to regions, chooses among them and adds the whole image as `Segmenter` does.
    - `regions`: `crops` float32 `(batch, size, size, 3)` RGB in [0, 255] to `scores` float32
      `(batch, size, size, classes)` before softmax. `regions_uint8` is the same for uint8 crops,
      a quarter of the bytes.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)`, to scores of the same
            height and width.
        directory: Folder of versions. The next free number becomes the new version, beginning at 1.
        boxes: The most boxes of an image to use, as in `Segmenter`.
        aggregate: "max", "mean" or "release", how the scores of overlapping regions become one.

    Returns:
        The folder of the new version.

    Raises:
        UserError: when the model cannot be exported, or the folder cannot be written; in both cases
            nothing is left behind.
        ValueError: when another argument is out of range.

    Example:

    >>> import tempfile
    >>> from tfdeconv.layers import Scores
    >>> layers = [keras.layers.Conv2D(2, 3, padding="same"), Scores(("ground", "tree"))]
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    >>> folder = export_saved_model(model, tempfile.mkdtemp())
    >>> folder.name, read_metadata(folder).class_names
    ('1', ['ground', 'tree'])
    """
    if keras.config.backend() != "tensorflow":
        raise UserError(
            "A SavedModel must be exported under Keras's TensorFlow backend. Received: "
            f"{keras.config.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    segmenter = Segmenter(model, boxes=boxes, aggregate=aggregate)
    input_size = segmenter.input_size
    if input_size is None:
        raise UserError(
            "`model` must be built for one square size to be exported. Received: inputs "
            f"{model.input_shape}. Build it with an input_shape of (size, size, 3)."
        )
    # Without `archive.track(model)`, which stores every weight twice (Keras 3.15): as Keras's
    # variable and as TensorFlow's.
    archive = keras.export.ExportArchive()
    for name, (function, inputs) in signatures(segmenter, input_size).items():
        _refuse_python(archive.add_endpoint(name, function, inputs), model)
    names = class_names(model)
    metadata = Metadata(
        input_size=input_size,
        num_classes=segmenter.num_classes,
        class_names=None if names is None else list(names),
        boxes=boxes,
        aggregate=aggregate,
        versions=_versions(),
    )
    target = Path(directory) / str(max(_existing_versions(directory), default=0) + 1)
    with replacing(target) as beside:
        _write(archive, beside, target)
        (beside / METADATA_FILE).parent.mkdir()
        text = json.dumps(metadata._asdict(), indent=2, ensure_ascii=False) + "\n"
        (beside / METADATA_FILE).write_text(text, encoding="utf-8")
    return target


def newest_version(path: str | os.PathLike[str]) -> Path:
    """Returns the version that `path` is, or the newest one that it holds.

    Raises:
        UserError: when there is none.
    """
    folder = Path(path)
    if versions := _existing_versions(folder):
        folder = folder / str(max(versions))
    if not (folder / "saved_model.pb").is_file():
        raise UserError(
            f"`{path}` must be a folder written by `tfdeconv export`, or a version in it. "
            f"Received: no saved_model.pb in `{folder}`. Export the model first."
        )
    return folder


def read_metadata(folder: str | os.PathLike[str]) -> Metadata:
    """Reads what the exported `folder` (one version) says of itself.

    Raises:
        UserError: when it was not written by `export_saved_model`.
    """
    path = Path(folder) / METADATA_FILE
    try:
        return Metadata(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"`{path}` must be the metadata of a folder written by `tfdeconv export`. "
            f"Received: {error}. Export the model again."
        ) from error


def _existing_versions(directory: str | os.PathLike[str]) -> list[int]:
    folder = Path(directory)
    entries = folder.iterdir() if folder.is_dir() else ()
    return [int(entry.name) for entry in entries if entry.name.isdecimal()]


def _refuse_python(function: Any, model: keras.Model) -> None:
    graph = function.get_concrete_function().graph.as_graph_def()
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
