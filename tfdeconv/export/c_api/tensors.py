"""NumPy arrays as tensors of the C API, and back; strings are arrays of `bytes` objects."""

import ctypes

import numpy as np

from .library import LONG
from .signature_defs import CODES, DTYPES

# sizeof(TF_TString)
_STRING_SIZE = 24


def new_tensor(api: ctypes.CDLL, array: np.ndarray) -> int:
    """Copies an array into a new tensor, which `delete_tensor` takes back.

    Raises:
        ValueError: when TensorFlow has no such dtype, or an object is no byte string.
    """
    array = np.ascontiguousarray(array).reshape(np.shape(array))
    code = CODES.get(array.dtype.name)
    strings = array.dtype == object
    if code is None or (strings and not all(isinstance(item, bytes) for item in array.flat)):
        raise ValueError(
            "An input must be an array of numbers, or of `bytes` with dtype object. "
            f"Received: dtype {array.dtype}"
        )
    shape = (LONG * array.ndim)(*array.shape)
    size = array.size * _STRING_SIZE if strings else array.nbytes
    tensor = api.TF_AllocateTensor(code, shape, array.ndim, size)
    data = api.TF_TensorData(tensor)
    if not strings:
        ctypes.memmove(data, array.ctypes.data, array.nbytes)
        return tensor
    for index, item in enumerate(array.flat):
        api.TF_StringInit(data + index * _STRING_SIZE)
        api.TF_StringCopy(data + index * _STRING_SIZE, item, len(item))
    return tensor


def delete_tensor(api: ctypes.CDLL, tensor: int) -> None:
    """Frees what `new_tensor` made; not before the outputs that may share it have been read."""
    if DTYPES.get(api.TF_TensorType(tensor)) == "object":
        data = api.TF_TensorData(tensor)
        # TensorFlow frees the strings of its own tensors only.
        for offset in range(0, api.TF_TensorByteSize(tensor), _STRING_SIZE):
            api.TF_StringDealloc(data + offset)
    api.TF_DeleteTensor(tensor)


def take_array(api: ctypes.CDLL, tensor: int) -> np.ndarray:
    """Copies an output into an array and deletes the tensor."""
    shape = [api.TF_Dim(tensor, axis) for axis in range(api.TF_NumDims(tensor))]
    dtype = DTYPES[api.TF_TensorType(tensor)]
    data, size = api.TF_TensorData(tensor), api.TF_TensorByteSize(tensor)
    if dtype == "object":
        array = np.empty(size // _STRING_SIZE, object)
        for index in range(len(array)):
            item = data + index * _STRING_SIZE
            length = api.TF_StringGetSize(item)
            array[index] = ctypes.string_at(api.TF_StringGetDataPointer(item), length)
    else:
        array = np.frombuffer(ctypes.string_at(data, size), dtype)
    api.TF_DeleteTensor(tensor)
    return array.reshape(shape)
