"""The header of an image file: what a decoder goes by, and nothing that misleads a check."""

import struct

import pytest

from tests.export.image_files import JPEG, KINDS, PNG, chunk, segment, tiff, with_exif
from tfdeconv import images
from tfdeconv.errors import UserError
from tfdeconv.image_header import parse_header


@pytest.mark.parametrize("kind", KINDS)
def test_size_is_that_of_the_decoded_image(kind: str) -> None:
    header = parse_header(KINDS[kind])
    assert (header.height, header.width) == images.decode_image(KINDS[kind]).shape[:2]


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
@pytest.mark.parametrize("order", "<>")
def test_the_first_exif_block_counts(data: bytes, order: str) -> None:
    for orientation in range(1, 9):
        both = with_exif(with_exif(data, tiff(9 - orientation)), tiff(orientation, order, 2))
        assert parse_header(both).orientation == orientation
    assert parse_header(with_exif(data, b"II+" + tiff(6)[3:])).orientation == 1
    assert parse_header(with_exif(data, tiff(9))).orientation == 1
    assert parse_header(with_exif(data, tiff(6)[:12])).orientation == 1


def test_a_second_header_cannot_claim_to_be_small() -> None:
    large = struct.pack(">IIBBBBB", 2**20, 2**20, 8, 0, 0, 0, 0)
    hidden = PNG[:8] + chunk(b"IHDR", large) + PNG[8:]
    with pytest.raises(UserError, match="its header is not its first chunk"):
        parse_header(hidden, "x.png")
    with pytest.raises(UserError, match="its header is not its first chunk"):
        parse_header(PNG[:8] + chunk(b"tEXt", b"a") + PNG[8:])
    frame = segment(0xC0, struct.pack(">BHHB", 8, 65535, 65535, 1) + bytes([1, 0x11, 0]))
    with pytest.raises(UserError, match="two frame headers"):
        parse_header(JPEG[:2] + frame + JPEG[2:])
