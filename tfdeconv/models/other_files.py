"""Files and folders that are taken for saved models: what they are, and what to give instead."""

import os
import zipfile
from pathlib import Path

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


def is_whole_h5(file: Path) -> bool:
    """Returns whether a file is a whole model in HDF5, as Keras saved them before `.keras`."""
    return _starts_with(file, _HDF5) and "model_config" in _attributes(file)


def other_kind(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Returns what a file or folder is that is no saved model, and what to give in its place.

    Args:
        path: The file or folder.

    Returns:
        Two phrases, `("the weights of a network ...", "Give them as ...")`; None when it is a saved
        model, damaged or of a kind that is not known here.

    Example:

    >>> other_kind("regions.onnx")[0]
    'a network in ONNX'
    """
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
