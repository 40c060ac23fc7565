"""Photographs in the graph: the pixels of `tfdeconv.images.decode_image`, or why there are none."""

import re
import resource
import struct

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.export.image_files import (
    DEEP,
    JPEG,
    KINDS,
    PHOTO,
    PNG,
    chunk,
    cmyk_jpeg,
    empty_png,
    segment,
    tiff,
    with_exif,
)
from tfdeconv import images
from tfdeconv.errors import UserError
from tfdeconv.export import jpeg_segments, png_chunks
from tfdeconv.export.image_bytes import decode_upright

MAX_PIXELS = 2**16


@pytest.fixture(scope="module")
def decode():
    """One graph for all: bytes -> pixels, as element 3 of a batch."""
    return tf.function(
        lambda data: decode_upright(data, tf.constant(3), MAX_PIXELS),
        input_signature=[tf.TensorSpec((), tf.string)],
    )


def refusal(decode, data: bytes) -> str:
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        decode(tf.constant(data))
    return error.value.message


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_of_pillow(decode, kind: str) -> None:
    decoded = decode(tf.constant(KINDS[kind]))
    np.testing.assert_array_equal(decoded, images.decode_image(KINDS[kind]))


@pytest.mark.parametrize("transform", [0, 2])
def test_cmyk_is_pillows_but_for_rounding(decode, transform: int) -> None:
    data = cmyk_jpeg(DEEP.astype(np.uint8), transform)
    decoded = decode(tf.constant(data)).numpy().astype(int)
    assert decoded.shape == (72, 56, 3) and decoded.std() > 40
    assert np.abs(decoded - images.decode_image(data)).max() <= 2


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
@pytest.mark.parametrize("orientation", range(10))
def test_photographs_are_turned_upright(decode, data: bytes, orientation: int) -> None:
    for order in "<>":
        turned = with_exif(data, tiff(orientation, order, others=2))
        np.testing.assert_array_equal(decode(tf.constant(turned)), images.decode_image(turned))


def test_orientations_by_hand(decode) -> None:
    turned = {
        2: PHOTO[:, ::-1],
        6: np.rot90(PHOTO, -1),
        8: np.rot90(PHOTO),
        5: PHOTO.swapaxes(0, 1),
    }
    for orientation, expected in turned.items():
        data = with_exif(PNG, tiff(orientation))
        np.testing.assert_array_equal(decode(tf.constant(data)), expected)


_SIX = tiff(6)
DAMAGED_EXIF = {
    "nothing": b"",
    "another mark": _SIX[:2] + b"zz" + _SIX[4:],
    "cut in the entry": _SIX[:18],
    "cut in the directory": _SIX[:9],
    "directory elsewhere": _SIX[:4] + struct.pack("<I", 9999) + _SIX[8:],
    "other order": b"MM" + _SIX[2:],
}


@pytest.mark.parametrize("damage", DAMAGED_EXIF)
def test_damaged_exif_means_upright(decode, damage: str) -> None:
    data = with_exif(JPEG, DAMAGED_EXIF[damage])
    np.testing.assert_array_equal(decode(tf.constant(data)), images.decode_image(JPEG))


def test_the_first_of_two_exif_blocks_counts(decode) -> None:
    # A PNG must not have two: here the first one counts, and for Pillow the last.
    for data in (JPEG, PNG):
        both = with_exif(with_exif(data, tiff(3)), tiff(6))
        assert decode(tf.constant(both)).shape == (45, 31, 3)
    both = with_exif(with_exif(JPEG, tiff(3)), tiff(6))
    np.testing.assert_array_equal(decode(tf.constant(both)), images.decode_image(both))


def test_entries_behind_a_count_that_is_too_high_are_not_read(decode) -> None:
    many = _SIX[:8] + struct.pack("<H", 500) + _SIX[10:]
    data = with_exif(PNG, many)
    np.testing.assert_array_equal(decode(tf.constant(data)), images.decode_image(data))
    assert decode(tf.constant(data)).shape == (45, 31, 3)


