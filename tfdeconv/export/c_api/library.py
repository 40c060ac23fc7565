"""TensorFlow's C API as it lies in the tensorflow wheel, opened by ctypes."""

import ctypes
import importlib.util
from pathlib import Path
from typing import Any

POINTER, TEXT, INT, LONG = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int64
SIZE = ctypes.c_size_t


class Buffer(ctypes.Structure):
    """`TF_Buffer`."""

    _fields_ = [("data", POINTER), ("length", SIZE), ("deallocate", POINTER)]


class Output(ctypes.Structure):
    """`TF_Output`: one output of an operation in a graph."""

    _fields_ = [("operation", POINTER), ("index", INT)]


# tensorflow/c/c_api.h, tf_tensor.h, tf_status.h and tf_tstring.h: name -> (result, arguments)
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "TF_NewStatus": (POINTER, []),
    "TF_DeleteStatus": (None, [POINTER]),
    "TF_GetCode": (INT, [POINTER]),
    "TF_Message": (TEXT, [POINTER]),
    "TF_NewSessionOptions": (POINTER, []),
    "TF_NewGraph": (POINTER, []),
    "TF_NewBuffer": (ctypes.POINTER(Buffer), []),
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


def load_library() -> ctypes.CDLL:
    """Opens TensorFlow's libraries without importing TensorFlow.

    Raises:
        ValueError: when they are not installed.
    """
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
