"""Signatures of a SavedModel, read from its protocol buffers without TensorFlow's classes.

Only the wire format is needed: a message is a row of (field number, value), see
https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

# tensorflow/core/framework/types.proto
DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 9: "int64", 10: "bool", 19: "float16"}
CODES = {name: code for code, name in DTYPES.items()}


class TensorInfo(NamedTuple):
    """One input or output of a signature: its tensor in the graph, dtype and shape (-1: any)."""

    tensor: str
    dtype: str
    shape: tuple[int, ...]


class Signature(NamedTuple):
    """The inputs and outputs of one signature by their public names."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


def read_signatures(meta_graph: bytes) -> dict[str, Signature]:
    """Reads the signatures of a serialised `MetaGraphDef` (tensorflow/core/protobuf).

    `signature_def` is its field 5; maps are repeated entries of key 1 and value 2.
    """
    found = {}
    for name, value in _entries(meta_graph, 5):
        if name.startswith("__"):
            continue  # TensorFlow's own, such as __saved_model_init_op
        inputs = {key: _tensor_info(info) for key, info in _entries(value, 1)}
        outputs = {key: _tensor_info(info) for key, info in _entries(value, 2)}
        found[name] = Signature(inputs, outputs)
    return found


def _tensor_info(message: bytes) -> TensorInfo:
    fields = dict(_fields(message))
    sizes = [dict(_fields(dim)).get(1, 0) for key, dim in _fields(fields.get(3, b"")) if key == 2]
    shape = tuple(size - 2**64 if size >= 2**63 else size for size in sizes)
    return TensorInfo(fields[1].decode(), DTYPES.get(fields[2], str(fields[2])), shape)


def _entries(message: bytes, field: int) -> Iterator[tuple[str, bytes]]:
    for key, entry in _fields(message):
        if key == field:
            pair = dict(_fields(entry))
            yield pair[1].decode(), pair.get(2, b"")


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yields (field number, value) of a protocol buffer message: numbers and byte strings."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if key & 7 == 2:
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}[key & 7]
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
