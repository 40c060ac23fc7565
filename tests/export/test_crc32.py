"""Checksums in the graph are those of `zlib`."""

import zlib

import numpy as np
import pytest
import tensorflow as tf

from tfdeconv.export.crc32 import _PIECE, crc32


@pytest.fixture(scope="module")
def checksum():
    return tf.function(crc32, input_signature=[tf.TensorSpec((None,), tf.uint8)])


@pytest.mark.parametrize("pieces", [0, 1, 2])
@pytest.mark.parametrize("more", [4, 5, 7, 8, 63, 64, 65, 127, 128, 129, 1000])
def test_any_length(checksum, pieces: int, more: int) -> None:
    for length in (pieces * _PIECE + more, pieces * _PIECE - more):
        if length >= 4:
            data = np.random.default_rng(length).integers(0, 256, length).astype(np.uint8)
            assert int(checksum(data)) == zlib.crc32(data.tobytes())


def test_zeros_and_ones(checksum) -> None:
    for value in (0, 255):
        data = np.full(300, value, np.uint8)
        assert int(checksum(data)) == zlib.crc32(data.tobytes())
