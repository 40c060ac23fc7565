"""Reading and writing photographs and label maps: RGB uint8 and class indices, nothing else.

Reading is bounded: the size is taken from the file's header and checked before anything is decoded.
OpenCV is imported when it is first needed.
"""

import os
from pathlib import Path

import numpy as np

from tfdeconv import labels as label_maps
from tfdeconv.errors import UserError
from tfdeconv.image_header import PNG_GRAY, PNG_PALETTE, Header, parse_header

# Twice what Pillow warns at: 8-bit RGB of this many pixels takes half a gigabyte.
MAX_PIXELS = 178_956_970


def read_header(path: str | os.PathLike[str]) -> Header:
    """Reads size and kind of an image file without decoding it.

    Args:
        path: A JPEG or PNG file.

    Returns:
        Its `Header`.

    Raises:
        UserError: when the file is missing, no JPEG or PNG, or cut short.
    """
    return parse_header(_read_file(path), os.fspath(path))


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a photograph as RGB, upright.

    Gray, palette, CMYK and 16-bit files are converted, transparency is dropped, and EXIF's
    orientation is applied.

    Args:
        path: A JPEG or PNG file of at most `MAX_PIXELS` pixels.

    Returns:
        `(height, width, 3)` uint8 RGB array.

    Raises:
        UserError: when the file is missing, no JPEG or PNG, damaged, cut short or too large.
    """
    return decode_image(_read_file(path), os.fspath(path))


def decode_image(data: bytes, name: str = "image") -> np.ndarray:
    """Decodes a JPEG or PNG as `read_image` does.

    Args:
        data: The bytes of the file.
        name: What to call it in errors.

    Returns:
        `(height, width, 3)` uint8 RGB array.

    Raises:
        UserError: as `read_image`.

    Example:

    >>> decode_image(encode_png(np.full((2, 3, 3), 7, np.uint8))).shape
    (2, 3, 3)
    """
    import cv2

    _check_size(parse_header(data, name), name)
    return _decode(data, cv2.IMREAD_COLOR_RGB, name)


def read_labels(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a label map: a palette PNG in VOC's colours or a gray PNG of class indices.

    Args:
        path: A PNG file with 1 to 8 bits a pixel.

    Returns:
        `(height, width)` uint8 array of labels.

    Raises:
        UserError: when the file is missing, no such PNG, damaged, too large, or has a colour that
            is not in the palette.
    """
    return decode_labels(_read_file(path), os.fspath(path))


def decode_labels(data: bytes, name: str = "labels") -> np.ndarray:
    """Decodes a label map as `read_labels` does.

    Args:
        data: The bytes of the file.
        name: What to call it in errors.

    Returns:
        `(height, width)` uint8 array of labels.

    Raises:
        UserError: as `read_labels`.
    """
    import cv2

    header = parse_header(data, name)
    _check_size(header, name)
    if (
        header.format != "png"
        or header.bits > 8
        or header.colour_type not in (PNG_GRAY, PNG_PALETTE)
    ):
        raise UserError(
            f"`{name}` must be a palette or 8-bit gray PNG of class indices. Received: {header}. "
            "Save the class indices themselves, not a picture of them."
        )
    if header.colour_type == PNG_PALETTE:
        try:
            return label_maps.colours_to_labels(_decode(data, cv2.IMREAD_COLOR_RGB, name))
        except UserError as error:
            raise UserError(f"`{name}`: {error}") from error
    # Decoders stretch 1, 2 and 4 bits to the range 0 to 255; indices are wanted.
    return _decode(data, cv2.IMREAD_GRAYSCALE, name) // np.uint8(255 // (2**header.bits - 1))


def encode_png(image: np.ndarray) -> bytes:
    """Encodes a `(height, width, 3)` uint8 RGB array as a PNG file."""
    return _encode(".png", image, [])


def encode_jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    """Encodes a `(height, width, 3)` uint8 RGB array as a JPEG file of `quality` 1 to 100."""
    import cv2

    return _encode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _read_file(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(
            f"`{os.fspath(path)}` must be a file that can be read. Received: "
            f"{error.strerror or error}. Check the name and the permissions."
        ) from error


def _check_size(header: Header, name: str) -> None:
    if header.height * header.width > MAX_PIXELS:
        raise UserError(
            f"`{name}` must have at most {MAX_PIXELS} pixels. Received: {header.width}x"
            f"{header.height}. Shrink it or cut it into tiles."
        )


def _decode(data: bytes, flags: int, name: str) -> np.ndarray:
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        image, reason = None, str(error)
    else:
        reason = "its pixels cannot be decoded"
    if image is None:
        raise UserError(
            f"`{name}` must be an image in working order. Received: {reason}. Replace it."
        )
    return image


def _encode(ending: str, image: np.ndarray, options: list[int]) -> bytes:
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            "`image` must be a non-empty (height, width, 3) uint8 array. "
            f"Received: shape={image.shape}, dtype={image.dtype}"
        )
    _, data = cv2.imencode(ending, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return data.tobytes()
