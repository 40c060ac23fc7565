"""Windows and image sizes for networks that segment a full image, such as FCN.

FCN was designed for the photographs of PASCAL VOC, whose longer side is 500 pixels: its features
have fixed sizes in pixels. Larger images are therefore shrunk to that, in training and at
inference; smaller ones keep their size.
"""

import numpy as np
import tensorflow as tf

from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.data.windows import Windows
from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.progress import track

LONGEST_SIDE = 500
# The mean that networks subtract, rounded, as red, green, blue.
MEAN_COLOUR = (123, 117, 104)


def limited_size(size: tf.Tensor) -> tf.Tensor:
    """Returns the height and width to which an image is resized before it enters a network.

    Args:
        size: `(2,)` int32, height and width of the image, or a pair of numbers.

    Returns:
        `(2,)` int32: the image's own size up to `LONGEST_SIDE` pixels, otherwise a smaller one of
        the same proportions.

    Example:

    >>> limited_size((375, 500)).numpy().tolist(), limited_size((1000, 2000)).numpy().tolist()
    ([375, 500], [250, 500])
    """
    # In double precision, since halves go to the even number.
    sides = tf.cast(size, tf.float64)
    factor = tf.minimum(LONGEST_SIDE / tf.reduce_max(sides), 1.0)
    return tf.maximum(tf.cast(tf.round(factor * sides), tf.int32), 1)


def image_windows(split: Split, side: int, margin: int = 0) -> Windows:
    """Plans evenly spaced windows that cover every image: one where the image fits into it.

    Args:
        split: The data set; the headers of its photographs are read.
        side: side of the window in pixels of the resized image (`limited_size`).
        margin: how far windows reach beyond the image, so that its border is sampled as often as
            its middle when parts of the windows are cropped at random.

    Returns:
        The `Windows`, squares with all labels kept; a smaller image is in the middle of its window.

    Raises:
        UserError: when a photograph is missing or cannot be used.
    """
    image, box = [], []
    for index, image_id in enumerate(track(split.ids, "Covering images")):
        header = maps.read_header(split, image_id)
        size = header.height, header.width
        scale = max(size) / int(tf.reduce_max(limited_size(size)))
        length, around = max(1, round(scale * side)), round(scale * margin)
        for top in _starts(size[0], length, around):
            for left in _starts(size[1], length, around):
                image.append(index)
                box.append((top, left, top + length, left + length))
    none = np.zeros(len(image), np.int32)
    return Windows(np.array(image, np.int32), np.array(box, np.int32), none, none)


def centred_windows(split: Split, side: int) -> Windows:
    """Plans windows with an object in the middle of each, all labels kept.

    Objects are small parts of most images. Trained for three minutes on one core with drawn
    pictures of 200 pixels, a U-Net reached a mean IoU of 0.19 with windows that cover the images
    (`image_windows`), and with balanced windows about the objects, of as many pixels in total, 0.26
    (128 pixels) and 0.43 (96 pixels).

    Args:
        split: The data set.
        side: side of the windows in pixels of the resized image (`limited_size`), whatever the size
            of the object.

    Returns:
        The `Windows`, squares that may leave the image; an image without objects has none.

    Raises:
        UserError: when no image has an object, or a file is missing or wrong.
    """
    image, box, label = [], [], []
    for index, image_id in enumerate(track(split.ids, "Finding objects")):
        header = maps.read_header(split, image_id)
        size = header.height, header.width
        length = max(1, round(side * max(size) / int(tf.reduce_max(limited_size(size)))))
        for found, of_class in zip(*maps.object_boxes(split, image_id), strict=True):
            top, left = (int(found[axis] + found[axis + 2] - length) // 2 for axis in (0, 1))
            image.append(index)
            box.append((top, left, top + length, left + length))
            label.append(int(of_class))
    if not image:
        raise UserError(
            f"`{split.root}` must have objects for windows around them. Received: none in "
            f"{split.name!r}. Add label maps with more than class 0."
        )
    columns = (np.array(values, np.int32) for values in (image, box, np.zeros(len(image)), label))
    return Windows(*columns)


def fill_outside(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Fills what is outside the images of a batch with the mean colour in place of black.

    At inference a full image is surrounded by the zeros of the network's own padding, which are the
    mean colour. An FCN that was trained with black there reached a mean IoU of 0.285 on drawn
    pictures surrounded by black, and 0.201 on the pictures themselves.

    Args:
        images: `(batch, size, size, 3)` uint8 windows, black outside the image.
        labels: `(batch, size, size)` uint8, 255 outside the image. Black void pixels inside it are
            filled as well, which changes no label.

    Returns:
        The filled images, and the labels.
    """
    outside = tf.reduce_all(images == 0, axis=-1) & (labels == IGNORE_LABEL)
    mean = tf.constant(MEAN_COLOUR, images.dtype)
    return tf.where(outside[..., tf.newaxis], mean, images), labels


def _starts(length: int, side: int, margin: int) -> list[int]:
    room = length + 2 * margin - side
    if room <= 0:
        return [(length - side) // 2]
    return (
        np.linspace(-margin, length + margin - side, 1 - -room // side).round().astype(int).tolist()
    )
