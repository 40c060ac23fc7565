"""What rows and columns of a map are mixed with: the linear maps of pooling and interpolation."""

from typing import Any

from keras import ops

Tensor = Any


def mix(inputs: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Makes every row of the result a mixture of rows of a map, and every column likewise.

    Args:
        inputs: `(batch, height, width, channels)` floating-point tensor.
        rows: `(rows of the result, height)`, how much of each.
        columns: `(columns of the result, width)`.

    Returns:
        `(batch, rows, columns, channels)` in the type of `inputs`.

    Example:

    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]], "float32").reshape(1, 2, 2, 1)
    >>> mix(x, ops.array([[1.0, 1.0]]), ops.array([[1.0, 0.0]])).numpy().ravel().tolist()
    [4.0]
    """
    batch, height, width, channels = ops.shape(inputs)
    rows, columns = ops.cast(rows, inputs.dtype), ops.cast(columns, inputs.dtype)
    x = ops.matmul(rows, ops.reshape(inputs, (batch, height, width * channels)))
    x = ops.reshape(x, (batch, ops.shape(rows)[0], width, channels))
    return ops.matmul(columns, x)


def bin_shares(side: Any, bins: int) -> Tensor:
    """Returns the share of each of `side` rows in each bin, `(bins, side)` float32.

    Bin `b` holds the rows from `floor(b * side / bins)` to `ceil((b + 1) * side / bins)`.

    Example:

    >>> bin_shares(3, bins=2).numpy().tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    row = ops.arange(side)
    number = ops.arange(bins)[:, None]
    first = (number * side) // bins
    # Not of negative numbers, which ONNX rounds to zero.
    end = ((number + 1) * side + bins - 1) // bins
    inside = ops.cast(ops.logical_and(row >= first, row < end), "float32")
    return inside / ops.cast(end - first, "float32")


def corner_shares(side: Any, wanted: Any) -> Tensor:
    """Returns how `wanted` rows are interpolated between `side`, `(wanted, side)` float32.

    The first and the last row of both lie upon each other.

    Example:

    >>> corner_shares(2, wanted=3).numpy().tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    steps = ops.cast(ops.maximum(wanted - 1, 1), "float32")
    reach = ops.cast(side - 1, "float32")
    place = ops.cast(ops.arange(wanted), "float32") * reach / steps
    distance = ops.abs(place[:, None] - ops.cast(ops.arange(side), "float32"))
    return ops.maximum(1.0 - distance, 0.0)
