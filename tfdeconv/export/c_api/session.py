"""A session over a SavedModel through the TensorFlow C API, called by ctypes."""

import ctypes
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .signature_defs import CODES, DTYPES, read_signatures

_POINTER, _TEXT, _INT, _LONG = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int64
_SIZE = ctypes.c_size_t


class _Buffer(ctypes.Structure):
    _fields_ = [("data", _POINTER), ("length", _SIZE), ("deallocate", _POINTER)]


class _Output(ctypes.Structure):
    _fields_ = [("operation", _POINTER), ("index", _INT)]


# tensorflow/c/c_api.h: name -> (result, arguments)
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "TF_NewStatus": (_POINTER, []),
    "TF_GetCode": (_INT, [_POINTER]),
    "TF_Message": (_TEXT, [_POINTER]),
    "TF_NewSessionOptions": (_POINTER, []),
    "TF_NewGraph": (_POINTER, []),
    "TF_NewBuffer": (ctypes.POINTER(_Buffer), []),
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        [_POINTER, _POINTER, _TEXT, _POINTER, _INT, _POINTER, _POINTER, _POINTER],
    ),
    "TF_GraphOperationByName": (_POINTER, [_POINTER, _TEXT]),
    "TF_AllocateTensor": (_POINTER, [_INT, _POINTER, _INT, _SIZE]),
    "TF_DeleteTensor": (None, [_POINTER]),
    "TF_TensorType": (_INT, [_POINTER]),
    "TF_NumDims": (_INT, [_POINTER]),
    "TF_Dim": (_LONG, [_POINTER, _INT]),
    "TF_TensorByteSize": (_SIZE, [_POINTER]),
    "TF_TensorData": (_POINTER, [_POINTER]),
    "TF_SessionRun": (
        None,
        [_POINTER] * 4 + [_INT] + [_POINTER] * 2 + [_INT, _POINTER, _INT] + [_POINTER] * 2,
    ),
}


class Session:
    """A SavedModel loaded by `TF_LoadSessionFromSavedModel`, the loader that model servers use.

    Args:
        folder: The folder that holds `saved_model.pb`.

    Attributes:
        signatures: Signature name -> `Signature`.

    Raises:
        ValueError: when TensorFlow's libraries are not installed or refuse the folder.

    Example:

        session = Session("exported/1")
        scores = session.run("regions", {"crops": crops})["scores"]
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._api = _load_library()
        self._status = self._api.TF_NewStatus()
        self._graph = self._api.TF_NewGraph()
        meta_graph = self._api.TF_NewBuffer()
        options, tags = self._api.TF_NewSessionOptions(), (_TEXT * 1)(b"serve")
        path = os.fsencode(folder)
        self._session = self._api.TF_LoadSessionFromSavedModel(
            options, None, path, tags, 1, self._graph, meta_graph, self._status
        )
        self._check(f"load `{folder}`")
        buffer = meta_graph.contents
        self.signatures = read_signatures(ctypes.string_at(buffer.data, buffer.length))

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature: input name -> array gives output name -> array.

        Raises:
            ValueError: when the signature, an input or a dtype is not the graph's, or it fails.
        """
        known = self.signatures.get(signature)
        if known is None or set(inputs) != set(known.inputs):
            raise ValueError(
                f"`{signature}` must be a signature and have these inputs. "
                f"Received: {sorted(inputs)}, the model has {self.signatures}"
            )
        feeds = [self._output(known.inputs[name].tensor) for name in inputs]
        fetches = [self._output(info.tensor) for info in known.outputs.values()]
        values = [self._tensor(np.asarray(value)) for value in inputs.values()]
        results = (_POINTER * len(fetches))()
        self._api.TF_SessionRun(
            *(self._session, None),
            *((_Output * len(feeds))(*feeds), (_POINTER * len(values))(*values), len(feeds)),
            *((_Output * len(fetches))(*fetches), results, len(fetches)),
            *(None, 0, None, self._status),
        )
        for value in values:
            self._api.TF_DeleteTensor(value)
        self._check(f"run `{signature}`")
        return dict(zip(known.outputs, map(self._array, results), strict=True))

    def _check(self, what: str) -> None:
        if self._api.TF_GetCode(self._status):
            message = self._api.TF_Message(self._status).decode(errors="replace")
            raise ValueError(f"TensorFlow could not {what}: {message}")

    def _output(self, tensor: str) -> _Output:
        operation, _, index = tensor.partition(":")
        found = self._api.TF_GraphOperationByName(self._graph, operation.encode())
        return _Output(found, int(index or 0))

    def _tensor(self, array: np.ndarray) -> int:
        array = np.ascontiguousarray(array)
        shape = (_LONG * array.ndim)(*array.shape)
        code = CODES[array.dtype.name]
        tensor = self._api.TF_AllocateTensor(code, shape, array.ndim, array.nbytes)
        ctypes.memmove(self._api.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return tensor

    def _array(self, tensor: int) -> np.ndarray:
        api = self._api
        shape = [api.TF_Dim(tensor, axis) for axis in range(api.TF_NumDims(tensor))]
        data = ctypes.string_at(api.TF_TensorData(tensor), api.TF_TensorByteSize(tensor))
        array = np.frombuffer(data, DTYPES[api.TF_TensorType(tensor)]).reshape(shape)
        api.TF_DeleteTensor(tensor)
        return array


def _load_library() -> ctypes.CDLL:
    # find_spec of a top-level package locates it and runs nothing of it.
    spec = importlib.util.find_spec("tensorflow")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    found = [sorted(folder.glob(f"libtensorflow_{part}*.2*")) for part in ("framework", "cc")]
    if not all(found):
        raise ValueError(f"`{folder}` must hold TensorFlow's C++ libraries. Install tensorflow.")
    libraries = [ctypes.CDLL(str(paths[0]), ctypes.RTLD_GLOBAL) for paths in found]
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(libraries[-1], name)
        function.restype, function.argtypes = result, arguments
    return libraries[-1]
