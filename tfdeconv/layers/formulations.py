"""The formulations of pooling with argmax and of unpooling; `functional.py` chooses among them.

Images are `(batch, height, width, channels)`, windows do not overlap (strides = pool size) and an
argmax is TensorFlow's flat index in its own image, `(y * width + x) * channels + c`. Sides may be
unknown while a TensorFlow graph is traced: then they are scalar tensors here.
"""

from typing import Any

from keras import ops

Tensor = Any
Size = tuple[Any, Any]


def pool_by_kernels(x: Tensor, pool_size: Size, padding: str) -> tuple[Tensor, Tensor]:
    """Pools with TensorFlow's kernels; `MaxPoolWithArgmax` has none under XLA.

    Two operations, because a graph drops the slow second one where nobody reads the argmax:
    unpooling by the gradient of `MaxPool` does not.
    """
    import tensorflow as tf

    pooled = tf.nn.max_pool2d(x, pool_size, pool_size, padding.upper())
    # Where only the argmax is read, grappler (TensorFlow 2.21) moves a ReLU behind it, finds the
    # types wrong, and runs the whole function without optimisations; not across this barrier.
    x = tf.ensure_shape(x, [None, None, None, x.shape[-1]])
    _, argmax = tf.nn.max_pool_with_argmax(
        x, pool_size, pool_size, padding.upper(), output_dtype=tf.int64
    )
    return pooled, argmax


def pool_by_windows(x: Tensor, pool_size: Size, padding: str, dtype: str) -> tuple[Tensor, Tensor]:
    """Pools by comparing the strided slices of all windows; `dtype` is that of the argmax.

    The chain of `where` has the gradient of one element per window (`ops.max` would share it
    among equal ones) and keeps the first maximum.
    """
    _, height, width, channels = ops.shape(x)
    grid = _grid((height, width), pool_size, padding)
    indices = _window_indices((height, width), grid, channels, pool_size, dtype)
    return _first_maxima(_slices(x, grid, pool_size, padding), indices)


def unpool_by_pool_gradient(
    values: Tensor, source: Tensor, pool_size: Size, padding: str
) -> Tensor:
    """Unpools with the kernel of the gradient of `MaxPool` at `source`, the tensor once pooled."""
    import tensorflow as tf

    source = tf.stop_gradient(source)
    window = [1, *pool_size, 1]
    pooled = tf.nn.max_pool2d(source, pool_size, pool_size, padding.upper())
    return tf.raw_ops.MaxPoolGrad(
        orig_input=source,
        orig_output=pooled,
        grad=values,
        ksize=window,
        strides=window,
        padding=padding.upper(),
    )


def unpool_by_windows(values: Tensor, argmax: Tensor, size: Size, output_size: Size) -> Tensor:
    """Unpools by comparing `argmax` with the positions of its own window, and with no others."""
    _, rows, columns, channels = ops.shape(values)
    dtype = ops.dtype(argmax)
    zeros = ops.zeros_like(values)
    parts = [
        ops.where(ops.equal(argmax, index), values, zeros)
        for index in _window_indices(output_size, (rows, columns), channels, size, dtype)
    ]
    return _put_together(parts, (rows, columns), size, output_size)


def unpool_by_codes(
    values: Tensor, source: Tensor, size: Size, padding: str, output_size: Size
) -> Tensor:
    """Unpools by which element of each window of `source`, the tensor once pooled, is the maximum.

    Without indices, of which a converted graph would store one for every element of an image.
    Windows must not begin before the image: there a repeated edge would be the first maximum.
    """
    grid = ops.shape(values)[1:3]
    slices = _slices(source, grid, size, padding)
    codes = [ops.convert_to_tensor(code, "int32") for code in range(len(slices))]
    _, found = _first_maxima(slices, codes)
    zeros = ops.zeros_like(values)
    parts = [ops.where(ops.equal(found, code), values, zeros) for code in codes]
    return _put_together(parts, grid, size, output_size)


def unpool_by_scatter(values: Tensor, argmax: Tensor, output_size: Size) -> Tensor:
    """Unpools by writing each value to its place: right for any argmax, slow on most machines."""
    batch, _, _, channels = ops.shape(values)
    length = output_size[0] * output_size[1] * channels
    dtype = ops.dtype(argmax)
    images = ops.arange(batch, dtype=dtype)[:, None, None, None]
    places = ops.reshape(argmax + images * ops.cast(length, dtype), (-1, 1))
    flat = ops.zeros((batch * length,), dtype=values.dtype)
    flat = ops.scatter_update(flat, places, ops.reshape(values, (-1,)))
    return ops.reshape(flat, (-1, *output_size, channels))


