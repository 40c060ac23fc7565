"""Reading .caffemodel files: both layouts bit for bit, and everything that is none is refused."""

import io
import os
import resource

import numpy as np
import pytest

from tests.reference import caffe_encoder as encoder
from tfdeconv.errors import UserError
from tfdeconv.weights import read_caffemodel

LAYERS = {
    "conv1_1": [
        np.arange(54, dtype="float32").reshape(2, 3, 3, 3),
        np.array([[[[-1.5, 2.5]]]], "float32"),
    ],
    "bn1_1": [np.full((1, 2, 1, 1), 0.1, "float32"), np.full((1, 2, 1, 1), -3e-20, "float32")],
    "fc6/ä": [np.linspace(0, 1, 700, dtype="float32").reshape(1, 1, 7, 100)],
}


def write(path, content: bytes):
    path.write_bytes(content)
    return path


def read(path):
    return {name: [blob.read() for blob in blobs] for name, blobs in read_caffemodel(path).items()}


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", ["old", "new"])
@pytest.mark.parametrize("double", [False, True])
def test_reads_what_was_written(tmp_path, layout, packed, unknown, double):
    layers = {
        name: [blob.astype("float64") if double else blob for blob in blobs]
        for name, blobs in reversed(LAYERS.items())
    }
    content = encoder.encode(layers.items(), layout=layout, packed=packed, unknown=unknown)
    found = read(write(tmp_path / "net.caffemodel", content))
    assert list(found) == list(layers)
    for name, blobs in LAYERS.items():
        for mine, theirs in zip(found[name], blobs, strict=True):
            assert mine.dtype == np.float32 and mine.shape == theirs.shape
            assert mine.tobytes() == theirs.tobytes()


def test_a_file_by_hand(tmp_path):
    # layers { name: "ip" blobs { num: 1 channels: 1 height: 1 width: 2 data: [1.0, -2.0] } }
    blob = bytes.fromhex("0801 1001 1801 2002 2a08 0000803f 000000c0")
    layer = b"\x22\x02ip" + b"\x32" + bytes([len(blob)]) + blob
    path = write(tmp_path / "net.caffemodel", b"\x12" + bytes([len(layer)]) + layer)
    assert read(path)["ip"][0].tolist() == [[[[1.0, -2.0]]]]


def test_reads_what_protocol_buffers_write(tmp_path):
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="net.proto", syntax="proto2")
    for name, fields in {
        "Blob": [("data", 5, 2, 3, ""), ("dims", 7, 11, 1, ".Shape")],
        "Shape": [("dim", 1, 3, 3, "")],
        "Layer": [("name", 1, 9, 1, ""), ("type", 2, 9, 1, ""), ("blobs", 7, 11, 3, ".Blob")],
        "Net": [("name", 1, 9, 1, ""), ("layer", 100, 11, 3, ".Layer")],
    }.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label, of in fields:
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if of:
                added.type_name = of
            added.options.packed = field == "data"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    net = message_factory.GetMessageClass(pool.FindMessageTypeByName("Net"))(name="n")
    for name, blobs in LAYERS.items():
        layer = net.layer.add(name=name, type="Any")
        for blob in blobs:
            layer.blobs.add(data=blob.ravel(), dims={"dim": blob.shape})
    found = read(write(tmp_path / "net.caffemodel", net.SerializeToString()))
    for name, blobs in LAYERS.items():
        for mine, theirs in zip(found[name], blobs, strict=True):
            assert mine.shape == theirs.shape and mine.tobytes() == theirs.tobytes()
    assert list(found) == list(LAYERS)


WHOLE = encoder.encode(LAYERS.items())


def blob_of(shape, count):
    head = b"".join(encoder.number(i, side) for i, side in enumerate(shape, start=1))
    body = [head, *encoder.message(5, bytes(4 * count))]
    return b"".join(encoder.message(2, *encoder.message(4, b"bad"), *encoder.message(6, *body)))


