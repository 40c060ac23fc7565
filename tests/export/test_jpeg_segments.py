"""JPEGs at which the decoder gives up are refused before it sees them, and no others are."""

import re

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.export.image_files import JPEG, KINDS, PHOTO, cmyk_jpeg, segment
from tfdeconv.export import jpeg_scans, jpeg_segments, jpeg_tables
from tfdeconv.export.image_headers import read_header

PROGRESSIVE = KINDS["progressive jpeg"]
RESTARTS = cv2.imencode(".jpg", PHOTO, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1])[1].tobytes()
GRAY = KINDS["gray jpeg"]
CMYK = cmyk_jpeg(np.arange(48, dtype=np.uint8).reshape(3, 4, 4), 0)


@pytest.fixture(scope="module")
def problem():
    """The bytes of a file -> what is wrong with it, in one graph for all."""
    spec = [tf.TensorSpec((), tf.string)]
    graph = tf.function(read_header, input_signature=spec, autograph=False)
    return lambda data: graph(tf.constant(data)).problem.numpy().decode()


def decoder_gives_up(data: bytes) -> bool:
    try:
        tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    except tf.errors.InvalidArgumentError:
        return True
    return False


def at(data: bytes, marker: int, place: int, *values: int) -> bytes:
    """The file with other bytes at a place behind the first segment of a kind."""
    start = data.index(bytes([255, marker])) + place
    return data[:start] + bytes(values) + data[start + len(values) :]


def before_pixels(added: bytes) -> bytes:
    return JPEG.replace(b"\xff\xda", added + b"\xff\xda", 1)


def at_the_end(added: bytes, data: bytes = JPEG) -> bytes:
    return data[:-2] + added + data[-2:]


