"""Opening saved models: a `.keras` or full `.h5` file, a run folder, or a preset of KerasHub."""

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.layers import Logits
from tfdeconv.models.base import SegmentationModel
from tfdeconv.models.preset import is_preset, load_preset

MODEL_FILE = "model.keras"
_MAX_CONFIG = 2**26
# What Keras and the readers of zip and JSON raise for a file that is damaged or of another kind;
# RuntimeError is also that of JSON nested too deeply.
_DAMAGE = (
    *(OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, EOFError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error),
)
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Of FlatBuffers, behind the offset of the root.
_TFLITE = b"TFL3"
_SAVED_MODEL = "saved_model.pb"
_OUR_METADATA = "assets.extra/tfdeconv.json"

_GIVE_THE_MODEL = "Give the .keras file or run folder that it was made of"
_PYTORCH = (
    "weights of PyTorch",
    "Build the network here and train it, or convert its weights with a script of your own",
)
_BY_SUFFIX = {
    ".onnx": ("a network in ONNX", f"{_GIVE_THE_MODEL}; ONNX Runtime runs this one"),
    ".caffemodel": ("weights of Caffe", "Convert them with `tfdeconv import-caffe`"),
    ".npz": ("arrays of NumPy", "Give a .keras file or a run folder"),
    ".pb": ("a graph of TensorFlow", _GIVE_THE_MODEL),
    ".index": ("a checkpoint of TensorFlow", "Save the model with `model.save('model.keras')`"),
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".safetensors": _PYTORCH,
}


def load_model(path: str | os.PathLike[str], compile: bool = False) -> keras.Model:
    """Opens a saved model in a fresh process, without `custom_objects`.

    Nothing in the file is executed: Keras's safe mode stays on, which refuses Lambda layers and
    pickled code.

    Args:
        path: A `.keras` file; an `.h5` file of a full model, Keras's earlier format; a run folder
            that holds `model.keras`; or a directory that `tfdeconv.hub` saved as a preset, which
            opens without keras-hub.
        compile: Whether to restore optimizer, loss and metrics too, to continue training. A preset
            holds none of them.

    Returns:
        The `keras.Model`.

    Raises:
        UserError: when there is no model at `path`, or it is damaged or of another kind.

    Example:

    >>> import tempfile
    >>> from tfdeconv.models import DeconvNet
    >>> path = tempfile.mkdtemp() + "/model.keras"
    >>> DeconvNet(2, (32, 32, 3), width=1 / 32, class_names=("ground", "tree")).save(path)
    >>> class_names(load_model(path))
    ('ground', 'tree')
    """
    if _is_a_preset_alone(path):
        with _damage_is_an_error(Path(path)):
            return load_preset(path)
    file = _model_file(path)
    with _damage_is_an_error(file):
        return _load(file, compile)


def load_for_inference(path: str | os.PathLike[str]) -> keras.Model:
    """Opens a saved model as `load_model` does, faster and in less memory.

    All initializers of weights become zeros. Drawing the 250 million random numbers of a DeconvNet,
    which the file replaces, takes seconds and a gigabyte.

    Args:
        path: A file, a run folder or a preset, as `load_model` takes them.

    Returns:
        The `keras.Model`, not compiled.

    Raises:
        UserError: when there is no model at `path`, or it is damaged or of another kind.

    Example:

    >>> import tempfile
    >>> from tfdeconv.models import DeconvNet
    >>> path = tempfile.mkdtemp() + "/model.keras"
    >>> DeconvNet(2, (32, 32, 3), width=1 / 32).save(path)
    >>> load_for_inference(path).get_layer("fc6").kernel_initializer.__class__.__name__
    'Zeros'
    """
    if _is_a_preset_alone(path):
        with _damage_is_an_error(Path(path)):
            return load_preset(path, draw=False)
    file = _model_file(path)
    with _damage_is_an_error(file):
        if is_whole_h5(file):
            return _load(file, compile=False)
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo("config.json").file_size > _MAX_CONFIG:
                raise ValueError(f"a description of more than {_MAX_CONFIG} bytes")
            config = json.loads(archive.read("config.json"))
        model = keras.saving.deserialize_keras_object(
            _without_random_weights({**config, "compile_config": None})
        )
        if not isinstance(model, keras.Model):
            raise ValueError(f"a {type(model).__name__}")
        model.load_weights(file)
        return model


def _load(file: Path, compile: bool) -> keras.Model:
    # HDF5 names a class without its package.
    networks = {
        one.__name__: one
        for one in keras.saving.get_custom_objects().values()
        if isinstance(one, type) and issubclass(one, SegmentationModel)
    }
    custom_objects = networks if is_whole_h5(file) else None
    return keras.saving.load_model(file, custom_objects=custom_objects, compile=compile)


def _without_random_weights(config: Any) -> Any:
    if isinstance(config, list):
        return [_without_random_weights(value) for value in config]
    if not isinstance(config, dict):
        return config
    zeros = keras.initializers.serialize(keras.initializers.Zeros())
    return {
        name: zeros if name.endswith("_initializer") and value else _without_random_weights(value)
        for name, value in config.items()
    }


