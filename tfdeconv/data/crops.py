"""Cropping windows from images and label maps, and network inputs from windows, in the graph.

A window is a box (top, left, bottom, right; int32; half open) that may leave the image, even
entirely: there images are black and labels 255, as in the release's WINDOW_SEG_DATA layer. Images
are resized bilinearly and labels to the nearest pixel, both with half-pixel centres and without
antialiasing, so that they stay aligned (OpenCV's INTER_LINEAR and INTER_NEAREST_EXACT). Memory
follows the part of the image that is in the window, not the window.

The release crops 224 of 250 pixels at a random place and mirrors every other window. Random numbers
come from stateless ops: the same seed gives the same crop, in any thread.
"""

from typing import NamedTuple

import tensorflow as tf

from tfdeconv.labels import IGNORE_LABEL, VOID_OBJECT

# Windows of more pixels are sampled where they are instead of being copied out first.
_MAX_FRAME = 2048 * 2048


def enlarge_to_square(boxes: tf.Tensor, factor: float = 1.2) -> tf.Tensor:
    """Returns the squares about boxes: windows in training, regions at inference.

    The paper extends boxes by 1.2 to include context (section 4.2); the lists of the release hold
    squares of 1.2 times the longer side about the centre of the box, which may leave the image.

    Args:
        boxes: `(n, 4)` boxes in any numeric dtype.
        factor: side of the square over the longer side of the box.

    Returns:
        `(n, 4)` int32 squares, at least one pixel wide. The centre moves by half a pixel at most.

    Raises:
        tf.errors.InvalidArgumentError: when a coordinate is not finite or does not fit 30 bits.

    Example:

    >>> enlarge_to_square([[10, 10, 20, 15]]).numpy().tolist()
    [[9, 7, 21, 19]]
    """
    boxes = tf.cast(boxes, tf.float64)
    # abs(NaN) < x is false, so that this refuses NaN, too.
    check = tf.debugging.Assert(
        tf.reduce_all(tf.abs(boxes) < 2.0**29),
        ["`boxes` must be finite and below 2**29 pixels. Received:", boxes],
    )
    with tf.control_dependencies([check] if check is not None else []):
        longer = tf.reduce_max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True)
    side = tf.maximum(tf.round(factor * longer), 1.0)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    top_left = tf.floor(centre - side / 2 + 0.5)
    return tf.cast(tf.concat([top_left, top_left + side], axis=1), tf.int32)


def crop_image(image: tf.Tensor, window: tf.Tensor, size: int) -> tf.Tensor:
    """Crops one window from an image and resizes it; black outside the image.

    Args:
        image: `(height, width, channels)` of any real dtype, at least one pixel.
        window: `(4,)` int32 box of at least one pixel; need not be square.
        size: side of the result in pixels.

    Returns:
        `(size, size, channels)` float32 in the range of `image`.

    Example:

    >>> image = tf.constant([[[10], [20]], [[30], [40]]], tf.uint8)
    >>> crop_image(image, tf.constant([0, 0, 2, 4]), 2)[..., 0].numpy().tolist()
    [[15.0, 0.0], [35.0, 0.0]]
    """
    top, left, bottom, right = tf.unstack(tf.cast(window, tf.int64))
    crop = tf.cond(
        (bottom - top) * (right - left) <= _MAX_FRAME,
        lambda: _crop_frame(image, window, size),
        lambda: _crop_samples(image, window, size),
    )
    return tf.ensure_shape(crop, (size, size, image.shape[-1]))


def crop_images(image: tf.Tensor, windows: tf.Tensor, size: int) -> tf.Tensor:
    """Crops `(n, 4)` int32 windows, n may be 0, from one image; see `crop_image`.

    Returns:
        `(n, size, size, channels)` float32.
    """
    return tf.map_fn(
        lambda window: crop_image(image, window, size),
        windows,
        fn_output_signature=tf.TensorSpec((size, size, image.shape[-1]), tf.float32),
    )