# The frame header is FF C0 and length, bits, height, width, 3 colours of 3 bytes; the scan header
# FF DA and length, 3 colours of 2 bytes, first and last coefficient, shifts.
FRAME = JPEG[JPEG.index(b"\xff\xc0") :][:19]
SCAN = JPEG[JPEG.index(b"\xff\xda") :][:14]
CODES = b"\0" + bytes([1] + [0] * 15)
DAMAGED = {
    "lossless": (at(JPEG, 0xC0, 1, 0xC3), "a frame of a kind that is not decoded"),
    "bits": (at(JPEG, 0xC0, 4, 12), "not 8 bits a colour"),
    "colours": (JPEG.replace(FRAME, segment(0xC0, FRAME[4:9] + b"\2" + FRAME[10:16])), "not 1, 3"),
    "frame": (at(JPEG, 0xC0, 9, 4), "a frame header of another length"),
    "side": (at(JPEG, 0xC0, 5, 255, 255), "a side that is too long"),
    "factor of 0": (at(JPEG, 0xC0, 11, 0x02), "colours of sizes that do not go together"),
    "factor of 5": (at(JPEG, 0xC0, 11, 0x51), "colours of sizes that do not go together"),
    "two thirds": (at(JPEG, 0xC0, 11, 0x31, 1, 2, 0x21), "colours of sizes that do not go"),
    "units": (at(JPEG, 0xC0, 11, 0x33), "a scan of too large units"),
    "steps": (at(JPEG, 0xC0, 12, 2), "a scan without its quantization table"),
    "step number": (at(JPEG, 0xDB, 4, 7), "a quantization table of an unknown number"),
    "step length": (before_pixels(segment(0xDB, bytes(66))), "a quantization table of another"),
    "code number": (at(JPEG, 0xC4, 4, 0x24), "a Huffman table of an unknown number"),
    "code length": (at(JPEG, 0xC4, 5, 9), "a Huffman table of another length"),
    "many codes": (
        before_pixels(segment(0xC4, b"\0" + bytes([0] * 14 + [200, 57]) + bytes(257))),
        "a Huffman table of too many codes",
    ),
    "no room": (before_pixels(segment(0xC4, b"\0\2" + bytes(15) + bytes(2))), "its Huffman table"),
    "ones": (before_pixels(segment(0xC4, b"\0\1\1\2" + bytes(13) + bytes(4))), "its Huffman tab"),
    "dc symbol": (before_pixels(segment(0xC4, CODES + b"\x10")), "a scan without its Huffman tab"),
    "codes chosen": (at(JPEG, 0xDA, 6, 0x30), "a scan without its Huffman table"),
    "codes beyond": (at(JPEG, 0xDA, 6, 0x04), "a scan without its Huffman table"),
    "scan length": (at(JPEG, 0xDA, 3, 13), "a scan header of another length"),
    "no colours": (JPEG.replace(SCAN, segment(0xDA, b"\0\0\x3f\0"), 1), "a scan of no or too many"),
    "a colour": (at(JPEG, 0xDA, 5, 77), "a scan of a colour that the frame does not have"),
    "a scan more": (at_the_end(SCAN), "a scan after the last one"),
    "restarts": (before_pixels(segment(0xDD, b"\0\0\0")), "restarts of another length"),
    "arithmetic": (before_pixels(segment(0xCC, b"\0\0")), "tables of arithmetic coding"),
    "reserved": (at_the_end(b"\xff\x05"), "a marker of no known meaning"),
    "reserved too": (at_the_end(segment(0xF3, b"")), "a marker of no known meaning"),
    "a second start": (at_the_end(b"\xff\xd8"), "a marker out of place"),
    "the end within": (at_the_end(b"\xff\xe1\1\0"), "no end mark"),
    "frame last": (
        b"\xff\xd8" + SCAN + JPEG[2:-2].replace(SCAN, b"", 1) + b"\xff\xd9",
        "after pix",
    ),
    "part": (at(PROGRESSIVE, 0xDA, 12, 1), "a scan of a part that cannot be"),
    "shift": (at(PROGRESSIVE, 0xDA, 13, 0x0E), "a scan of a part that cannot be"),
    "refinement": (at(PROGRESSIVE, 0xDA, 13, 0x20), "a scan of a part that cannot be"),
    "end": (PROGRESSIVE[:-1], "no end mark"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_told_and_the_decoder_would_give_up(problem, name: str) -> None:
    data, reason = DAMAGED[name]
    assert re.fullmatch(rf"a whole image.*damaged \(.*{reason}.*\)\.", problem(data)), problem(data)
    # It looks up tables of arithmetic coding only where it needs them.
    assert name == "arithmetic" or decoder_gives_up(data)


READABLE = {
    "restarts": RESTARTS,
    "cmyk": CMYK,
    "motion jpeg": re.sub(
        rb"\xff\xc4\0[\x1f\xb5].{29,179}?(?=\xff[\xc4\xda])", b"", JPEG, flags=16
    ),
    "arithmetic": at(JPEG, 0xC0, 1, 0xC9),
    "a remark between scans": PROGRESSIVE.replace(b"\xff\xda", b"\xff\xfe\0\3a\xff\xda"),
    "bytes before the end": at_the_end(b"\xff\x01ab"),
    "unused codes": before_pixels(segment(0xC4, b"\3\2" + bytes(15) + bytes(2))),
    "wide steps": before_pixels(segment(0xDB, b"\x13" + bytes([1]) * 128 + b"\2" + bytes(64))),
}


@pytest.mark.parametrize("name", READABLE)
def test_what_the_decoder_reads_is_not_refused(problem, name: str) -> None:
    assert READABLE[name] != JPEG and not decoder_gives_up(READABLE[name])
    assert problem(READABLE[name]) == ""


def test_one_that_has_no_end_of_scans_or_tables_is_refused(problem) -> None:
    scans = PROGRESSIVE[:-2] + segment(0xDA, SCAN[4:]) * 100 + b"\xff\xd9"
    assert "it has too many scans" in problem(scans)
    tables = before_pixels(segment(0xDB, b"\3" + bytes(64)) * 512)
    assert "it has too many segments of quantization tables" in problem(tables)
    assert (jpeg_scans._MOST_SCANS, jpeg_tables._MOST_SEGMENTS) == (100, 512)
    assert jpeg_segments.MOST_PARTS == 2**16


@pytest.mark.parametrize(
    "data", [JPEG, PROGRESSIVE, RESTARTS, GRAY], ids=["plain", "progressive", "restarts", "gray"]
)
def test_no_file_damaged_at_random_reaches_the_decoder_in_vain(problem, data: bytes) -> None:
    generator = np.random.default_rng(len(data))
    # Flips in pixels rarely matter, so that most are made in what lies around them.
    heads = [m.start() + k for m in re.finditer(rb"\xff[\xc0-\xfe]", data) for k in range(24)]
    failures = 0
    for number in range(150):
        damaged = bytearray(data)
        places = range(len(data)) if number % 3 == 0 else [h for h in heads if h < len(data)]
        for place in generator.choice(places, 1 + number % 2):
            damaged[place] ^= int(generator.integers(1, 256))
        failures += decoder_gives_up(bytes(damaged))
        assert problem(bytes(damaged)) or not decoder_gives_up(bytes(damaged)), damaged.hex()
    assert failures > 20
