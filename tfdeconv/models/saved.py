"""Opening saved models: a `.keras` or whole `.h5` file, a run folder, or a preset of KerasHub."""

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
from tfdeconv.models.other_files import is_whole_h5, other_kind
from tfdeconv.models.preset import is_preset, load_preset

MODEL_FILE = "model.keras"
_MAX_CONFIG = 2**26
# What Keras and the readers of zip and JSON raise of a file that means something else, or nothing.
_DAMAGE = (
    *(OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, EOFError),
    # Of JSON nested too deeply, too.
    *(RuntimeError, zipfile.BadZipFile, zlib.error),
)


def load_model(path: str | os.PathLike[str], compile: bool = False) -> keras.Model:
    """Opens a saved model in a fresh process, without `custom_objects`.

    Nothing in the file is executed: Keras's safe mode stays on, which refuses Lambda layers and
    pickled code.

    Args:
        path: A `.keras` file, an `.h5` file of a whole model, as Keras saved them before, a run
            folder that holds `model.keras`, or a directory that `tfdeconv.hub` saved as a preset,
            for which keras-hub need not be installed.
        compile: Whether to restore optimizer, loss and metrics too, to go on training; a preset
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
    if _only_a_preset(path):
        with _damage_told(Path(path)):
            return load_preset(path)
    file = _model_file(path)
    with _damage_told(file):
        return keras.saving.load_model(file, compile=compile)


def load_for_inference(path: str | os.PathLike[str]) -> keras.Model:
    """Opens a saved model as `load_model` does, sooner and in less memory.

    The initialisers of its weights are zeros in place of those that it was made with: to draw a
    quarter of a billion random numbers that the file then replaces takes seconds and a gigabyte.

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
    if _only_a_preset(path):
        with _damage_told(Path(path)):
            return load_preset(path, draw=False)
    file = _model_file(path)
    with _damage_told(file):
        if is_whole_h5(file):
            return keras.saving.load_model(file, compile=False)
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo("config.json").file_size > _MAX_CONFIG:
                raise ValueError(f"a description of more than {_MAX_CONFIG} bytes")
            config = json.loads(archive.read("config.json"))
        model = keras.saving.deserialize_keras_object(_undrawn({**config, "compile_config": None}))
        if not isinstance(model, keras.Model):
            raise ValueError(f"a {type(model).__name__}")
        model.load_weights(file)
        return model


def _undrawn(config: Any) -> Any:
    if isinstance(config, list):
        return [_undrawn(value) for value in config]
    if not isinstance(config, dict):
        return config
    zeros = keras.initializers.serialize(keras.initializers.Zeros())
    return {
        name: zeros if name.endswith("_initializer") and value else _undrawn(value)
        for name, value in config.items()
    }


def _only_a_preset(path: str | os.PathLike[str]) -> bool:
    return is_preset(path) and not (Path(path) / MODEL_FILE).is_file()


def _model_file(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.is_dir():
        file = file / MODEL_FILE
    found = None if file.parent == Path(path) and file.is_file() else other_kind(path)
    rule = f"`{path}` must be a .keras file or a run folder that holds {MODEL_FILE}, or a preset."
    if found is not None:
        raise UserError(f"{rule} Received: {found[0]}. {found[1]}.")
    if not file.is_file():
        raise UserError(f"{rule} Received: no file `{file}`. Train one with `tfdeconv train`.")
    return file


@contextlib.contextmanager
def _damage_told(file: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"`{file}` must be a Keras 3 model without custom code of its own. Received: {reason}"
        ) from error


def class_names(model: keras.Model) -> tuple[str, ...] | None:
    """Returns the class names that travel with a model, or None where it has none.

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
    """Returns the colours of the classes that travel with a model, or None where it has none.

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
    """Gives a model the colours of its classes.

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
