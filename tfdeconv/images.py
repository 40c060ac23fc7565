"""Reading and writing image files with Pillow: RGB uint8 photographs and class indices.

The size in the file's header is checked before a pixel is decoded. JPEGs and PNGs get the pixels
that the `tf.data` pipeline gives them (`tfdeconv.data.decode`), and are read only when they are
complete: a PNG's checksums must be right, and a JPEG must have its end mark. Pillow is imported
when it is first needed.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfdeconv import labels as label_maps
from tfdeconv.errors import UserError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# 8-bit RGB of this many pixels takes half a gigabyte; Pillow opens no larger ones either.
MAX_PIXELS = 178_956_970
# The endings of photographs in a folder.
ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".avif", ".jp2", ".ppm", ".pgm", ".pbm"),
)

# Pillow knows more, some of which start other programs or hold no photographs.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000")
_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG_BITS = 24
_ORIENTATION = 0x0112
_OTHER_FILES = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\3\4", "a ZIP archive, or a document that is one"),
    (0, b"version https://git-lfs", "a Git LFS pointer in place of the file"),
    (0, b"\0\5\x16\7", "a macOS file of attributes"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<!DOCTYPE html", "a page of HTML"),
    (0, b"<html", "a page of HTML"),
    (4, b"ftyphe", "an HEIC photograph, which must be exported as a JPEG"),
    (4, b"ftypmif", "an HEIC photograph, which must be exported as a JPEG"),
    (4, b"ftyp", "a video"),
)


class Header(NamedTuple):
    """The header of an image file.

    Attributes:
        format: Pillow's name of the format, such as "JPEG" or "PNG".
        height: rows as stored, before `orientation` is applied.
        width: columns as stored.
        orientation: EXIF's, 1 (upright) to 8.
    """

    format: str
    height: int
    width: int
    orientation: int


def read_header(path: str | os.PathLike[str]) -> Header:
    """Reads kind, size and orientation of an image file without decoding its pixels.

    Raises:
        UserError: when the file is missing, no image, damaged, cut short or too large.
    """
    data, name = _read_file(path), os.fspath(path)
    with _quiet():
        image = _open(data, name)
        if image.format == "PNG" and b"eXIf" in data:
            # It may stand behind the pixels, with which it is read.
            _load(image, name)
        return Header(image.format or "", image.height, image.width, _orientation(image))


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a photograph as RGB, upright.

    Gray, palette, CMYK and 16-bit files are converted, transparency is dropped, EXIF's orientation
    is applied, and of an animation the first frame is taken.

    Args:
        path: A JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000 or PPM file of at most
            `MAX_PIXELS` pixels.

    Returns:
        `(height, width, 3)` uint8 RGB array.

    Raises:
        UserError: when the file is missing, no image, damaged, cut short or too large.
    """
    return decode_image(_read_file(path), os.fspath(path))


def decode_image(data: bytes, name: str = "image") -> np.ndarray:
    """Decodes the bytes of a photograph as `read_image` does; `name` is used in errors.

    Example:

    >>> decode_image(encode_png(np.full((2, 3, 3), 7, np.uint8))).shape
    (2, 3, 3)
    """
    with _quiet():
        image = _open(data, name)
        _load(image, name)
        return _turn_upright(_rgb(image, name), _orientation(image))


