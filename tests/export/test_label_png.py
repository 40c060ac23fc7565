"""Label PNGs of the graph are read by everybody as the labels that they were."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfdeconv import images, labels
from tfdeconv.data.decode import decode_labels
from tfdeconv.export.image_bytes import encode_label_png


@pytest.fixture(scope="module")
def encode():
    return tf.function(encode_label_png, input_signature=[tf.TensorSpec((None, None), tf.uint8)])


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG file, whose checksums are right."""
    found, position = [], 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8 + length]
        assert struct.unpack_from(">I", data, position + 8 + length)[0] == zlib.crc32(kind)
        found.append((kind[:4], kind[4:]))
        position += 12 + length
    return found


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (8, 32), (255, 256), (257, 3)])
def test_labels_come_back(encode, shape: tuple[int, int], tmp_path) -> None:
    expected = np.resize(np.random.default_rng(0).permutation(256).astype(np.uint8), shape)
    data = encode(expected).numpy()
    (tmp_path / "labels.png").write_bytes(data)
    np.testing.assert_array_equal(images.read_labels(tmp_path / "labels.png"), expected)
    np.testing.assert_array_equal(decode_labels(tf.constant(data)), expected)
    colours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(colours, labels.palette()[expected])


def test_it_is_a_palette_png(encode) -> None:
    (header, body), (palette, colours), *rest = chunks(encode(np.zeros((2, 3), np.uint8)).numpy())
    assert (header, body) == (b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 3, 0, 0, 0))
    assert (palette, colours) == (b"PLTE", labels.palette().tobytes())
    assert [kind for kind, _ in rest] == [b"IDAT", b"IEND"]


def test_it_has_the_colours_of_the_classes() -> None:
    own = np.array([[1, 2, 3], [250, 0, 7], [9, 9, 9]], np.uint8)
    expected = np.array([[0, 2, 1], [255, 1, 0]], np.uint8)
    data = encode_label_png(tf.constant(expected), own).numpy()
    np.testing.assert_array_equal(images.decode_labels(data), expected)
    assert chunks(data)[1][1] == chunks(labels.encode_png(expected, own))[1][1]