def _is_a_preset_alone(path: str | os.PathLike[str]) -> bool:
    return is_preset(path) and not (Path(path) / MODEL_FILE).is_file()


def _model_file(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.is_dir():
        file = file / MODEL_FILE
    found = None if file.parent == Path(path) and file.is_file() else _other_kind(path)
    rule = f"`{path}` must be a .keras file or a run folder that holds {MODEL_FILE}, or a preset."
    if found is not None:
        raise UserError(f"{rule} Received: {found[0]}. {found[1]}.")
    if not file.is_file():
        raise UserError(f"{rule} Received: no file `{file}`. Train one with `tfdeconv train`.")
    return file


@contextlib.contextmanager
def _damage_is_an_error(file: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"`{file}` must be a Keras 3 model without custom code of its own. Received: {reason}"
        ) from error


def class_names(model: keras.Model) -> tuple[str, ...] | None:
    """Returns the class names that are saved with a model, None where it has none.

    Args:
        model: Any Keras model; the names are in the `Logits` layer of ours.

    Returns:
        The names in the order of the labels, or None.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> class_names(DeconvNet(2, (32, 32, 3), width=1 / 32, class_names=("ground", "tree")))
    ('ground', 'tree')
    """
    for layer in reversed(model.layers):
        if isinstance(layer, Logits) and layer.class_names is not None:
            return tuple(layer.class_names)
    return None


def palette(model: keras.Model) -> np.ndarray | None:
    """Returns the colours of the classes that are saved with a model, None where it has none.

    Args:
        model: Any Keras model; the colours are in the `Logits` layer of ours.

    Returns:
        `(classes, 3)` uint8 RGB in the order of the labels, or None for those of PASCAL VOC.
    """
    for layer in reversed(model.layers):
        if isinstance(layer, Logits) and layer.palette is not None:
            return np.array(layer.palette, np.uint8)
    return None


def set_palette(model: keras.Model, colours: np.ndarray) -> None:
    """Sets the colours of the classes, which are saved with the model.

    Args:
        model: A network of this package.
        colours: `(classes, 3)` uint8 RGB in the order of the labels.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> model = DeconvNet(2, (32, 32, 3), width=1 / 32)
    >>> set_palette(model, np.array([[0, 0, 0], [255, 0, 0]], np.uint8))
    >>> palette(model).tolist()
    [[0, 0, 0], [255, 0, 0]]
    """
    for layer in model.layers:
        if isinstance(layer, Logits):
            layer.palette = tuple(map(tuple, colours.tolist()))


def is_whole_h5(file: Path) -> bool:
    """Returns whether a file is a full model in HDF5, Keras's format before `.keras`."""
    return _starts_with(file, _HDF5) and "model_config" in _attributes(file)


def _other_kind(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Returns what a file is instead of a saved model, and what to give; None if unknown."""
    path = Path(path)
    if path.is_dir():
        return _kind_of_folder(path)
    if _starts_with(path, _HDF5):
        return _kind_of_hdf5(path)
    if _starts_with(path, _TFLITE, at=4):
        return "a network in LiteRT", f"{_GIVE_THE_MODEL}; a LiteRT interpreter runs this one"
    if path.suffix != ".keras" and _is_keras_zip(path):
        return "a .keras file under another name", "Rename it so that it ends in .keras"
    return _BY_SUFFIX.get(path.suffix)


def _kind_of_folder(folder: Path) -> tuple[str, str] | None:
    versions = [folder, *(one for one in folder.iterdir() if one.name.isdigit())]
    saved = next((one for one in versions if (one / _SAVED_MODEL).is_file()), None)
    if saved is None:
        return None
    if (saved / _OUR_METADATA).is_file():
        return (
            "an export of `tfdeconv export`, which holds a graph and no layers",
            f"{_GIVE_THE_MODEL}; a server runs this one (`tfdeconv segment --server`)",
        )
    return (
        "a SavedModel of TensorFlow, which holds a graph and no layers",
        f"{_GIVE_THE_MODEL}; `tf.saved_model.load` runs this one",
    )


def _kind_of_hdf5(file: Path) -> tuple[str, str] | None:
    if "model_config" in _attributes(file):
        if file.suffix in (".h5", ".hdf5"):
            return None
        return "a model in HDF5, Keras's format before .keras", "Rename it so that it ends in .h5"
    return (
        "HDF5 without a network, such as weights alone",
        "Build the network and give it the file, as in `DeconvNet(..., weights=FILE)`, or give a "
        ".keras file",
    )


def _attributes(file: Path) -> set[str]:
    import h5py

    try:
        with h5py.File(file) as content:
            return set(content.attrs)
    except OSError:
        return set()


def _is_keras_zip(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return {"config.json", "metadata.json"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _starts_with(file: Path, signature: bytes, at: int = 0) -> bool:
    try:
        with open(file, "rb") as content:
            return content.read(at + len(signature))[at:] == signature
    except OSError:
        return False