def read_labels(
    path: str | os.PathLike[str], class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Reads a label map: a palette or gray PNG of class indices.

    Args:
        path: A PNG file with 1 to 8 bits a pixel.
        class_names: Those of the data set or model; None for PASCAL VOC's. They matter for palettes
            in another order than the labels, see `tfdeconv.labels.labels_of_indices`.

    Returns:
        `(height, width)` uint8 array of labels.

    Raises:
        UserError: when the file is missing, no such PNG, damaged, too large, or has an index
            outside its palette.
    """
    return decode_labels(_read_file(path), os.fspath(path), class_names)


def decode_labels(
    data: bytes, name: str = "labels", class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Decodes the bytes of a label map as `read_labels` does; `name` is used in errors."""
    with _quiet():
        image = _open(data, name)
    if image.format != "PNG" or image.mode not in ("1", "L", "P"):
        raise UserError(
            f"`{name}` must be a palette or 8-bit gray PNG of class indices. Received: "
            f"{image.format} of mode {image.mode!r}. Save the class indices themselves, not a "
            "picture of them."
        )
    palette = _palette(image)
    with _quiet():
        _load(image, name)
    indices = np.array(image, np.uint8)
    if image.mode == "L":
        # Pillow stretches 2 and 4 bits to the range 0 to 255; indices are wanted.
        return indices // np.uint8(255 // (2 ** data[_PNG_BITS] - 1))
    if palette is None:
        return indices
    try:
        return label_maps.apply_palette(indices, palette, class_names)
    except UserError as error:
        raise UserError(f"`{name}`: {error}") from error


def read_objects(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an instance map: a palette or gray PNG of instance numbers.

    Args:
        path: A PNG file with 1 to 8 bits a pixel, in which 255 is void, or a gray one with 16 bits,
            in which 65535 is void.

    Returns:
        `(height, width)` uint16 array of instance numbers, 65535 for void.

    Raises:
        UserError: as `read_labels`.
    """
    return decode_objects(_read_file(path), os.fspath(path))


def decode_objects(data: bytes, name: str = "objects") -> np.ndarray:
    """Decodes the bytes of an instance map as `read_objects` does; `name` is used in errors."""
    with _quiet():
        image = _open(data, name)
        if image.format == "PNG" and image.mode.startswith("I"):
            _load(image, name)
            return np.array(image, np.uint16)
    objects = decode_labels(data, name).astype(np.uint16)
    objects[objects == label_maps.IGNORE_LABEL] = label_maps.VOID_OBJECT
    return objects


def read_palette(path: str | os.PathLike[str]) -> np.ndarray | None:
    """Reads the palette of a PNG: `(n, 3)` uint8 RGB, or None in a PNG without one.

    Raises:
        UserError: when the file is missing, no image, damaged or too large.
    """
    with _quiet():
        return _palette(_open(_read_file(path), os.fspath(path)))


def encode_png(image: np.ndarray) -> bytes:
    """Encodes a `(height, width, 3)` uint8 RGB array as a PNG file."""
    return _encode(image, "PNG", compress_level=1)


def encode_jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    """Encodes a `(height, width, 3)` uint8 RGB array as a JPEG file of `quality` 1 to 100."""
    return _encode(image, "JPEG", quality=quality)


def _read_file(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(
            f"`{os.fspath(path)}` must be a file that can be read. Received: "
            f"{error.strerror or error}. Check the name and the permissions."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # Pillow warns about metadata that are not used here. Other threads may leave the filter in
    # place, so it is restricted to Pillow.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _open(data: bytes, name: str) -> ImageFile:
    """Opens an image whose file is complete and whose size is bounded; decodes no pixel."""
    try:
        image = _identify(data)
        if image is not None:
            _check_whole(image, data)
    except Exception as error:  # What the formats' readers raise for damaged files is not bounded.
        raise _damaged(
            name, f"a file of {len(data)} bytes that is cut short, too large or damaged ({error})"
        ) from error
    if image is None:
        raise UserError(
            f"`{name}` must be an image, such as a JPEG or PNG. Received: {_kind(data)}. Convert "
            "or replace it."
        )
    if image.width < 1 or image.height < 1:
        raise UserError(f"`{name}` must have pixels. Received: {image.width}x{image.height}.")
    if image.width * image.height > MAX_PIXELS:
        raise UserError(
            f"`{name}` must have at most {MAX_PIXELS} pixels. Received: {image.width}x"
            f"{image.height}. Shrink it or cut it into tiles."
        )
    return image


def _identify(data: bytes) -> ImageFile | None:
    from PIL import Image

    # Image.open would warn or fail by a limit that belongs to the process, and not tell the size.
    Image.preinit()
    for kind in _FORMATS:
        if kind not in Image.OPEN:
            Image.init()
        factory, accepts = Image.OPEN[kind]
        if accepts is None or accepts(data[:16]) is True:
            return factory(io.BytesIO(data), "")
    return None


def _check_whole(image: ImageFile, data: bytes) -> None:
    if image.format == "PNG":
        head = data[: data.find(b"IDAT")]
        if not head.startswith(_PNG_START) or head.count(b"IHDR") > 1:
            # Another decoder might go by another header than the one that is checked here.
            raise ValueError("its header is not its first chunk")
        type(image)(io.BytesIO(data)).verify()
    elif image.format == "JPEG":
        # It has been read up to its first scan, so that this end is no thumbnail's.
        start = image.fp.tell() if image.fp else 0
        if data.find(b"\xff\xd9", start) < 0:
            raise ValueError("no end mark")


def _palette(image: ImageFile) -> np.ndarray | None:
    # Only before the pixels are read is the palette as long as it stands in the file.
    if image.mode != "P" or image.palette is None:
        return None
    return np.frombuffer(image.palette.getdata()[1], np.uint8).reshape(-1, 3)


def _load(image: ImageFile, name: str) -> None:
    try:
        image.load()
    except Exception as error:  # As in `_open`.
        raise _damaged(name, f"pixels that cannot be decoded ({error})") from error


def _damaged(name: str, received: str) -> UserError:
    return UserError(
        f"`{name}` must be an intact image. Received: {received}. Copy it again or remove it."
    )


def _kind(data: bytes) -> str:
    if not data:
        return "an empty file"
    for place, mark, kind in _OTHER_FILES:
        if data[place : place + len(mark)] == mark:
            return kind
    start = data[:40].decode(errors="replace")
    if "\0" not in start and "\N{REPLACEMENT CHARACTER}" not in start[:-1]:
        return f"text that begins with {start!r}"
    return f"a file that begins with {data[:8]!r}"


def _rgb(image: ImageFile, name: str) -> np.ndarray:
    if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PPM"):
        gray = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    if image.mode == "CMYK":
        # In whole numbers, as TensorFlow's decoder has it; Pillow rounds otherwise.
        light = 255 - np.asarray(image).astype(np.uint16)
        return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)
    if image.mode in ("I", "F"):
        raise UserError(
            f"`{name}` must have 8 or 16 bits a channel. Received: {image.format} of mode "
            f"{image.mode!r}, whose range is not known. Convert it to 8 bits."
        )
    try:
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except ValueError as error:
        raise UserError(
            f"`{name}` must be convertible to RGB. Received: {image.format} of mode "
            f"{image.mode!r}. Save it as RGB."
        ) from error


def _orientation(image: ImageFile) -> int:
    from PIL import Image

    try:
        # The format's own method would read the pixels of a PNG once more.
        orientation = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:  # A damaged EXIF block says nothing about the image itself.
        return 1
    return orientation if orientation in range(1, 9) else 1


def _turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    if orientation > 4:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _encode(image: np.ndarray, kind: str, **options: Any) -> bytes:
    from PIL import Image

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            "`image` must be a non-empty (height, width, 3) uint8 array. "
            f"Received: shape={image.shape}, dtype={image.dtype}"
        )
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()
