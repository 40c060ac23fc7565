"""`Blob`: an array in a `.caffemodel`, read piece by piece when it is asked for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfdeconv.errors import UserError

_CHUNK_NUMBERS = 2**20


@dataclass(frozen=True)
class Blob:
    """An array in a file: its shape, and where it lies. Nothing is read before `read`.

    Attributes:
        path: The file.
        layer: Name of the layer that it belongs to.
        shape: As the file has it.
        dtype: `"<f4"` or `"<f8"`.
        pieces: Where the numbers lie: first byte, number of elements, bytes of the key in front of
            each (0 where they are packed).
    """

    path: Path
    layer: str
    shape: tuple[int, ...]
    dtype: str
    pieces: tuple[tuple[int, int, int], ...]

    def read(
        self, shape: tuple[int, ...] | None = None, axes: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """Returns the array, with no other copy of it in memory.

        Args:
            shape: Another shape for the same numbers, in the order of the file.
            axes: Another order of the axes of `shape`, as `np.transpose` takes it.

        Returns:
            Contiguous float32 array.

        Raises:
            UserError: when the file has changed since, or holds numbers that are not finite.
        """
        shape = self.shape if shape is None else shape
        axes = tuple(range(len(shape))) if axes is None else axes
        result = np.empty([shape[axis] for axis in axes], np.float32)
        target = result.transpose(np.argsort(axes)) if axes else result.reshape(1)
        row = math.prod(target.shape[1:])
        done = 0
        for chunk in self._chunks(row * max(1, _CHUNK_NUMBERS // max(row, 1))):
            rows = chunk.reshape(-1, *target.shape[1:])
            target[done : done + len(rows)] = rows
            done += len(rows)
        return result

    def _chunks(self, size: int) -> Iterator[np.ndarray]:
        # The same array every time: its numbers must be taken before the next ones come.
        chunk, filled = np.empty(min(size, math.prod(self.shape)), np.float32), 0
        with open(self.path, "rb") as file:
            for start, left, key in self.pieces:
                file.seek(start)
                while left:
                    count = min(left, len(chunk) - filled)
                    chunk[filled : filled + count] = self._numbers(file, count, key)
                    filled, left = filled + count, left - count
                    if filled == len(chunk):
                        yield chunk
                        filled = 0
        if filled:
            yield chunk[:filled]

    def _numbers(self, file: BinaryIO, count: int, key: int) -> np.ndarray:
        step = key + np.dtype(self.dtype).itemsize
        found = file.read(count * step)
        if len(found) < count * step:
            raise refused(self.path, f"an end in the middle of layer {self.layer!r}")
        rows = np.frombuffer(found, np.uint8).reshape(-1, step)[:, key:]
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(rows).view(self.dtype)[:, 0].astype(np.float32)
        if not np.isfinite(values).all():
            raise refused(self.path, f"numbers that are not finite in layer {self.layer!r}")
        return values


def refused(path: Path, reason: str) -> UserError:
    """Returns the `UserError` that says why a file cannot be read."""
    return UserError(
        f"`{path}` must be a .caffemodel, the binary weights that Caffe writes. Received: "
        f"{reason}. Give the file that holds the weights, or download it again."
    )
