"""What a JPEG or PNG file says of itself, read without decoding it.

The header is checked before a decoder allocates anything, so that a file of a few kilobytes cannot
claim gigabytes, and a file that was cut short is told apart from a whole one.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tfdeconv.errors import UserError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_GRAY, PNG_RGB, PNG_PALETTE = 0, 2, 3
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA
_TIFF_MARK, _EXIF_ORIENTATION = 42, 0x0112


class Header(NamedTuple):
    """What the first bytes of an image file say.

    Attributes:
        format: "jpeg" or "png".
        height: rows as stored, before `orientation` is applied.
        width: columns as stored.
        bits: bits of a channel (of a palette index in a palette PNG).
        colour_type: PNG's colour type (0 gray, 2 RGB, 3 palette, 4 and 6 with alpha); the number of
            channels in a JPEG (1 gray, 3 colour, 4 CMYK).
        orientation: EXIF's, 1 (upright) to 8.
    """

    format: str
    height: int
    width: int
    bits: int
    colour_type: int
    orientation: int


def parse_header(data: bytes, name: str = "image") -> Header:
    """Reads the header of an encoded image and checks that the file is whole.

    Args:
        data: The bytes of the file.
        name: What to call it in errors.

    Returns:
        The `Header`.

    Raises:
        UserError: when the file is empty, no JPEG or PNG, damaged or cut short.

    Example:

    >>> import numpy as np
    >>> from tfdeconv import labels
    >>> parse_header(labels.encode_png(np.zeros((2, 3), np.uint8)))[:4]
    ('png', 2, 3, 8)
    """
    try:
        if data.startswith(PNG_SIGNATURE):
            header = _parse_png(data)
        elif data.startswith(b"\xff\xd8"):
            header = _parse_jpeg(data)
        else:
            kind = "an empty file" if not data else f"a file that begins with {data[:8]!r}"
            raise UserError(
                f"`{name}` must be a JPEG or PNG image. Received: {kind}. Convert or replace it."
            )
    except (struct.error, IndexError, _Damaged) as error:
        raise UserError(
            f"`{name}` must be a whole image. Received: a file of {len(data)} bytes that is cut "
            f"short or damaged ({error}). Copy it again or remove it."
        ) from error
    if header.height < 1 or header.width < 1:
        raise UserError(f"`{name}` must have pixels. Received: {header.width}x{header.height}.")
    return header


class _Damaged(Exception):
    pass


def _parse_png(data: bytes) -> Header:
    position, kind, header, exif = len(PNG_SIGNATURE), b"", None, None
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            raise _Damaged(f"checksum of PNG chunk {kind!r}")
        if (kind == b"IHDR") != (header is None):
            # A decoder goes by the first one, and would not be bounded by what a second one says.
            raise _Damaged("its header is not its first chunk")
        if header is None:
            width, height, bits, colour_type = struct.unpack_from(">IIBB", body)
            header = Header("png", height, width, bits, colour_type, 1)
        elif kind == b"eXIf" and exif is None:
            exif = body
        position += 12 + length
    if header is None:
        raise _Damaged("no IHDR chunk")
    return header._replace(orientation=_orientation(exif or b""))


def _parse_jpeg(data: bytes) -> Header:
    header, exif = None, None
    for marker, start, body in _jpeg_segments(data):
        if marker == 0xE1 and body.startswith(b"Exif\0\0") and exif is None:
            exif = body[6:]
        elif marker in _JPEG_SIZES:
            if header is not None:
                raise _Damaged("two frame headers")
            bits, height, width, channels = struct.unpack_from(">BHHB", body)
            header = Header("jpeg", height, width, bits, channels, 1)
        elif marker == _JPEG_SCAN:
            # Within a scan 0xFF is escaped, so that this end is no thumbnail's.
            if data.rfind(b"\xff\xd9", start) < 0:
                raise _Damaged("no end marker")
            break
    if header is None:
        raise _Damaged("no frame header")
    return header._replace(orientation=_orientation(exif or b""))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 2
    while True:
        if data[position] != 0xFF:
            raise _Damaged(f"no JPEG marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield marker, position, data[position + 4 : position + 2 + length]
        position += 2 + length


def _orientation(tiff: bytes) -> int:
    # A damaged EXIF block says nothing about the image itself: it is read as upright.
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        mark, directory = struct.unpack_from(order + "HI", tiff, 2)
        if mark != _TIFF_MARK:
            return 1
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for index in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * index)
            if tag == _EXIF_ORIENTATION and 1 <= value <= 8:
                return value
    except (struct.error, KeyError):
        pass
    return 1
