"""Signatures of a SavedModel, read from its protocol buffers without TensorFlow's classes."""

from typing import NamedTuple

from .wire import entries, fields, signed

# tensorflow/core/framework/types.proto; strings are NumPy arrays of `bytes` objects.
DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    7: "object",
    9: "int64",
    10: "bool",
    19: "float16",
}
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
    for name, value in entries(meta_graph, 5):
        if name.startswith("__"):
            continue  # TensorFlow's own, such as __saved_model_init_op
        inputs = {key: _tensor_info(info) for key, info in entries(value, 1)}
        outputs = {key: _tensor_info(info) for key, info in entries(value, 2)}
        found[name] = Signature(inputs, outputs)
    return found


def read_saved_model(saved_model: bytes) -> dict[str, Signature]:
    """Reads the signatures of the first graph of a `saved_model.pb`: its field 2."""
    return read_signatures(dict(reversed(list(fields(saved_model))))[2])


def _tensor_info(message: bytes) -> TensorInfo:
    found = dict(fields(message))
    sizes = [dict(fields(dim)).get(1, 0) for key, dim in fields(found.get(3, b"")) if key == 2]
    return TensorInfo(
        found[1].decode(), DTYPES.get(found[2], str(found[2])), tuple(map(signed, sizes))
    )