_HEADER = PNG[8:33]
REFUSED = {
    "nothing": (b"", "0 bytes of another kind"),
    "text": (b"hello", "5 bytes of another kind"),
    "gif": (b"GIF89a" + bytes(100), "106 bytes of another kind"),
    "bmp": (cv2.imencode(".bmp", PHOTO)[1].tobytes(), "bytes of another kind"),
    "jpeg: its first marker": (b"\xff\xd8", r"2 bytes cut short .*ends before its pixels"),
    "jpeg: its first segments": (JPEG[:200], "200 bytes cut short .*ends before its pixels"),
    "jpeg: no end": (JPEG[:-3], "no end mark"),
    "jpeg: no marker": (JPEG[:2] + b"abcd" + JPEG[2:], "no marker where one should be"),
    "jpeg: two frames": (JPEG[:2] + segment(0xC0, bytes([8, 0, 9, 0, 9, 3])) + JPEG[2:], "two fr"),
    "jpeg: no frame": (b"\xff\xd8" + segment(0xDA, b"") + b"\xff\xd9", "no frame header"),
    "jpeg: no length": (JPEG[:2] + b"\xff\xe2\0\0" + JPEG[2:], "a segment without a length"),
    "jpeg: a restart": (JPEG[:2] + b"\xff\xd0\0\2" + JPEG[2:], "a marker out of place"),
    "png: its signature": (PNG[:8], "8 bytes cut short .*ends within a chunk"),
    "png: no end": (PNG[:-12], "ends within a chunk"),
    "png: a pixel changed": (PNG[:90] + bytes([PNG[90] ^ 1]) + PNG[91:], "a checksum is wrong"),
    "png: a remark changed": (PNG[:33] + b"\0\0\0\3tEXta=b\0\0\0\0" + PNG[33:], "a checksum is"),
    "png: no header": (PNG[:8] + PNG[33:], "its header is not its first chunk"),
    "png: two headers": (PNG[:33] + _HEADER + PNG[33:], "its header is not its first chunk"),
    "png: a long header": (PNG[:8] + chunk(b"IHDR", bytes(14)) + PNG[33:], "another length"),
    "png: 4 bits of RGB": (
        PNG[:8] + chunk(b"IHDR", _HEADER[8:16] + b"\4\2\0\0\0") + PNG[33:],
        "is wro",
    ),
    "png: a filter": (
        PNG[:8] + chunk(b"IHDR", _HEADER[8:18] + b"\0\1\0") + PNG[33:],
        "header is wr",
    ),
    "no pixels": (empty_png(0, 7), r"have 1 to 65536 pixels .*height and width\] \[0\] \[7\]"),
    "too many pixels": (empty_png(256, 257), r"have 1 to 65536 pixels .*\[256\] \[257\]"),
    "too long": (empty_png(1, 2_000_000), "have 1 to 65536 pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_by_name(decode, name: str) -> None:
    data, reason = REFUSED[name]
    message = refusal(decode, data)
    assert "`images_bytes[3]` must" in message
    assert re.search(reason, message), message


# Pillow reads larger ones and other formats, and passes over markers that stand alone and segments
# without a length.
ONLY_HERE = {"too many pixels", "too long", "jpeg: a restart", "jpeg: no length", "bmp"}


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - ONLY_HERE))
def test_what_is_refused_in_the_graph_is_refused_by_pillow(name: str) -> None:
    with pytest.raises(UserError):
        images.decode_image(REFUSED[name][0])


def test_a_hundred_megapixels_are_refused_before_they_are_decoded(decode) -> None:
    data = empty_png(10_000, 10_000)
    assert len(data) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "[10000] [10000]" in refusal(decode, data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_files_of_nothing_but_chunks_or_segments_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(png_chunks, "MOST_PARTS", 4)
    monkeypatch.setattr(jpeg_segments, "MOST_PARTS", 4)
    for read, data in (
        (png_chunks.read_chunks, PNG[:33] + 5 * chunk(b"tEXt", b"") + PNG[33:]),
        (jpeg_segments.read_segments, JPEG[:2] + 5 * b"\xff" + JPEG[2:]),
    ):
        damage = read(tf.io.decode_raw(data, tf.uint8)).damage
        assert b"it has too many" in damage.numpy()


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
def test_files_that_were_damaged_at_random(decode, data: bytes) -> None:
    generator = np.random.default_rng(0)
    for number in range(60):
        damaged = bytearray(data[: generator.integers(len(data))] if number % 2 else data)
        place = generator.integers(len(damaged)) if damaged else 0
        damaged[place : place + 1] = bytes(generator.integers(0, 256, 1).astype(np.uint8))
        try:
            expected = images.decode_image(bytes(damaged))
        except UserError:
            refusal(decode, bytes(damaged))
        else:
            np.testing.assert_array_equal(decode(tf.constant(bytes(damaged))), expected)
