"""Photographs in the graph: the pixels of `tfdeconv.images.decode_image`, or why there are none."""

import re
import resource
import struct
import zlib

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
from tfdeconv.export import image_bytes
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
PROGRESSIVE = KINDS["progressive jpeg"]
# Files of another kind, without pixels or with too many: what an array of bytes can tell for free.
NAMED = {
    "nothing": (b"", "0 bytes of another kind"),
    "text": (b"hello", "5 bytes of another kind"),
    "gif": (b"GIF89a" + bytes(100), "106 bytes of another kind"),
    "bmp": (cv2.imencode(".bmp", PHOTO)[1].tobytes(), "bytes of another kind"),
    "jpeg: its first marker": (b"\xff\xd8", "2 bytes of another kind"),
    "jpeg: no marker": (JPEG[:2] + b"abcd" + JPEG[2:], "bytes of another kind"),
    "png: its signature": (PNG[:8], "8 bytes of another kind"),
    "png: no header": (PNG[:8] + PNG[33:], "bytes of another kind"),
    "png: a long header": (PNG[:8] + chunk(b"IHDR", bytes(14)) + PNG[33:], "of another kind"),
    "png: half a header": (PNG[:18], "have 1 to 65536 pixels"),
    "no pixels": (empty_png(0, 7), r"have 1 to 65536 pixels.* height, width\] \[0\] \[7\]"),
    "too many pixels": (empty_png(256, 257), r"have 1 to 65536 pixels.* \[256\] \[257\]"),
    "too long": (empty_png(1, 2_000_000), "have 1 to 65536 pixels"),
    "too many bytes": (PNG[:16] + b"\xff" * 8 + PNG[24:], "have 1 to 65536 pixels"),
}
BY_DECODER = {
    "jpeg: its first segments": JPEG[:200],
    "jpeg: its header": JPEG[: JPEG.index(b"\xff\xda") + 9],
    "jpeg: no end": JPEG[:-3],
    "progressive jpeg: no end": PROGRESSIVE[:-1],
    "jpeg: two frames": JPEG[:2] + segment(0xC0, bytes([8, 0, 9, 0, 9, 3])) + JPEG[2:],
    "jpeg: no frame": b"\xff\xd8" + segment(0xDA, b"") + b"\xff\xd9",
    "jpeg: no colours": JPEG.replace(b"\xff\xda\0\x0c\3", b"\xff\xda\0\x0c\0"),
    "jpeg: lossless": JPEG.replace(b"\xff\xc0", b"\xff\xc3"),
    "jpeg: a reserved marker": JPEG[:-2] + b"\xff\5" + JPEG[-2:],
    "png: no end": PNG[:-12],
    "png: a pixel changed": PNG[:90] + bytes([PNG[90] ^ 1]) + PNG[91:],
    "png: two headers": PNG[:33] + _HEADER + PNG[33:],
    "png: 4 bits of RGB": PNG[:8] + chunk(b"IHDR", _HEADER[8:16] + b"\4\2\0\0\0") + PNG[33:],
    "png: a filter": PNG[:8] + chunk(b"IHDR", _HEADER[8:18] + b"\0\1\0") + PNG[33:],
}


@pytest.mark.parametrize("name", NAMED)
def test_another_kind_or_size_is_refused_by_name(decode, name: str) -> None:
    data, reason = NAMED[name]
    message = refusal(decode, data)
    assert "`images_bytes[3]` must" in message
    assert re.search(reason, message), message


@pytest.mark.parametrize("name", BY_DECODER)
def test_damaged_files_are_refused_by_the_decoder(decode, name: str) -> None:
    assert re.search("Invalid (JPEG|PNG)", refusal(decode, BY_DECODER[name]))


# Pillow reads larger ones and other formats, and ignores markers that stand alone.
ONLY_HERE = {"too many pixels", "too long", "jpeg: a reserved marker", "bmp"}


@pytest.mark.parametrize("name", sorted((NAMED.keys() | BY_DECODER.keys()) - ONLY_HERE))
def test_what_is_refused_in_the_graph_is_refused_by_pillow(name: str) -> None:
    with pytest.raises(UserError):
        images.decode_image(BY_DECODER.get(name) or NAMED[name][0])


def claims(data: bytes, frame: int, height: int, width: int) -> bytes:
    """The JPEG file with another size in its frame header."""
    start = data.index(bytes([255, frame])) + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


TEXT = zlib.compress(bytes(7_900_000), 9)
SCAN = segment(0xDA, b"\1\1\0\1\5\0")
BOMBS = {
    "png of 100 megapixels": (empty_png(10_000, 10_000), r"\[10000\] \[10000\]"),
    "jpeg": (claims(JPEG, 0xC0, 20_000, 20_000), r"\[20000\] \[20000\]"),
    "progressive jpeg": (claims(PROGRESSIVE, 0xC2, 65_500, 65_500), r"\[65500\] \[65500\]"),
    "a chunk that claims to be the header": (
        PNG[:8] + chunk(b"abCd", _HEADER[8:21]) + empty_png(10_000, 10_000)[8:],
        "of another kind",
    ),
    "texts": (PNG[:33] + chunk(b"zTXt", b"a\0\0" + TEXT) * 33 + PNG[33:], "or 32 compressed"),
    "texts behind": (
        PNG[:-12] + chunk(b"iTXt", b"a\0\1\0\0\0" + TEXT) * 33 + PNG[-12:],
        "or 32 compressed",
    ),
    "scans": (PROGRESSIVE[:-2] + SCAN * 500 + b"\xff\xd9", "have at most 500 scans"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_take_memory(decode, name: str) -> None:
    data, reason = BOMBS[name]
    assert len(data) < 300_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = refusal(decode, data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert "`images_bytes[3]` must" in message and re.search(reason, message), message


def test_as_many_scans_and_texts_as_files_have_are_decoded(decode) -> None:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"text"))
    for data in (PROGRESSIVE[:-2] + SCAN * 100 + b"\xff\xd9", PNG[:33] + text * 32 + PNG[33:]):
        assert decode(tf.constant(data)).shape == PHOTO.shape


def test_an_exif_block_behind_more_parts_than_files_have_is_not_read(decode, monkeypatch) -> None:
    monkeypatch.setattr(image_bytes, "_MOST_PARTS", 4)
    for data, part in ((JPEG, segment(0xFE, b"")), (PNG, chunk(b"tEXt", b"a\0"))):
        start = 2 if data is JPEG else 33
        turned = with_exif(data, tiff(6))
        many = turned[:start] + 5 * part + turned[start:]
        upright = image_bytes.decode_upright(tf.constant(many), tf.constant(0), MAX_PIXELS)
        assert upright.shape == (31, 45, 3) and decode(tf.constant(many)).shape == (45, 31, 3)


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, PNG], ids=["jpeg", "progressive", "png"])
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
