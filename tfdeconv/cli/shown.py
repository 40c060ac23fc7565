"""What a network is shown of a photograph, for pictures of what happens inside."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    import numpy as np


def shown_to(
    model: keras.Model, image: np.ndarray, box: tuple[float, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Shows a network a photograph, or an object in it, as segmentation does.

    Args:
        model: A network from RGB, for squares of one size or for images of every size.
        image: `(height, width, 3)` uint8 RGB.
        box: The object, top, left, bottom, right in pixels. A network for squares is shown the
            square about it, black outside of the image; one for every size is shown the whole
            image, whatever the box.

    Returns:
        `(rows, columns, 3)` float32, what the network is shown, and `(rows, columns)` uint8, 1 for
        the pixels in the box and 0 for others.

    Raises:
        UserError: when the box does not touch the image, or the network is none for RGB images.
    """
    from tfdeconv.segmentation.network import sizes

    inside = _inside(box, *image.shape[:2])
    size = sizes(model)[0]
    if size is None:
        return _whole(model, image, inside)
    return crop(image, inside, box, size)


def crop(
    image: np.ndarray, inside: np.ndarray, box: tuple[float, ...] | None, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts the square about a box, or about the whole image, out of an image and of a mask."""
    import numpy as np

    from tfdeconv.data.crops import crop_image, enlarge_to_square

    region = enlarge_to_square(np.array([box or (0, 0, *image.shape[:2])]))[0]
    picture = crop_image(image, region, size).numpy()
    return picture, crop_image(inside[..., None], region, size).numpy()[..., 0].astype(np.uint8)


def box_of(text: str) -> tuple[float, ...]:
    """Reads `TOP,LEFT,BOTTOM,RIGHT`.

    Raises:
        argparse.ArgumentTypeError: when the text is something else.
    """
    try:
        top, left, bottom, right = edges = tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be four numbers, not {text!r}") from None
    if not all(map(math.isfinite, edges)) or max(map(abs, edges)) >= 2**29:
        raise argparse.ArgumentTypeError(f"must be pixels of an image, not {text!r}")
    if bottom <= top or right <= left:
        raise argparse.ArgumentTypeError(f"must have an area, top above bottom, not {text!r}")
    return edges


def _inside(box: tuple[float, ...] | None, height: int, width: int) -> np.ndarray:
    import numpy as np

    from tfdeconv import boxes
    from tfdeconv.errors import UserError

    box = box or (0, 0, height, width)
    inside = np.round(boxes.clip(np.array(box), height, width)).astype(int)
    if boxes.area(inside)[0] == 0:
        raise UserError(
            f"`--box` must show some of the image, {height} pixels high and {width} wide. "
            f"Received: {','.join(f'{edge:g}' for edge in box)} (top,left,bottom,right)"
        )
    (top, left, bottom, right), *_ = inside
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def _whole(
    model: keras.Model, image: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    import cv2
    import numpy as np

    from tfdeconv.data.whole_images import seen_size
    from tfdeconv.segmentation.regions import resize_and_pad, size_rule

    seen = seen_size(image.shape[:2])
    rows, columns = seen.numpy().tolist()
    picture = resize_and_pad(image, seen, size_rule(model).fit(seen)).numpy()[0]
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[:rows, :columns] = cv2.resize(inside, (columns, rows), interpolation=cv2.INTER_NEAREST)
    return picture, mask
