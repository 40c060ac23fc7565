"""Max pooling that tells where each maximum stood, and unpooling that puts values back there.

`argmax` has one meaning: TensorFlow's flat index in its own image, `(y * width + x) * channels + c`
with the width of the tensor that was pooled, and without the batch. Which of the formulations
computes it makes no difference to the result.
"""

from typing import Any

import keras
from keras import ops

from tfdeconv.layers import checks, choice, companions, formulations

Tensor = Any


def max_pool_with_argmax(
    x: Tensor,
    pool_size: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: str = "same",
) -> tuple[Tensor, Tensor]:
    """Pools `x` and returns where each maximum stood.

    The first maximum of a window wins, row by row from the top left: a window of the equal zeros
    that a ReLU leaves has its argmax in its first element. The whole gradient goes to that element.

    TensorFlow's kernels pool on the CPU, plain `keras.ops` where a function is compiled with XLA
    (`jit_compile=True`), where TensorFlow sees a GPU, and on the JAX and PyTorch backends.

    Args:
        x: `(batch, height, width, channels)` tensor, floating-point. A traced TensorFlow graph may
            leave all but the channels open.
        pool_size: Height and width of a window, or one integer for both.
        strides: None, or the pool size: windows do not overlap.
        padding: `"same"`: windows that stick out of the image pool what they cover, so that `h` is
            ceil(height / pool height). As in TensorFlow, half of what sticks out, rounded down, is
            before the image. `"valid"`: the remainder is dropped, so that `h` rounds down.

    Returns:
        `(pooled, argmax)`, both `(batch, h, w, channels)`: the maxima in the type of `x`, and int64
        indices of elements of `x`, each in its own image (int32 on JAX without its x64 mode).

    Raises:
        ValueError: when an argument is of another kind, or an image too large for int32 indices.

    Notes:
        A window with NaN, or with nothing above minus infinity, has no certain maximum: where
        unpooling puts its value may differ from `argmax`. TensorFlow's CPU kernel skips NaN, as in
        `MaxPooling2D`; the comparison of windows keeps one that comes first.

    Example:

    >>> import numpy as np
    >>> x = np.array([[1, 3, 0, 0], [3, 2, 0, 0]], "float32").reshape(1, 2, 4, 1)
    >>> pooled, argmax = max_pool_with_argmax(x)
    >>> pooled.numpy().ravel(), argmax.numpy().ravel()
    (array([3., 0.], dtype=float32), array([1, 2]))

    Reference:
        Noh et al., ICCV 2015, section 3.2.1: these are the *switch variables*.
    """
    size = checks.pooling(pool_size, strides, padding)
    x = ops.convert_to_tensor(x)
    checks.images("x", x.shape, ops.dtype(x))
    checks.index_range(x.shape, argmax_dtype())
    if choice.tensorflow_kernels():
        pooled, argmax = formulations.pool_by_kernels(x, size, padding)
    else:
        pooled, argmax = formulations.pool_by_windows(x, size, padding, argmax_dtype())
    companions.remember(argmax, x, size, padding)
    return pooled, argmax


def unpool(
    values: Tensor,
    argmax: Tensor,
    size: int | tuple[int, int] = 2,
    like: Tensor | None = None,
) -> Tensor:
    """Puts each value where `argmax` points, and zeros elsewhere.

    The gradient of `values` is gathered from the same places; none goes to `argmax`, to `like`, or
    through them to the encoder.

    An argmax straight from `max_pool_with_argmax`, called in the same traced function, is unpooled
    by the gradient kernel of max pooling on TensorFlow's CPU, and by comparing windows under XLA,
    on a GPU, on the other backends and in `portable_ops`. Any other argmax is unpooled by scatter,
    which is slower.

    Args:
        values: `(batch, h, w, channels)` tensor, floating-point.
        argmax: `(batch, h, w, channels)` integers, flat indices in their own image of the result.
            No place may occur twice in an image, and none may lie outside of it.
        size: The pool size, an integer or a pair.
        like: The tensor that was pooled, of which only the shape matters. Without it the result has
            `size` times the sides of `values`, which is right where these divided evenly.

    Returns:
        `(batch, height, width, channels)` tensor in the type of `values`.

    Raises:
        ValueError: when known shapes do not belong together, or `argmax` is not made of integers.

    Example:

    >>> import numpy as np
    >>> x = np.array([[1, 3, 0, 0], [3, 2, 0, 0]], "float32").reshape(1, 2, 4, 1)
    >>> pooled, argmax = max_pool_with_argmax(x)
    >>> unpool(pooled + 5, argmax, like=x).numpy().reshape(2, 4)
    array([[0., 8., 5., 0.],
           [0., 0., 0., 0.]], dtype=float32)

    Reference:
        Noh et al., ICCV 2015, section 3.2.1, figure 3.
    """
    size = checks.pair("size", size)
    values, argmax = ops.convert_to_tensor(values), ops.convert_to_tensor(argmax)
    checks.images("values", values.shape, ops.dtype(values))
    checks.argmax(argmax.shape, ops.dtype(argmax), values.shape)
    companion = companions.find(argmax)
    if like is None:
        _, rows, columns, _ = ops.shape(values)
        output_size = rows * size[0], columns * size[1]
    else:
        checks.like(like.shape, values.shape, size)
        output_size = ops.shape(like)[1:3]
    if companion is None or not _covers(companion, size, like, output_size):
        return formulations.unpool_by_scatter(values, argmax, output_size)
    source = companion.source()
    if choice.tensorflow_kernels() and source is not None and source.dtype == values.dtype:
        return formulations.unpool_by_pool_gradient(values, source, size, companion.padding)
    # Larger windows may begin before the image, where an edge that is repeated is not its original.
    if choice.only_portable() and source is not None and max(size) <= 2:
        return formulations.unpool_by_codes(values, source, size, companion.padding, output_size)
    return formulations.unpool_by_windows(values, argmax, size, output_size)


def argmax_dtype() -> str:
    """Returns the type of an argmax: int64, but int32 on JAX without its x64 mode."""
    if keras.config.backend() != "jax":
        return "int64"
    import jax

    return "int64" if jax.config.read("jax_enable_x64") else "int32"


def _covers(
    companion: companions.Companion,
    size: tuple[int, int],
    like: Tensor | None,
    output_size: tuple[Any, Any],
) -> bool:
    """Whether the windows of the pooling that made an argmax are those of the unpooling."""
    if companion.pool_size != size:
        return False
    if like is not None and companion.source() is like:
        return True
    known = (companion.height, companion.width)
    return all(isinstance(side, int) for side in output_size) and tuple(output_size) == known
