"""Messages and records written by hand are those of TensorFlow's own classes, both ways."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfdeconv.export.c_api import messages, records
from tfdeconv.export.c_api.wire import fields, signed, varint

STRINGS = np.array([[b"", b"ends in zero\0"], [b"\0" * 30, "Größe".encode()]], object)
ARRAYS = {
    "float32": np.array([[1.5, -np.inf, np.nan]], np.float32),
    "float64": np.array([0.1, -2.0]),
    "float16": np.array([1, -0.5], np.float16),
    "int32": np.array([[-1, 2**31 - 1]], np.int32),
    "uint8": np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "bool": np.array([True, False]),
    "object": STRINGS,
    "scalar": np.array(7, np.int32),
    "empty": np.zeros((0, 4), np.float32),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_tensors_are_read_and_written_as_tensorflow_does(name: str) -> None:
    array = ARRAYS[name]
    ours = tf.make_ndarray(TensorProto.FromString(messages.encode_tensor(array)))
    np.testing.assert_array_equal(ours, array)
    # Once as bytes in a row, once number by number, as servers answer.
    for proto in (tf.make_tensor_proto(array), number_by_number(array)):
        theirs = messages.decode_tensor(proto.SerializeToString())
        np.testing.assert_array_equal(theirs, array)
        assert theirs.dtype == array.dtype and theirs.shape == array.shape


def number_by_number(array: np.ndarray) -> TensorProto:
    proto = tf.make_tensor_proto(array)
    proto.ClearField("tensor_content")
    name = {"f": "float_val", "O": "string_val", "b": "bool_val"}.get(array.dtype.kind, "int_val")
    name = {"float64": "double_val", "int64": "int64_val"}.get(array.dtype.name, name)
    values = array
    if array.dtype == np.float16:
        name, values = "half_val", array.view(np.uint16)
    proto.ClearField(name)
    getattr(proto, name).extend(values.ravel().tolist())
    return proto


def test_a_number_left_out_is_as_the_one_before() -> None:
    short = tensor([2, 2], dtype=3, int_val=[5, 6])
    assert messages.decode_tensor(short).tolist() == [[5, 6], [6, 6]]


def tensor(shape: list[int], **values) -> bytes:
    proto = TensorProto(**values)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    return proto.SerializeToString()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (tensor([2**40], dtype=1, float_val=[1.0]), "must be full"),
        (tensor([3], dtype=1), "must be full"),
        (tensor([-1], dtype=3, int_val=[1]), "must be full"),
        (tensor([1], dtype=20, int_val=[1]), "must have a known type"),
        (b"\x0a\xff", "A field of|without an end"),
        (b"\x0a\x7fab", "A field of 127 bytes where 2 are left"),
        (b"\x0b", "must have a known kind"),
        (b"\x80" * 11, "A number without an end"),
    ],
)
def test_what_is_no_tensor_is_told_without_allocating(message: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        messages.decode_tensor(message)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63 - 1, -1, -(2**63)])
def test_numbers_of_every_length(value: int) -> None:
    ((number, found),) = fields(b"\x08" + varint(value))
    assert number == 1 and signed(found) == value


def test_requests_are_those_of_the_official_classes() -> None:
    apis = pytest.importorskip("tensorflow_serving.apis.predict_pb2", reason="needs the stubs")
    inputs = {"images_bytes": STRINGS[0], "counts": np.array([3, 0], np.int32)}
    request = messages.PredictRequest("deconvnet", "segment", inputs)
    theirs = apis.PredictRequest.FromString(messages.encode_predict_request(request))
    assert theirs.model_spec.name == "deconvnet" and theirs.model_spec.signature_name == "segment"
    assert tf.make_ndarray(theirs.inputs["images_bytes"]).tolist() == STRINGS[0].tolist()
    ours = messages.decode_predict_request(theirs.SerializeToString())
    assert ours[:2] == request[:2] and sorted(ours.inputs) == ["counts", "images_bytes"]
    assert ours.inputs["counts"].tolist() == [3, 0]
    response = apis.PredictResponse(outputs=dict(theirs.inputs))
    found = messages.decode_predict_response(response.SerializeToString())
    assert found["images_bytes"].tolist() == STRINGS[0].tolist()


def test_records_are_those_of_tensorflow(tmp_path) -> None:
    written = [b"", b"one", bytes(range(256)) * 5]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(b"".join(map(records.encode_record, written)))
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in written:
            writer.write(record)
    assert ours.read_bytes() == theirs.read_bytes()
    assert list(records.read_records(theirs)) == written


@pytest.mark.parametrize("at", [3, 9, 14, 18])
def test_damaged_records_are_told(tmp_path, at: int) -> None:
    data = bytearray(records.encode_record(b"seven.."))
    data[at] ^= 64
    (tmp_path / "damaged").write_bytes(data)
    with pytest.raises(ValueError, match="must be whole"):
        list(records.read_records(tmp_path / "damaged"))
    (tmp_path / "short").write_bytes(bytes(data[:at]))
    with pytest.raises(ValueError, match="cut short"):
        list(records.read_records(tmp_path / "short"))
