"""Masks in image files: their raw values, whatever colours they are shown in."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from tfdeconv import images
from tfdeconv.errors import UserError

_PNG_BITS = 24


def read_values(path: Path) -> np.ndarray:
    """Reads what a mask holds: indices, gray values or colours.

    Args:
        path: A PNG, BMP, GIF or TIFF file.

    Returns:
        `(height, width)` uint8 or uint16 of the indices of a palette or the values of a gray image
        of any depth, or `(height, width, 3)` uint8 RGB. Transparency is dropped; gray values that
        are saved as RGB are gray.

    Raises:
        UserError: when the file is damaged or too large, or a JPEG, whose values are not exact.
    """
    from PIL import Image

    header = images.read_header(path)
    if header.format not in ("PNG", "BMP", "GIF", "TIFF"):
        raise UserError(
            f"`{path}` must be a mask in PNG, BMP, GIF or TIFF. Received: {header.format}, which "
            "changes label values by lossy compression. Export the masks as PNG."
        )
    data = path.read_bytes()
    try:
        picture: Image.Image = Image.open(io.BytesIO(data), formats=(header.format,))
        picture.load()
    except Exception as error:  # What Pillow raises for damaged files is not bounded.
        raise UserError(
            f"`{path}` must be an intact image. Received: {error}. Copy it again."
        ) from error
    if picture.mode == "LA":
        picture = picture.convert("L")
    if picture.mode in ("1", "P"):
        return np.array(picture, np.uint8)
    if picture.mode == "L":
        # Pillow stretches 2 and 4 bits to the range 0 to 255; indices are wanted.
        bits = data[_PNG_BITS] if header.format == "PNG" else 8
        return np.array(picture) // np.uint8(255 // (2 ** min(bits, 8) - 1))
    if picture.mode.startswith("I;16"):
        return np.array(picture).astype(np.uint16)
    if picture.mode in ("RGB", "RGBA"):
        colours = np.array(picture.convert("RGB"))
        is_gray = (colours == colours[..., :1]).all()
        return colours[..., 0] if is_gray else colours
    raise UserError(
        f"`{path}` must hold indices, gray values or colours. Received: mode {picture.mode!r}. "
        "Save it as a PNG of 8 bits."
    )


def decode_small_png(data: bytes, height: int, width: int) -> Any:
    """Decodes a PNG that stands in an annotation.

    Args:
        data: The file.
        height: Rows of the photograph; the PNG may have twice as many.
        width: Columns of the photograph; the PNG may have twice as many.

    Returns:
        The Pillow image.

    Raises:
        ValueError: when it is no PNG, damaged or larger.
    """
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG",))
    except Exception as error:  # What Pillow raises for damaged files is not bounded.
        raise ValueError("a mask that is no PNG") from error
    if picture.height > 2 * height + 2 or picture.width > 2 * width + 2:
        raise ValueError(f"a mask of {picture.width}x{picture.height} in {width}x{height}")
    try:
        picture.load()
    except Exception as error:  # As above.
        raise ValueError("a mask that cannot be decoded") from error
    return picture
