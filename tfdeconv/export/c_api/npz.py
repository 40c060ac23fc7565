"""Arrays in `.npz` files, byte strings included, without pickle.

An array of byte strings is stored as two: `<name>|bytes`, all of them in a row (uint8), and
`<name>|sizes`, how long each one is, in the shape of the array.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

_BYTES, _SIZES = "|bytes", "|sizes"


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays of numbers and of `bytes` objects (dtype object) to the file `path`."""
    stored: dict[str, Any] = {}
    for name, array in arrays.items():
        if array.dtype == object:
            stored[name + _BYTES] = np.frombuffer(b"".join(array.flat), np.uint8)
            sizes = np.array([len(item) for item in array.flat], np.int64)
            stored[name + _SIZES] = sizes.reshape(array.shape)
        else:
            stored[name] = array
    np.savez(path, allow_pickle=False, **stored)


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads what `save_arrays` wrote, in the same order."""
    with np.load(path, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    arrays = {}
    for name, array in stored.items():
        if name.endswith(_BYTES):
            name = name.removesuffix(_BYTES)
            sizes = stored[name + _SIZES]
            array = _split(array.tobytes(), sizes.ravel()).reshape(sizes.shape)
        if not name.endswith(_SIZES):
            arrays[name] = array
    return arrays


def _split(data: bytes, sizes: np.ndarray) -> np.ndarray:
    ends = np.cumsum(sizes).tolist()
    items = np.empty(len(ends), object)
    items[:] = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return items