MANY_SIDES = encoder.message(7, *encoder.message(7, encoder.number(1, 1) * 40_000))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b'name: "VGG"\nlayers {\n  name: "conv1_1"\n}\n', "text, such as a .prototxt"),
        (b'\xef\xbb\xbfname: "VGG"\n', r"text, such as .* \('name: \"VGG\""),
        (("#" + 300 * "ä").encode(), "text, such as"),
        (b"<html><body>404</body></html>", "a web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (b"PK\x03\x04" + bytes(100), "an HDF5 file or an archive"),
        (WHOLE[: len(WHOLE) // 2], r"a field of \d+ bytes where \d+ are left"),
        (bytes(1000), "a field with the key 0"),
        (b"\xff" * 1000, "a number without an end"),
        (b"\x12" + encoder.varint(2**62) + b"\x00", f"a field of {2**62} bytes where 1 are left"),
        (b"\x0b" * 500_000, "a field with the key 11"),
        (b"\x18\x01" * 300_000, "more than 50000 fields"),
        (b"\x1d1234\x251234" * 100_000, "more than 50000 fields"),
        (encoder.encode([("a", []), ("b", [])]), "no layer with weights"),
        (encoder.encode([*LAYERS.items()] * 2), "two layers 'conv1_1' with weights"),
        (blob_of((2, 3, 1, 1), 5), r"'bad' with 5 numbers for the shape \(2, 3, 1, 1\)"),
        (blob_of((-2, -3, 1, 1), 6), r"for the shape \(-2, -3, 1, 1\)"),
        (blob_of((2**31, 2**31, 2**31, 2**31), 6), "with 6 numbers for the shape"),
        (blob_of((6,), 6), r"for the shape \(6, 0, 0, 0\)"),
        (blob_of((), 6), r"for the shape \(\)"),
        (b"".join(encoder.message(100, *MANY_SIDES)), "0 numbers for a shape of 40000 sides"),
    ],
)
def test_what_is_no_caffemodel_is_refused(tmp_path, content, reason):
    path = write(tmp_path / "foreign.caffemodel", content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"foreign\.caffemodel` must be a \.caffemodel.*" + reason):
        read_caffemodel(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_nesting_is_not_followed(tmp_path):
    nested = b""
    for _ in range(3_000):
        nested = b"".join(encoder.message(99, nested))
    layers = b"".join(encoder.message(2, nested)) + WHOLE
    assert list(read(write(tmp_path / "net.caffemodel", layers))) == list(LAYERS)


def test_no_mutation_gets_through_as_another_error(tmp_path):
    path, generator = tmp_path / "net.caffemodel", np.random.default_rng(0)
    small = encoder.encode([("conv", [np.ones((2, 1, 1, 3), "float32")])], unknown=True)
    cases = [small[:length] for length in range(len(small))]
    for _ in range(1_500):
        changed = bytearray(small)
        for place in generator.integers(0, len(small), generator.integers(1, 4)):
            changed[place] = generator.integers(0, 256)
        cases.append(bytes(changed))
    refused = 0
    for content in cases:
        try:
            read(write(path, content))
        except UserError:
            refused += 1
    assert len(small) // 2 < refused < len(cases)


def test_a_gigabyte_that_is_none_is_refused_without_reading_it(tmp_path):
    path = write(tmp_path / "sparse.caffemodel", b"\x12" + encoder.varint(2**30 - 6))
    os.truncate(path, 2**30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="key 0"):
        read_caffemodel(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    for value in (np.array([np.nan], "float32"), np.array([1e300])):
        path = write(tmp_path / "net.caffemodel", encoder.encode([("fc7", [value])]))
        with pytest.raises(UserError, match="not finite in layer 'fc7'"):
            read(path)


def test_a_file_that_shrinks_after_the_first_look_is_told(tmp_path):
    path = write(tmp_path / "net.caffemodel", WHOLE)
    blobs = read_caffemodel(path)
    path.write_bytes(WHOLE[:40])
    with pytest.raises(UserError, match="an end in the middle of layer 'conv1_1'"):
        blobs["conv1_1"][0].read()


def test_what_is_no_file_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "missing.caffemodel", "/dev/zero"):
        with pytest.raises(UserError, match="no such file"):
            read_caffemodel(path)


def test_the_encoder_streams():
    file = io.BytesIO()
    encoder.write(file, LAYERS.items())
    assert file.getvalue() == WHOLE
