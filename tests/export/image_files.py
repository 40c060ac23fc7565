"""Image files for the tests of decoding: EXIF blocks, chunks, segments, and CMYK JPEGs."""

import struct
import zlib

import cv2
import numpy as np

from tfdeconv import images, labels

PHOTO = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (31, 45, 3)).astype(np.uint8), (0, 0), 2
)
DEEP = np.random.default_rng(0).integers(0, 65536, (9, 7, 4)).astype(np.uint16)
JPEG, PNG = images.encode_jpeg(PHOTO), images.encode_png(PHOTO)

# Every kind that has a decoder of its own, or a way of its own through it.
KINDS = {
    "jpeg": JPEG,
    "progressive jpeg": cv2.imencode(".jpg", PHOTO, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
    "gray jpeg": cv2.imencode(".jpg", PHOTO[..., 0])[1].tobytes(),
    "jpeg with fill bytes": JPEG[:2] + b"\xff\xff\xff" + JPEG[2:],
    "jpeg with bytes behind it": JPEG + bytes(5000),
    "png": PNG,
    "gray png": cv2.imencode(".png", PHOTO[..., 0])[1].tobytes(),
    "png with alpha": cv2.imencode(".png", np.dstack([PHOTO, PHOTO[..., :1]]))[1].tobytes(),
    "16-bit png": cv2.imencode(".png", DEEP[..., :3])[1].tobytes(),
    "16-bit gray png": cv2.imencode(".png", DEEP[..., 0])[1].tobytes(),
    "16-bit png with alpha": cv2.imencode(".png", DEEP)[1].tobytes(),
    "palette png": labels.encode_png(np.arange(256, dtype=np.uint8).reshape(8, 32)),
    "png with bytes behind it": PNG + bytes(5000),
    "one pixel": images.encode_png(PHOTO[:1, :1]),
}


def tiff(orientation: int, order: str = "<", others: int = 0) -> bytes:
    """An EXIF block with an orientation behind `others` entries; `order` as in `struct`."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    tags = [(0x100 + number, 7) for number in range(others)] + [(0x112, orientation)]
    entries = (struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    return start + struct.pack(order + "IH", 8, len(tags)) + b"".join(entries) + bytes(4)


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG file."""
    return struct.pack(">BBH", 255, marker, len(body) + 2) + body


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file."""
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def with_exif(data: bytes, block: bytes) -> bytes:
    """The JPEG or PNG file with an EXIF block where encoders put it."""
    if data.startswith(b"\xff"):
        return data[:2] + segment(0xE1, b"Exif\0\0" + block) + data[2:]
    return data[:33] + chunk(b"eXIf", block) + data[33:]


def empty_png(height: int, width: int) -> bytes:
    """A black gray image that is a thousand times smaller than its pixels."""
    compressor = zlib.compressobj(9)
    rows = [compressor.compress(bytes(width + 1)) for _ in range(height)]
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = b"".join([*rows, compressor.flush()])
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")
    return PNG[:8] + b"".join(chunks)


def cmyk_jpeg(blocks: np.ndarray, transform: int) -> bytes:
    """A CMYK JPEG as Adobe's programs write them, in blocks of one colour.

    Args:
        blocks: `(rows, columns, 4)` uint8, the values of each block of 8x8 pixels.
        transform: Adobe's: 0 for CMYK, 2 for YCCK.
    """
    rows, columns, _ = blocks.shape
    components = b"".join(bytes([number, 0x11, 0]) for number in range(4))
    head = b"\xff\xd8" + segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))
    # Steps of 8 for the mean of a block, which is 8 times its value: the value itself.
    head += segment(0xDB, b"\0" + b"\x08" * 64)
    head += segment(0xC0, struct.pack(">BHHB", 8, rows * 8, columns * 8, 4) + components)
    # Codes of 4 bits for 0 to 9 bits that follow, and of one bit for the end of a block.
    head += segment(0xC4, b"\0" + bytes([0, 0, 0, 10] + [0] * 12) + bytes(range(10)))
    head += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
    head += segment(0xDA, b"\4" + bytes([0, 0, 1, 0, 2, 0, 3, 0]) + b"\0\x3f\0")
    bits, before = "", np.zeros(4, int)
    for values in blocks.reshape(-1, 4).astype(int) - 128:
        for difference in (values - before).tolist():
            count = abs(difference).bit_length()
            value = difference if difference > 0 else difference + 2**count - 1
            bits += f"{count:04b}" + (f"{value:0{count}b}" if count else "") + "0"
        before = values
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits), 8))
    return head + data.replace(b"\xff", b"\xff\0") + b"\xff\xd9"