def _grid(image: Size, size: Size, padding: str) -> Size:
    """Returns how many windows there are, `(rows, columns)`."""
    if padding == "same":
        # Not of negative numbers, which ONNX rounds to zero.
        return (image[0] + size[0] - 1) // size[0], (image[1] + size[1] - 1) // size[1]
    return image[0] // size[0], image[1] // size[1]


def _slices(x: Tensor, grid: Size, size: Size, padding: str) -> list[Tensor]:
    """Returns, for each offset in a window, that element of all windows, `(batch, *grid, c)`."""
    if padding == "same":
        x = _extend(x, 1, grid[0], size[0])
        x = _extend(x, 2, grid[1], size[1])
    else:
        x = x[:, : grid[0] * size[0], : grid[1] * size[1]]
    return [x[:, dy :: size[0], dx :: size[1]] for dy in range(size[0]) for dx in range(size[1])]


def _first_maxima(slices: list[Tensor], marks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Returns the maxima of windows and the marks of their first ones, each mark one slice's."""
    pooled, found = slices[0], ops.broadcast_to(marks[0], ops.shape(slices[0]))
    for value, mark in zip(slices[1:], marks[1:], strict=True):
        larger = value > pooled
        pooled, found = ops.where(larger, value, pooled), ops.where(larger, mark, found)
    return pooled, found


def _put_together(parts: list[Tensor], grid: Size, size: Size, output_size: Size) -> Tensor:
    """Puts the elements of windows, one tensor for each offset, back in their places."""
    lines = [
        ops.stack(parts[start : start + size[1]], axis=3) for start in range(0, len(parts), size[1])
    ]
    rows, columns = grid
    shape = (-1, rows * size[0], columns * size[1], ops.shape(parts[0])[-1])
    frame = ops.reshape(ops.stack(lines, axis=2), shape)
    frame = _fit(frame, 1, rows, size[0], output_size[0])
    frame = _fit(frame, 2, columns, size[1], output_size[1])
    # LiteRT's converter loses the number of channels where it pads by an open number.
    return ops.reshape(frame, (-1, *output_size, ops.shape(parts[0])[-1]))


def _margin(side: Any, count: Any, size: int) -> Any:
    """How far the first of `count` windows begins before the image (TensorFlow's `SAME`)."""
    if size <= 2:
        return 0
    excess = count * size - side
    return max(excess, 0) // 2 if isinstance(excess, int) else ops.maximum(excess, 0) // 2


def _extend(x: Tensor, axis: int, count: Any, size: int) -> Tensor:
    """Repeats the edges of `x` until `count` windows of `size` cover it.

    A repeated edge lies in the window of its original and can only tie with it, so that, unlike
    the lowest number, it wins neither over NaN nor over minus infinity.
    """
    side = ops.shape(x)[axis]
    if isinstance(side, int) and side % size == 0:
        return x
    before, after = (size - 1) // 2, size - 1
    first, last = (x[:, :1], x[:, -1:]) if axis == 1 else (x[:, :, :1], x[:, :, -1:])
    x = ops.concatenate([first] * before + [x] + [last] * after, axis=axis)
    start = before - _margin(side, count, size)
    part = slice(start, start + count * size)
    return x[:, part] if axis == 1 else x[:, :, part]


def _fit(frame: Tensor, axis: int, count: Any, size: int, side: Any) -> Tensor:
    """Cuts the windows' frame to the image, or fills the remainder that no window covered."""
    covered = count * size
    if isinstance(covered, int) and isinstance(side, int) and covered == side:
        return frame
    start = _margin(side, count, size)
    part = slice(start, start + side)
    frame = frame[:, part] if axis == 1 else frame[:, :, part]
    missing = side - covered
    missing = max(missing, 0) if isinstance(missing, int) else ops.maximum(missing, 0)
    widths = [[0, 0]] * 4
    widths[axis] = [0, missing]
    return ops.pad(frame, widths)


def _window_indices(image: Size, grid: Size, channels: int, size: Size, dtype: str) -> list[Tensor]:
    """Returns, for each offset in a window, the flat indices `(1, rows, columns, channels)`."""
    channel = ops.arange(channels, dtype=dtype)
    strides = ops.cast(image[1], dtype) * channels, channels
    positions = []
    for axis, shape in enumerate(((1, -1, 1, 1), (1, 1, -1, 1))):
        starts = ops.arange(grid[axis], dtype=dtype) * size[axis]
        starts = starts - ops.cast(_margin(image[axis], grid[axis], size[axis]), dtype)
        # An edge repeated before the image stands for the first row or column.
        places = [ops.maximum(starts + step, 0) * strides[axis] for step in range(size[axis])]
        positions.append([ops.reshape(place, shape) for place in places])
    return [ys + xs + channel for ys in positions[0] for xs in positions[1]]
