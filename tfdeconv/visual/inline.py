"""Images inside a page: `data:` URIs of bounded weight."""

from __future__ import annotations

import base64

import numpy as np

from tfdeconv.images import encode_jpeg, encode_png

_BEST, _LEAST, _STEP = 92, 8, 12


def data_uri(image: np.ndarray, bytes_per_pixel: float | None = None) -> str:
    """Encodes an image for a page.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        bytes_per_pixel: How heavy it may be; the quality of a JPEG is lowered as far as that takes,
            down to 8. None for the best quality.

    Returns:
        A `data:` URI, of a PNG where that is the smaller file: flat label maps are sharper so.

    Example:

    >>> data_uri(np.zeros((2, 2, 3), np.uint8))[:22]
    'data:image/png;base64,'
    """
    png, jpeg, quality = encode_png(image), encode_jpeg(image, _BEST), _BEST
    if bytes_per_pixel is not None:
        most = bytes_per_pixel * image.shape[0] * image.shape[1]
        while min(len(png), len(jpeg)) > most and quality > _LEAST:
            quality -= _STEP
            jpeg = encode_jpeg(image, quality)
    kind, data = ("png", png) if len(png) <= len(jpeg) else ("jpeg", jpeg)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
