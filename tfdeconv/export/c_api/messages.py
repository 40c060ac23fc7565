"""The messages that a model server is asked with and answers with, from and to NumPy arrays.

Field numbers are those of tensorflow/core/framework/tensor.proto and of
tensorflow_serving/apis/{model,predict,prediction_log}.proto. Strings are arrays of `bytes` objects.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .signature_defs import CODES, DTYPES
from .wire import bytes_field, entries, fields, map_field, number_field, read_varint, signed

# A message is bounded by 2**31 bytes; one number may stand for many, which is not.
_MOST_VALUES = 2**28
# dtype -> its field of numbers, for those who do not send `tensor_content`
_VALUES = {
    "float32": 5,
    "float64": 6,
    "int32": 7,
    "uint8": 7,
    "object": 8,
    "int64": 10,
    "bool": 11,
    "float16": 13,
}


class PredictRequest(NamedTuple):
    """A question: the model, which of its signatures, and the inputs of that one by name."""

    model: str
    signature: str
    inputs: dict[str, np.ndarray]


def encode_tensor(array: np.ndarray) -> bytes:
    """Encodes an array as a `TensorProto`."""
    sizes = b"".join(bytes_field(2, number_field(1, size)) for size in array.shape)
    head = number_field(1, CODES[array.dtype.name]) + bytes_field(2, sizes)
    if array.dtype == object:
        return head + b"".join(bytes_field(8, item) for item in array.flat)
    return head + bytes_field(4, array.tobytes())


def decode_tensor(message: bytes) -> np.ndarray:
    """Decodes a `TensorProto`.

    Raises:
        ValueError: when it is none, of a dtype that is not in `DTYPES`, or its numbers do not fill
            its shape.
    """
    found = list(fields(message))
    once = dict(found)
    dtype = DTYPES.get(once.get(1, 0))
    if dtype is None:
        raise ValueError(f"A tensor must have a known type. Received: {once.get(1)}")
    sizes = [dict(fields(dim)).get(1, 0) for key, dim in fields(once.get(2, b"")) if key == 2]
    shape = tuple(map(signed, sizes))
    if once.get(4):
        array = np.frombuffer(once[4], dtype)
    else:
        array = _numbers([value for key, value in found if key == _VALUES[dtype]], dtype)
    count = math.prod(shape)
    # One that is left out is as the one before it.
    if 0 < len(array) < count <= _MOST_VALUES:
        array = np.concatenate([array, np.repeat(array[-1:], count - len(array))])
    if min(shape, default=0) < 0 or len(array) != count:
        raise ValueError(f"A tensor of shape {shape} must be full. Received: {len(array)} values")
    return array.reshape(shape)


def encode_predict_request(request: PredictRequest) -> bytes:
    """Encodes a `PredictRequest`."""
    spec = bytes_field(1, request.model.encode()) + bytes_field(3, request.signature.encode())
    tensors = {name: encode_tensor(array) for name, array in request.inputs.items()}
    return bytes_field(1, spec) + map_field(2, tensors)


def decode_predict_request(message: bytes) -> PredictRequest:
    """Decodes a `PredictRequest`; errors as `decode_tensor`."""
    spec = dict(fields(dict(fields(message)).get(1, b"")))
    inputs = {name: decode_tensor(value) for name, value in entries(message, 2)}
    return PredictRequest(spec.get(1, b"").decode(), spec.get(3, b"").decode(), inputs)


def decode_predict_response(message: bytes) -> dict[str, np.ndarray]:
    """Decodes the outputs of a `PredictResponse`; errors as `decode_tensor`."""
    return {name: decode_tensor(value) for name, value in entries(message, 1)}


def encode_prediction_log(request: PredictRequest) -> bytes:
    """Encodes a `PredictionLog` of a question without its answer."""
    return bytes_field(6, bytes_field(1, encode_predict_request(request)))


def decode_prediction_log(message: bytes) -> PredictRequest:
    """Decodes the question of a `PredictionLog`.

    Raises:
        ValueError: when it has none, or as `decode_tensor`.
    """
    request = dict(fields(dict(fields(message)).get(6, b""))).get(1)
    if request is None:
        raise ValueError("A record must log the request of a prediction. Received: another one")
    return decode_predict_request(request)


def _numbers(values: list[Any], dtype: str) -> np.ndarray:
    if dtype == "object":
        array = np.empty(len(values), object)
        array[:] = values
        return array
    if dtype in ("float32", "float64"):
        return np.frombuffer(b"".join(values), dtype)
    unpacked = [number for value in values for number in _unpack(value)]
    if dtype == "float16":
        return np.array(unpacked, np.uint16).view(np.float16)
    return np.array([signed(number) for number in unpacked], np.int64).astype(dtype)


def _unpack(value: int | bytes) -> list[int]:
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        numbers.append(number)
    return numbers
