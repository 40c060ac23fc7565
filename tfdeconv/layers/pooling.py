"""Max pooling with argmax (switches) and unpooling: layers, functions and their implementations.

`argmax` always means TensorFlow's flat index in its own image, `(y * width + x) * channels + c`
with the width of the tensor that was pooled, and without the batch. Windows do not overlap. The
formulations differ in speed and in the operations they need, never in the result.

Sides that a traced TensorFlow graph leaves open are None in shapes and scalar tensors in sums.
"""

import contextlib
import contextvars
import sys
import weakref
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

import keras
from keras import ops

Tensor = Any
Shape = Sequence[int | None]
Size = tuple[Any, Any]

_INT32_MAX = 2**31 - 1
# Whatever these trace becomes a file, for runtimes that need not be TensorFlow.
_EXPORTERS = ("keras.src.export.", "tensorflow.lite.python.", "tf2onnx.")
# None: not set
_portable: contextvars.ContextVar[bool | None] = contextvars.ContextVar("portable", default=None)


@keras.saving.register_keras_serializable(package="tfdeconv")
class MaxPoolWithArgmax(keras.layers.Layer):
    """Max pooling that also returns the index of each maximum.

    The first maximum of a window wins, row by row from the top left: in a window of equal zeros, as
    a ReLU leaves them, that is the first element. The gradient goes to that element alone.

    The layer trains with and without XLA (`compile(jit_compile=True)`), under mixed precision, for
    unknown heights and widths, and on the TensorFlow, JAX and PyTorch backends.

    Args:
        pool_size: int or two ints, height and width of a window. Defaults to 2.
        strides: None or the pool size: windows do not overlap.
        padding: `"same"`: windows that reach beyond the image pool what they cover. As in
            TensorFlow, half of what is missing, rounded down, is before the image. `"valid"`: the
            remainder of the image is dropped. Defaults to `"same"`.

    Input shape:
        `(batch_size, height, width, channels)`, floating-point.

    Output shape:
        Two tensors `(batch_size, h, w, channels)`, with `h = ceil(height / pool_size[0])` for
        `"same"` and `h = floor(height / pool_size[0])` for `"valid"`: the maxima, and the argmax,
        int64 (int32 on JAX without x64).

    Example:

    >>> inputs = keras.Input((None, None, 3))
    >>> pooled, argmax = MaxPoolWithArgmax(2)(inputs)
    >>> pooled.shape, argmax.dtype
    ((None, None, None, 3), 'int64')

    Reference:
        Noh et al., ICCV 2015, section 3.2.1: these are the *switch variables*.
    """

    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        strides: int | tuple[int, int] | None = None,
        padding: str = "same",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = _check_pooling(pool_size, strides, padding)
        self.strides = self.pool_size
        self.padding = padding

    def call(self, inputs: Any) -> tuple[Any, Any]:
        return max_pool_with_argmax(inputs, self.pool_size, padding=self.padding)

    def compute_output_spec(self, inputs: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        _check_images("inputs", inputs.shape, inputs.dtype)
        dtype = argmax_dtype()
        check_index_range(inputs.shape, dtype)
        batch, *sides, channels = inputs.shape
        counts = (
            None if side is None else _windows_along(side, size, self.padding)
            for side, size in zip(sides, self.pool_size, strict=True)
        )
        shape = (batch, *counts, channels)
        return keras.KerasTensor(shape, self.compute_dtype), keras.KerasTensor(shape, dtype)

    def get_config(self) -> dict[str, Any]:
        config = {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="tfdeconv")
class Unpool(keras.layers.Layer):
    """Puts each value in the place of its maximum, and zeros elsewhere.

    The gradient of the values is gathered from the same places; none goes through the argmax.

    Pass the tensor that was pooled as `like`: it restores odd sizes, and makes unpooling fast where
    height and width are unknown.

    Args:
        size: int or two ints, the pool size of the pooling. Defaults to 2.

    Call arguments:
        values: `(batch_size, h, w, channels)` tensor, floating-point.
        argmax: `(batch_size, h, w, channels)` integers, flat indices in each image of the result,
            from `MaxPoolWithArgmax` or of your own. No place may occur twice in an image, and none
            may be outside of it.
        like: Optional. The tensor that was pooled; only its shape matters.

    Output shape:
        The shape of `like`; without it `(batch_size, h * size[0], w * size[1], channels)`.

    Example:

    >>> x = keras.Input((5, 7, 3))
    >>> pooled, argmax = MaxPoolWithArgmax(2)(x)
    >>> Unpool(2)(pooled, argmax, x).shape
    (None, 5, 7, 3)

    Reference:
        Noh et al., ICCV 2015, section 3.2.1, figure 3.
    """

    def __init__(self, size: int | tuple[int, int] = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = check_pair("size", size)

    def call(self, values: Any, argmax: Any, like: Any = None) -> Any:
        return unpool(values, argmax, self.size, like)

    def compute_output_spec(self, values: Any, argmax: Any, like: Any = None) -> keras.KerasTensor:
        _check_images("values", values.shape, values.dtype)
        _check_argmax(argmax.shape, argmax.dtype, values.shape)
        batch, *counts, channels = values.shape
        if like is None:
            sides = [
                None if count is None else count * size
                for count, size in zip(counts, self.size, strict=True)
            ]
        else:
            _check_like(like.shape, values.shape, self.size)
            sides = like.shape[1:3]
        return keras.KerasTensor((batch, *sides, channels), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


def max_pool_with_argmax(
    x: Tensor,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: str = "same",
) -> tuple[Tensor, Tensor]:
    """Returns the maxima of `x` and their argmax, as the layer `MaxPoolWithArgmax`.

    TensorFlow's kernels pool on the CPU, plain `keras.ops` where a function is compiled with XLA
    (`jit_compile=True`), where TensorFlow has a GPU, and on the JAX and PyTorch backends.

    Args:
        x: `(batch, height, width, channels)` tensor, floating-point. A traced TensorFlow graph may
            leave all but the channels open.
        pool_size, strides, padding: As for the layer.

    Raises:
        ValueError: for other arguments, or an image too large for int32 indices.

    Notes:
        A window with NaN, or with nothing above minus infinity, has no certain maximum, and
        unpooling may put its value elsewhere than `argmax` says. TensorFlow's CPU kernel skips NaN,
        as in `MaxPooling2D`; the comparison of windows keeps one that comes first.

    Example:

    >>> import numpy as np
    >>> x = np.array([[1, 3, 0, 0], [3, 2, 0, 0]], "float32").reshape(1, 2, 4, 1)
    >>> pooled, argmax = max_pool_with_argmax(x)
    >>> pooled.numpy().ravel(), argmax.numpy().ravel()
    (array([3., 0.], dtype=float32), array([1, 2]))
    """
    size = _check_pooling(pool_size, strides, padding)
    x = ops.convert_to_tensor(x)
    _check_images("x", x.shape, ops.dtype(x))
    check_index_range(x.shape, argmax_dtype())
    if _formulation() == "kernels":
        pooled, argmax = pool_by_kernels(x, size, padding)
    else:
        pooled, argmax = pool_by_windows(x, size, padding, argmax_dtype())
    _remember(argmax, x, size, padding)
    return pooled, argmax


def unpool(
    values: Tensor,
    argmax: Tensor,
    size: int | tuple[int, int] = 2,
    like: Tensor | None = None,
) -> Tensor:
    """Puts each value where `argmax` points, and zeros elsewhere, as the layer `Unpool`.

    An argmax straight from `max_pool_with_argmax`, called in the same traced function, is unpooled
    by the gradient kernel of max pooling on TensorFlow's CPU, and by comparing windows elsewhere.
    Any other argmax is unpooled by scatter, which is slower.

    Raises:
        ValueError: when known shapes do not belong together, or `argmax` is not made of integers.

    Example:

    >>> import numpy as np
    >>> x = np.array([[1, 3, 0, 0], [3, 2, 0, 0]], "float32").reshape(1, 2, 4, 1)
    >>> pooled, argmax = max_pool_with_argmax(x)
    >>> unpool(pooled + 5, argmax, like=x).numpy().reshape(2, 4)
    array([[0., 8., 5., 0.],
           [0., 0., 0., 0.]], dtype=float32)
    """
    size = check_pair("size", size)
    values, argmax = ops.convert_to_tensor(values), ops.convert_to_tensor(argmax)
    _check_images("values", values.shape, ops.dtype(values))
    _check_argmax(argmax.shape, ops.dtype(argmax), values.shape)
    if like is None:
        _, rows, columns, _ = ops.shape(values)
        output_size = rows * size[0], columns * size[1]
    else:
        _check_like(like.shape, values.shape, size)
        output_size = ops.shape(like)[1:3]
    origin = _origin(argmax)
    if origin is None or not _same_windows(origin, size, like, output_size):
        return unpool_by_scatter(values, argmax, output_size)
    source, formulation = origin.source(), _formulation()
    if formulation == "kernels" and source is not None and source.dtype == values.dtype:
        return unpool_by_pool_gradient(values, source, size, origin.padding)
    # Larger windows may begin before the image, where an edge that is repeated is not its original.
    if formulation == "portable" and source is not None and max(size) <= 2:
        return unpool_by_codes(values, source, size, origin.padding, output_size)
    return unpool_by_windows(values, argmax, size, output_size)


def argmax_dtype() -> str:
    """Returns the type of an argmax: int64, but int32 on JAX without its x64 mode."""
    if keras.config.backend() != "jax":
        return "int64"
    import jax

    return "int64" if jax.config.read("jax_enable_x64") else "int32"


# === Which formulation ===


@contextlib.contextmanager
def portable_ops(portable: bool = True) -> Iterator[None]:
    """Makes pooling and unpooling use only operations that other runtimes have, too.

    It holds for the calls in the `with` block, of this thread alone: whatever is traced there can
    be converted to LiteRT and ONNX, which lack TensorFlow's kernels. Results are the same. What
    `keras.Model.export`, tf2onnx and TensorFlow's converter to LiteRT trace themselves needs no
    such block; a `tf.function` of your own that is handed to them after it was traced does.

    Args:
        portable: False allows TensorFlow's kernels even in what an exporter traces, for files that
            TensorFlow alone is to run.

    Example:

    >>> with portable_ops():
    ...     pooled, argmax = max_pool_with_argmax(keras.ops.ones((1, 4, 4, 2)))
    >>> pooled.shape
    TensorShape([1, 2, 2, 2])
    """
    token = _portable.set(portable)
    try:
        yield
    finally:
        _portable.reset(token)


def _formulation() -> str:
    """Returns the formulation to use here: `"kernels"` (TensorFlow's), `"windows"` or `"portable"`.

    Under XLA one of the kernels is missing; on a GPU their choice among equal maxima is not tested.
    """
    portable = _portable.get()
    if keras.config.backend() != "tensorflow":
        return "portable" if portable else "windows"
    import tensorflow as tf

    if _traced_by_an_exporter() if portable is None else portable:
        return "portable"
    if tf.config.get_visible_devices("GPU") or _traced_for_xla():
        return "windows"
    return "kernels"


def _traced_by_an_exporter() -> bool:
    """Whether a TensorFlow graph is being traced in a call of an exporter.

    None of them leaves a sign of it but its place among the callers. These are gone through while a
    graph is traced, never in an eager call.
    """
    import tensorflow as tf

    frame: FrameType | None = None if tf.executing_eagerly() else sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False


def _traced_for_xla() -> bool:
    """Whether TensorFlow traces a function to be compiled; true when that cannot be found out."""
    import tensorflow as tf

    try:
        from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext
    except ImportError:
        return True
    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


# === Where an argmax comes from ===


class _Origin(NamedTuple):
    """The pooling that an argmax came from; `sides` are height and width of its source."""

    argmax: weakref.ref
    version: int | None
    source: weakref.ref
    pool_size: tuple[int, int]
    padding: str
    sides: tuple[int | None, int | None]


# An argmax that is another object (a copy, edited, or from another traced function) proves nothing.
# By identity, since tensors have no hash, and JAX's tracers take no attributes. Weak on both sides:
# an entry must not keep alive the graph, and with it the argmax, whose end removes the entry.
_origins: dict[int, _Origin] = {}


def _remember(argmax: Tensor, source: Tensor, pool_size: tuple[int, int], padding: str) -> None:
    key = id(argmax)
    reference = weakref.ref(argmax, lambda _: _origins.pop(key, None))
    height, width = source.shape[1:3]
    _origins[key] = _Origin(
        reference, _version(argmax), weakref.ref(source), pool_size, padding, (height, width)
    )


def _origin(argmax: Tensor) -> _Origin | None:
    """Returns the pooling whose unchanged argmax this is, None where it is not known."""
    origin = _origins.get(id(argmax))
    if origin is None or origin.argmax() is not argmax or origin.version != _version(argmax):
        return None
    return origin


def _version(tensor: Tensor) -> int | None:
    # PyTorch alone changes tensors in place, and counts the changes here.
    return getattr(tensor, "_version", None)


def _same_windows(
    origin: _Origin, size: tuple[int, int], like: Tensor | None, output_size: Size
) -> bool:
    """Whether the windows of the pooling that made an argmax are those of the unpooling."""
    if origin.pool_size != size:
        return False
    if like is not None and origin.source() is like:
        return True
    return all(isinstance(side, int) for side in output_size) and tuple(output_size) == origin.sides


# === Formulations ===


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
    grid = tuple(
        _windows_along(side, size, padding)
        for side, size in zip((height, width), pool_size, strict=True)
    )
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
    indices = _window_indices(output_size, (rows, columns), channels, size, ops.dtype(argmax))
    return _spread(values, argmax, indices, size, output_size)


def unpool_by_codes(
    values: Tensor, source: Tensor, size: Size, padding: str, output_size: Size
) -> Tensor:
    """Unpools by comparing each window of `source`, the input of the pooling, with its maximum.

    Without indices, of which a converted graph would store one for every element of an image.
    Windows must not begin before the image: there a repeated edge would be the first maximum.
    """
    slices = _slices(source, ops.shape(values)[1:3], size, padding)
    codes = [ops.convert_to_tensor(code, "int32") for code in range(len(slices))]
    _, found = _first_maxima(slices, codes)
    return _spread(values, found, codes, size, output_size)


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


def _windows_along(side: Any, size: int, padding: str) -> Any:
    # Not of negative numbers, which ONNX rounds to zero.
    return (side + size - 1) // size if padding == "same" else side // size


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


def _spread(
    values: Tensor, found: Tensor, marks: list[Tensor], size: Size, output_size: Size
) -> Tensor:
    """Puts each value where `found` equals the mark, of which each offset in a window has one."""
    _, rows, columns, channels = ops.shape(values)
    zeros = ops.zeros_like(values)
    parts = [ops.where(ops.equal(found, mark), values, zeros) for mark in marks]
    lines = [
        ops.stack(parts[start : start + size[1]], axis=3) for start in range(0, len(parts), size[1])
    ]
    frame = ops.stack(lines, axis=2)
    frame = ops.reshape(frame, (-1, rows * size[0], columns * size[1], channels))
    frame = _fit(frame, 1, rows, size[0], output_size[0])
    frame = _fit(frame, 2, columns, size[1], output_size[1])
    # LiteRT's converter loses the number of channels where it pads by an open number.
    return ops.reshape(frame, (-1, *output_size, channels))


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


# === Checks ===


def check_pair(name: str, value: int | Sequence[int]) -> tuple[int, int]:
    """Returns `value` as two positive integers, height first."""
    both = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(both) != 2 or not all(isinstance(side, int) and side > 0 for side in both):
        raise ValueError(
            f"`{name}` must be a positive integer or two of them, height and width. "
            f"Received: {name}={value}"
        )
    return both


def _check_pooling(
    pool_size: int | Sequence[int], strides: int | Sequence[int] | None, padding: str
) -> tuple[int, int]:
    """Returns the pool size as a pair, or says which argument cannot be."""
    size = check_pair("pool_size", pool_size)
    if strides is not None and check_pair("strides", strides) != size:
        raise ValueError(
            "`strides` must equal `pool_size`: in overlapping windows two values may belong to one "
            f"place, and unpooling could keep one only. Received: strides={strides}, "
            f"pool_size={pool_size}. Leave `strides` out"
        )
    if padding not in ("same", "valid"):
        raise ValueError(f'`padding` must be "same" or "valid". Received: padding={padding!r}')
    return size


def _check_images(name: str, shape: Shape, dtype: str) -> None:
    """Refuses what is not a batch of floating-point maps, channels last."""
    if len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"`{name}` must have the shape (batch, height, width, channels), with a known number "
            f"of channels. Received: {name}.shape={tuple(shape)}"
        )
    if "float" not in dtype:
        raise ValueError(
            f"`{name}` must be floating-point. Received: {name}.dtype={dtype}. Cast it first"
        )


def check_index_range(shape: Shape, dtype: str) -> None:
    """Refuses an image of which the last flat index does not fit into `dtype`."""
    _, height, width, channels = shape
    if dtype == "int64" or height is None or width is None or channels is None:
        return
    if height * width * channels - 1 > _INT32_MAX:
        raise ValueError(
            "An image must have at most 2**31 elements where the argmax is int32. "
            f"Received: shape={tuple(shape)}. With JAX's `jax_enable_x64` it is int64"
        )


def _check_argmax(shape: Shape, dtype: str, values: Shape) -> None:
    """Refuses an argmax that is not made of one integer for every value."""
    if "int" not in dtype:
        raise ValueError(
            "`argmax` must be made of integers: floating-point numbers cannot hold large "
            f"indices. Received: argmax.dtype={dtype}"
        )
    if not _agree(shape, values):
        raise ValueError(
            f"`argmax` must have the shape of `values`. Received: argmax.shape={tuple(shape)}, "
            f"values.shape={tuple(values)}"
        )


def _check_like(shape: Shape, values: Shape, size: tuple[int, int]) -> None:
    """Refuses a `like` that pooling by `size` does not reduce to the shape of `values`."""
    fits = len(shape) == 4 and _agree(shape[:1], values[:1]) and _agree(shape[3:], values[3:])
    for side, count, step in zip(shape[1:3], values[1:3], size, strict=False):
        if side is not None and count is not None:
            fits = fits and count in (side // step, -(-side // step))
    if not fits:
        raise ValueError(
            "`like` must be the tensor that was pooled, so that pooling it by `size` gives the "
            f"shape of `values`. Received: like.shape={tuple(shape)}, "
            f"values.shape={tuple(values)}, size={size}"
        )


def _agree(first: Shape, second: Shape) -> bool:
    return len(first) == len(second) and all(
        a is None or b is None or a == b for a, b in zip(first, second, strict=True)
    )
