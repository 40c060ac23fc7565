"""Adaptive pooling and both interpolations again, as plain loops over NumPy arrays."""

import math

import numpy as np


def adaptive_average_pool(x: np.ndarray, bins: tuple[int, int]) -> np.ndarray:
    """The average of every bin; bins overlap where sides are no multiples of their number."""
    batch, height, width, channels = x.shape
    pooled = np.zeros((batch, *bins, channels))
    for b, i, j, c in np.ndindex(pooled.shape):
        top, bottom = math.floor(i * height / bins[0]), math.ceil((i + 1) * height / bins[0])
        left, right = math.floor(j * width / bins[1]), math.ceil((j + 1) * width / bins[1])
        values = [x[b, y, z, c] for y in range(top, bottom) for z in range(left, right)]
        pooled[b, i, j, c] = sum(values) / len(values)
    return pooled


def resize(x: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Bilinear interpolation, corner upon corner."""
    batch, height, width, channels = x.shape
    resized = np.zeros((batch, rows, columns, channels))
    for b, i, j, c in np.ndindex(resized.shape):
        y = i * (height - 1) / (rows - 1) if rows > 1 else 0.0
        z = j * (width - 1) / (columns - 1) if columns > 1 else 0.0
        resized[b, i, j, c] = between(x[b, :, :, c], y, z)
    return resized


def bilinear_upsample(x: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear interpolation in which value `i` stands at `i * factor`."""
    batch, height, width, channels = x.shape
    upsampled = np.zeros((batch, factor * height, factor * width, channels))
    for b, i, j, c in np.ndindex(upsampled.shape):
        y, z = min(i / factor, height - 1), min(j / factor, width - 1)
        upsampled[b, i, j, c] = between(x[b, :, :, c], y, z)
    return upsampled


def between(plane: np.ndarray, y: float, z: float) -> float:
    """The value of a plane at a place between its pixels."""
    top, left = math.floor(y), math.floor(z)
    value = 0.0
    for row, share in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, part in ((left, 1 - (z - left)), (left + 1, z - left)):
            if share * part > 0:
                value += (
                    share * part * plane[min(row, len(plane) - 1), min(column, len(plane[0]) - 1)]
                )
    return value
