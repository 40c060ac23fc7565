"""The layers of a network in an HDF5 file of Keras: their names, arrays and settings, in order.

Keras has two layouts. `save_weights("x.h5")` of Keras 2 and `model.save("x.h5")` of Keras 2 and 3
list the layers in the order of the network, the latter with its settings; `save_weights(
"x.weights.h5")` names the layers of a class by their number alone. Nothing is read but numbers and
JSON.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

import h5py
import numpy as np

from tfdeconv.errors import UserError

# Names of a layer's arrays, in the order in which the newer layout numbers them.
_CONVOLUTION = ("kernel", "bias")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_NUMBERED = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?")
_DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError)


@dataclass(frozen=True)
class SavedLayer:
    """A layer that has weights.

    Attributes:
        name: Its name in the file.
        arrays: `"kernel"`, `"bias"`, `"gamma"`, ... to arrays that have not been read yet.
        settings: Its configuration where the file has it.
    """

    name: str
    arrays: Mapping[str, h5py.Dataset]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def shape(self, array: str) -> tuple[int, ...] | None:
        """Returns the shape of an array, None where there is none."""
        return tuple(self.arrays[array].shape) if array in self.arrays else None

    def read(self, array: str) -> np.ndarray:
        """Returns an array in float32; its shape tells beforehand how much memory that takes."""
        return np.asarray(self.arrays[array][()], np.float32)


@contextmanager
def saved_layers(path: str | os.PathLike[str]) -> Iterator[list[SavedLayer]]:
    """Opens a file of Keras for the time of a `with` block.

    Args:
        path: A file of either layout.

    Yields:
        The layers with weights, in the order of the network.

    Raises:
        UserError: when the file is missing, damaged, of another kind, or refers to other files.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "no such file" if not os.path.isfile(path) else "no HDF5, or a damaged one"
        raise UserError(f"`{path}` must be an HDF5 file of Keras. Received: {reason}.") from error
    with file:
        try:
            layers = _layers(file)
        except _DAMAGE as error:
            raise UserError(
                f"`{path}` must be an HDF5 file of Keras. Received: one that cannot be read "
                f"({error})."
            ) from error
        if not layers:
            raise UserError(
                f"`{path}` must hold the layers of a network. Received: none. Save it again with "
                "`save_weights` or `model.save`."
            )
        try:
            yield layers
        except (OSError, RuntimeError) as error:
            raise UserError(f"`{path}` is damaged ({error}). Download it again.") from error


def _layers(file: h5py.File) -> list[SavedLayer]:
    root = file.get("model_weights", file)
    names = _texts(root, "layer_names")
    if not names and "layers" in file:
        return _numbered_layers(file, file["layers"])
    settings = _settings(file)
    found = []
    for name in names:
        group = root[name]
        arrays = {
            weight.rsplit("/", 1)[-1].split(":")[0]: _array(file, group[weight])
            for weight in _texts(group, "weight_names")
        }
        if arrays:
            found.append(SavedLayer(name, arrays, settings.get(name, {})))
    return found


def _numbered_layers(file: h5py.File, group: h5py.Group) -> list[SavedLayer]:
    """The newer layout: convolutions in turn with the normalisations of the same number."""
    matches = [match for name in group if (match := _NUMBERED.fullmatch(name))]
    matches.sort(key=lambda match: int(match[2] or 0))
    layers: dict[str, list[SavedLayer]] = {"conv2d": [], "batch_normalization": []}
    for match in matches:
        arrays = group[match[0]]["vars"]
        names = _CONVOLUTION if match[1] == "conv2d" else _NORM
        # Without a scale or a shift the numbers would mean other arrays.
        if match[1] != "conv2d" and len(arrays) != len(_NORM):
            raise ValueError(f"{match[0]} has {len(arrays)} arrays in place of {len(_NORM)}")
        named = {names[int(key)]: _array(file, arrays[key]) for key in arrays}
        layers[match[1]].append(SavedLayer(match[0], named))
    turns = chain.from_iterable(zip_longest(*layers.values()))
    return [layer for layer in turns if layer is not None]


def _texts(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; a long one is spread over `attribute0`, `attribute1`, ..."""
    keys = (attribute, *(f"{attribute}{number}" for number in range(len(group.attrs))))
    parts = [group.attrs[key] for key in keys if key in group.attrs]
    names = [name for part in parts for name in np.ravel(part)]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _settings(file: h5py.File) -> dict[str, Mapping[str, Any]]:
    """The configuration of every layer by its name, nothing where only weights were saved."""
    if "model_config" not in file.attrs:
        return {}
    model = json.loads(file.attrs["model_config"])["config"]
    layers = model if isinstance(model, list) else model["layers"]
    return {layer["config"]["name"]: dict(layer["config"]) for layer in layers}


def _array(file: h5py.File, array: Any) -> h5py.Dataset:
    """Refuses what is no array of numbers inside this file, or grows while it is read."""
    if not isinstance(array, h5py.Dataset) or array.dtype.kind != "f":
        raise ValueError("an array that is not made of floating-point numbers")
    if array.file.filename != file.filename or array.external or array.is_virtual:
        raise ValueError("an array in another file")
    if array.chunks is not None and np.prod(array.chunks) > max(array.size, 1):
        raise ValueError("an array in pieces larger than itself")
    return array