def nearest_points(window: tf.Tensor, shape: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows and columns of a label map that a window samples, resized to `size`.

    Pixel `i` of the result is `floor((i + 1/2) * side / size)` of the window, in exact integers;
    where that point is on the edge between two pixels, the later one is taken.

    Args:
        window: `(4,)` int32 box of at least one pixel.
        shape: `(2,)` int32, height and width of the map.
        size: rows and columns of the result.

    Returns:
        `(size,)` int32 rows and columns. Those outside the map are its height and its width, for
        `add_void` and `take_columns`.

    Example:

    >>> rows, columns = nearest_points(tf.constant([0, 0, 2, 4]), tf.constant([2, 2]), 2)
    >>> rows.numpy().tolist(), columns.numpy().tolist()
    ([0, 1], [1, 2])
    """
    return (
        _nearest(window[0], window[2], shape[0], size),
        _nearest(window[1], window[3], shape[1], size),
    )


def add_void(maps: tf.Tensor) -> tf.Tensor:
    """Adds a row and a column of void, for what is outside the image.

    Args:
        maps: `(height, width)` uint8 labels or uint16 instance numbers.

    Returns:
        `(height + 1, width + 1)` of the same dtype.
    """
    void = VOID_OBJECT if maps.dtype == tf.uint16 else IGNORE_LABEL
    return tf.pad(maps, [[0, 1], [0, 1]], constant_values=void)


def take_columns(labels: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Takes `(m,)` rows and `(n,)` columns of a map and returns them transposed, `(n, m)`."""
    # Whole rows are copied ten times as fast as single pixels: columns are taken as rows, too.
    return tf.gather(tf.transpose(tf.gather(labels, rows)), columns)


def isolate_object(labels: tf.Tensor, objects: tf.Tensor, object_id: tf.Tensor) -> tf.Tensor:
    """Keeps the labels of one instance: stage 1's ground truth (paper, section 4.2).

    As in the release's WINDOW_INST_SEG_DATA layer, all other pixels become background and void
    pixels stay void.

    Args:
        labels: `(..., height, width)` uint8 class indices.
        objects: `(..., height, width)` uint16 instance maps; 0 for no object, 65535 for void.
        object_id: The instances to keep, `(...)` integers; 0 keeps all labels (stage 2).

    Returns:
        `(..., height, width)` uint8: the object's labels, 255 where either map is void, 0
        elsewhere.
    """
    object_id = tf.cast(object_id, tf.uint16)[..., tf.newaxis, tf.newaxis]
    void = (labels == IGNORE_LABEL) | (objects == VOID_OBJECT)
    others = tf.cast(void, tf.uint8) * IGNORE_LABEL
    return tf.where((objects == object_id) | (object_id == 0), labels, others)


class Place(NamedTuple):
    """Where in its window an input lies: int32 first row and column; bool, whether mirrored."""

    top: tf.Tensor
    left: tf.Tensor
    mirrored: tf.Tensor


def random_place(room: int, seed: tf.Tensor) -> Place:
    """Draws a place of 0 to `room` in both directions, mirrored with probability 1/2.

    `seed` is `(2,)` int64, different for every window.
    """
    # The algorithm is named: what is chosen automatically depends on the device.
    draw = tf.random.stateless_uniform((3,), seed, alg="philox")
    corner = tf.cast(draw[:2] * tf.cast(room + 1, tf.float32), tf.int32)
    return Place(corner[0], corner[1], draw[2] < 0.5)


def centre(room: int) -> Place:
    """Returns the place in the middle, not mirrored, as the release crops in its test phase."""
    return Place(tf.constant(room // 2), tf.constant(room // 2), tf.constant(False))


def cut_image(image: tf.Tensor, place: Place, size: int) -> tf.Tensor:
    """Crops the input from a window: `(side, side, channels)` -> `(size, size, channels)`.

    Example:

    >>> image = tf.reshape(tf.range(9), (3, 3, 1))
    >>> place = Place(tf.constant(1), tf.constant(0), tf.constant(True))
    >>> cut_image(image, place, 2)[..., 0].numpy().tolist()
    [[4, 3], [7, 6]]
    """
    cut = image[place.top : place.top + size, place.left : place.left + size]
    cut = tf.cond(place.mirrored, lambda: tf.reverse(cut, [1]), lambda: cut)
    return tf.ensure_shape(cut, (size, size, image.shape[-1]))


def cut_points(
    rows: tf.Tensor, columns: tf.Tensor, place: Place, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops the `(side,)` rows and columns of a window to `(size,)`; see `nearest_points`."""
    columns = columns[place.left : place.left + size]
    columns = tf.where(place.mirrored, columns[::-1], columns)
    return rows[place.top : place.top + size], columns


def _crop_frame(image: tf.Tensor, window: tf.Tensor, size: int) -> tf.Tensor:
    shape = tf.shape(image)
    top, bottom, above, below = _overlap(window[0], window[2], shape[0])
    left, right, before, behind = _overlap(window[1], window[3], shape[1])
    part = image[top:bottom, left:right]
    frame = tf.pad(part, [[above, below], [before, behind], [0, 0]])[None]
    # The op itself: tf.image.resize adds a dozen ops that ask for shapes known here.
    return tf.raw_ops.ResizeBilinear(images=frame, size=[size, size], half_pixel_centers=True)[0]


def _overlap(start: tf.Tensor, stop: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, ...]:
    first, last = tf.clip_by_value(start, 0, length), tf.clip_by_value(stop, 0, length)
    missing_before = tf.clip_by_value(-start, 0, stop - start)
    return first, last, missing_before, (stop - start) - missing_before - (last - first)


def _crop_samples(image: tf.Tensor, window: tf.Tensor, size: int) -> tf.Tensor:
    height, width, channels = tf.unstack(tf.shape(image))
    # Pixel by pixel: full rows or columns of a panorama would need too much memory.
    pixels = tf.reshape(image, [height * width, channels])
    rows, columns = (
        _linear(window[axis], window[axis + 2], length, size)
        for axis, length in ((0, height), (1, width))
    )

    def weighted(column: tf.Tensor) -> tf.Tensor:
        return sum(
            tf.cast(tf.gather(pixels, row[:, None] * width + column), tf.float32)
            * tf.reshape(weight, (-1, 1, 1))
            for row, weight in rows
        )

    return sum(weighted(column) * tf.reshape(weight, (-1, 1)) for column, weight in columns)


def _linear(
    start: tf.Tensor, stop: tf.Tensor, length: tf.Tensor, size: int
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    # At the edge of the window its last pixel is repeated; pixels outside the image have no weight.
    side = stop - start
    scale = tf.cast(side, tf.float64) / size
    point = (tf.range(size, dtype=tf.float64) + 0.5) * scale - 0.5
    floor = tf.floor(point)
    taps = []
    for index, weight in ((floor, floor + 1 - point), (floor + 1, point - floor)):
        index = start + tf.clip_by_value(tf.cast(index, tf.int32), 0, side - 1)
        inside = (index >= 0) & (index < length)
        weight = tf.cast(tf.where(inside, weight, tf.zeros_like(weight)), tf.float32)
        taps.append((tf.clip_by_value(index, 0, length - 1), weight))
    return taps


def _nearest(start: tf.Tensor, stop: tf.Tensor, length: tf.Tensor, size: int) -> tf.Tensor:
    side = tf.cast(stop - start, tf.int64)
    steps = (2 * tf.range(size, dtype=tf.int64) + 1) * side // (2 * size)
    index = start + tf.cast(steps, tf.int32)
    return tf.where((index >= 0) & (index < length), index, length)
