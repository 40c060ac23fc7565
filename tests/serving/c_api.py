"""A SavedModel through TensorFlow's C API, called by ctypes: what tensorflow_model_server runs.

Nothing of TensorFlow's Python is imported. `python -P c_api.py JOB ANSWERS` runs the calls of a
`Job`, pickled, in a process of its own, with whichever libraries of TensorFlow it finds first.
"""

import ctypes
import importlib.util
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

# absl/status/status.h: what a model server answers with
INVALID_ARGUMENT, FAILED_PRECONDITION = 3, 9
# tensorflow/core/framework/types.proto; strings are NumPy arrays of `bytes` objects.
DTYPES = {1: "float32", 3: "int32", 4: "uint8", 7: "object", 9: "int64"}
CODES = {name: code for code, name in DTYPES.items()}

# Signature -> "inputs" and "outputs" -> their names -> tensors of the graph.
Signatures = dict[str, dict[str, dict[str, str]]]
POINTER, TEXT, INT, LONG = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int64
SIZE, STRING_SIZE = ctypes.c_size_t, 24  # sizeof(TF_TString)


class Output(ctypes.Structure):
    """`TF_Output`: one output of an operation in a graph."""

    _fields_ = [("operation", POINTER), ("index", INT)]


# tensorflow/c/c_api.h, tf_tensor.h, tf_status.h and tf_tstring.h: name -> (result, arguments)
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "TF_Version": (TEXT, []),
    "TF_NewStatus": (POINTER, []),
    "TF_DeleteStatus": (None, [POINTER]),
    "TF_GetCode": (INT, [POINTER]),
    "TF_Message": (TEXT, [POINTER]),
    "TF_NewSessionOptions": (POINTER, []),
    "TF_NewGraph": (POINTER, []),
    "TF_LoadSessionFromSavedModel": (
        POINTER,
        [POINTER, POINTER, TEXT, POINTER, INT, POINTER, POINTER, POINTER],
    ),
    "TF_GraphOperationByName": (POINTER, [POINTER, TEXT]),
    "TF_AllocateTensor": (POINTER, [INT, POINTER, INT, SIZE]),
    "TF_DeleteTensor": (None, [POINTER]),
    "TF_TensorType": (INT, [POINTER]),
    "TF_NumDims": (INT, [POINTER]),
    "TF_Dim": (LONG, [POINTER, INT]),
    "TF_TensorByteSize": (SIZE, [POINTER]),
    "TF_TensorData": (POINTER, [POINTER]),
    "TF_StringInit": (None, [POINTER]),
    "TF_StringCopy": (None, [POINTER, TEXT, SIZE]),
    "TF_StringDealloc": (None, [POINTER]),
    "TF_StringGetDataPointer": (POINTER, [POINTER]),
    "TF_StringGetSize": (SIZE, [POINTER]),
    "TF_SessionRun": (
        None,
        [POINTER] * 4 + [INT] + [POINTER] * 2 + [INT, POINTER, INT] + [POINTER] * 2,
    ),
}


