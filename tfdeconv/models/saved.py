"""Opening saved models: a `.keras` file, or a run folder that holds `model.keras`."""

import os
import zipfile
from pathlib import Path

import keras

from tfdeconv.errors import UserError
from tfdeconv.layers import Scores

MODEL_FILE = "model.keras"


def load_model(path: str | os.PathLike[str], compile: bool = False) -> keras.Model:
    """Opens a saved model in a fresh process, without `custom_objects`.

    Nothing in the file is executed: Keras's safe mode stays on, which refuses Lambda layers and
    pickled code.

    Args:
        path: A `.keras` file, or a run folder that holds `model.keras`.
        compile: Whether to restore optimizer, loss and metrics too, to go on training.

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
    file = Path(path)
    if file.is_dir():
        file = file / MODEL_FILE
    if not file.is_file():
        raise UserError(
            f"`{path}` must be a .keras file or a run folder that holds {MODEL_FILE}. Received: no "
            f"file `{file}`. Train one with `tfdeconv train`."
        )
    try:
        return keras.saving.load_model(file, compile=compile)
    except (ValueError, TypeError, OSError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"`{file}` must be a Keras 3 model without custom code of its own. Received: {reason}"
        ) from error


def class_names(model: keras.Model) -> tuple[str, ...] | None:
    """Returns the class names that travel with a model, or None where it has none.

    Args:
        model: Any Keras model; the names are in the `Scores` layer of ours.

    Returns:
        The names in the order of the labels, or None.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> class_names(DeconvNet(2, (32, 32, 3), width=1 / 32, class_names=("ground", "tree")))
    ('ground', 'tree')
    """
    for layer in reversed(model.layers):
        if isinstance(layer, Scores) and layer.class_names is not None:
            return tuple(layer.class_names)
    return None
