"""Pooling with argmax, unpooling and both gradients again, as plain loops over NumPy arrays.

Arrays are `(batch, height, width, channels)`; an argmax is `(y * width + x) * channels + c`.
"""

from collections.abc import Iterator

import numpy as np

Index = tuple[int, ...]


def windows(side: int, size: int, padding: str) -> list[range]:
    """Returns the rows (or columns) that each window covers."""
    if padding == "valid":
        return [range(start, start + size) for start in range(0, side - size + 1, size)]
    count = (side + size - 1) // size
    before = (count * size - side) // 2
    starts = range(-before, count * size - before, size)
    return [range(max(start, 0), min(start + size, side)) for start in starts]


def max_pool_with_argmax(
    x: np.ndarray, pool_size: tuple[int, int], padding: str
) -> tuple[np.ndarray, np.ndarray]:
    """The first maximum of every window, row by row, and its place."""
    batch, height, width, channels = x.shape
    rows = windows(height, pool_size[0], padding)
    columns = windows(width, pool_size[1], padding)
    shape = (batch, len(rows), len(columns), channels)
    pooled, argmax = np.zeros(shape, x.dtype), np.zeros(shape, np.int64)
    for b, i, j, c in np.ndindex(shape):
        best = None
        for y in rows[i]:
            for z in columns[j]:
                if best is None or x[b, y, z, c] > best:
                    best = x[b, y, z, c]
                    argmax[b, i, j, c] = (y * width + z) * channels + c
        pooled[b, i, j, c] = best
    return pooled, argmax


def unpool(values: np.ndarray, argmax: np.ndarray, height: int, width: int) -> np.ndarray:
    """Every value where its argmax points, zeros elsewhere; also the gradient of pooling."""
    result = np.zeros((values.shape[0], height, width, values.shape[3]), values.dtype)
    for here, there in places(argmax, width):
        result[there] = values[here]
    return result


def gather(upstream: np.ndarray, argmax: np.ndarray) -> np.ndarray:
    """What stands where the argmax points: the gradient of unpooling."""
    result = np.zeros(argmax.shape, upstream.dtype)
    for here, there in places(argmax, upstream.shape[2]):
        result[here] = upstream[there]
    return result


def places(argmax: np.ndarray, width: int) -> Iterator[tuple[Index, Index]]:
    """Yields (index in the pooled map, index in the image) for every element of `argmax`."""
    channels = argmax.shape[3]
    for here in np.ndindex(argmax.shape):
        place, channel = divmod(int(argmax[here]), channels)
        yield here, (here[0], *divmod(place, width), channel)