class TensorFlowError(ValueError):
    """What TensorFlow refused; `code` is its error code, which is gRPC's, too."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return self.args[0]


class Session:
    """A SavedModel loaded by `TF_LoadSessionFromSavedModel`; threads may share one."""

    def __init__(self, folder: Path, signatures: Signatures) -> None:
        self._api, self.signatures = load_library(), signatures
        self._graph, status = self._api.TF_NewGraph(), self._api.TF_NewStatus()
        options, tags = self._api.TF_NewSessionOptions(), (TEXT * 1)(b"serve")
        self._session = self._api.TF_LoadSessionFromSavedModel(
            options, None, str(folder).encode(), tags, 1, self._graph, None, status
        )
        self._check(status)

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature: input name -> array gives output name -> array."""
        known = self.signatures[signature]
        if set(inputs) != set(known["inputs"]):
            raise TensorFlowError(f"`{signature}` has {sorted(known['inputs'])}", INVALID_ARGUMENT)
        feeds = [self._output(known["inputs"][name]) for name in inputs]
        fetches = [self._output(tensor) for tensor in known["outputs"].values()]
        results = (POINTER * len(fetches))()
        values = [self._new_tensor(np.asarray(value)) for value in inputs.values()]
        status = self._api.TF_NewStatus()
        self._api.TF_SessionRun(
            *(self._session, None),
            *((Output * len(feeds))(*feeds), (POINTER * len(values))(*values), len(feeds)),
            *((Output * len(fetches))(*fetches), results, len(fetches)),
            *(None, 0, None, status),
        )
        arrays = [self._take_array(result) for result in results if result]
        for tensor in values:
            self._delete_tensor(tensor)
        self._check(status)
        return dict(zip(known["outputs"], arrays, strict=True))

    def _check(self, status: int) -> None:
        code = self._api.TF_GetCode(status)
        message = self._api.TF_Message(status).decode(errors="replace")
        self._api.TF_DeleteStatus(status)
        if code:
            raise TensorFlowError(message, code)

    def _output(self, tensor: str) -> Output:
        operation, _, index = tensor.partition(":")
        found = self._api.TF_GraphOperationByName(self._graph, operation.encode())
        return Output(found, int(index))

    def _new_tensor(self, array: np.ndarray) -> int:
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        strings = array.dtype == object
        shape = (LONG * array.ndim)(*array.shape)
        size = array.size * STRING_SIZE if strings else array.nbytes
        tensor = self._api.TF_AllocateTensor(CODES[array.dtype.name], shape, array.ndim, size)
        data = self._api.TF_TensorData(tensor)
        if not strings:
            ctypes.memmove(data, array.ctypes.data, array.nbytes)
            return tensor
        for index, item in enumerate(array.flat):
            self._api.TF_StringInit(data + index * STRING_SIZE)
            self._api.TF_StringCopy(data + index * STRING_SIZE, item, len(item))
        return tensor

    def _delete_tensor(self, tensor: int) -> None:
        if DTYPES[self._api.TF_TensorType(tensor)] == "object":
            data = self._api.TF_TensorData(tensor)
            # TensorFlow frees the strings of its own tensors only.
            for offset in range(0, self._api.TF_TensorByteSize(tensor), STRING_SIZE):
                self._api.TF_StringDealloc(data + offset)
        self._api.TF_DeleteTensor(tensor)

    def _take_array(self, tensor: int) -> np.ndarray:
        shape = [self._api.TF_Dim(tensor, axis) for axis in range(self._api.TF_NumDims(tensor))]
        dtype = DTYPES[self._api.TF_TensorType(tensor)]
        data, size = self._api.TF_TensorData(tensor), self._api.TF_TensorByteSize(tensor)
        if dtype == "object":
            array = np.empty(size // STRING_SIZE, object)
            for index in range(len(array)):
                item = data + index * STRING_SIZE
                length = self._api.TF_StringGetSize(item)
                array[index] = ctypes.string_at(self._api.TF_StringGetDataPointer(item), length)
        else:
            array = np.frombuffer(ctypes.string_at(data, size), dtype)
        self._api.TF_DeleteTensor(tensor)
        return array.reshape(shape)


def load_library() -> ctypes.CDLL:
    """Opens TensorFlow's libraries without importing TensorFlow."""
    # find_spec of a top-level package locates it and runs nothing of it.
    folder = Path(importlib.util.find_spec("tensorflow").origin).parent
    found = [next(folder.glob(f"libtensorflow_{part}*.2*")) for part in ("framework", "cc")]
    _, library = (ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL) for path in found)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main(job: str, answers: str) -> None:
    """Runs the calls of a job in order; what is refused is an answer, too."""
    folder, signatures, calls = pickle.loads(Path(job).read_bytes())
    session, found = Session(folder, signatures), []
    for signature, inputs in calls:
        try:
            found.append(session.run(signature, inputs))
        except TensorFlowError as error:
            found.append((error.code, str(error)))
    assert not {"tensorflow", "keras", "tfdeconv"} & set(sys.modules)
    version = load_library().TF_Version().decode()
    Path(answers).write_bytes(pickle.dumps((version, found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
