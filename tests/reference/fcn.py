"""FCN as Caffe runs it, in NumPy: coordinate maps, sizes, and the scores in float64.

Maps are `(height, width, channels)`; kernels are Keras's, `(rows, columns, in, out)`, those of
deconvolutions `(rows, columns, out, in)`. Sums run over the taps of a kernel, one after another.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

STAGES = (2, 2, 3, 3, 3)


class Coordinates(NamedTuple):
    """Where a map lies over the image: its index `i` is row `scale * i + start`."""

    scale: Fraction
    start: Fraction

    def under(self, kernel: int, stride: int, pad: int) -> "Coordinates":
        """The map that a convolution or pooling makes of this one."""
        start = self.scale * (Fraction(kernel - 1, 2) - pad) + self.start
        return Coordinates(self.scale * stride, start)

    def enlarged(self, kernel: int, stride: int) -> "Coordinates":
        """The map that a deconvolution without padding makes of this one."""
        scale = self.scale / stride
        return Coordinates(scale, self.start - scale * Fraction(kernel - 1, 2))


def crop_offset(inputs: Coordinates, like: Coordinates) -> int:
    """The index of `inputs` that lies on the first of `like`: what Caffe's `crop` computes."""
    assert inputs.scale == like.scale
    offset = (like.start - inputs.start) / inputs.scale
    assert offset.denominator == 1
    return int(offset)


def encoder_coordinates() -> dict[str, Coordinates]:
    """The coordinates of `data`, of each pooled map, and of `fc7`."""
    here = Coordinates(Fraction(1), Fraction(0))
    found = {"data": here}
    for stage, count in enumerate(STAGES, start=1):
        for index in range(count):
            here = here.under(kernel=3, stride=1, pad=100 if stage == 1 and index == 0 else 1)
        here = found[f"pool{stage}"] = here.under(kernel=2, stride=2, pad=0)
    found["fc7"] = here.under(kernel=7, stride=1, pad=0)
    return found


def convolve(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, pad: int) -> np.ndarray:
    rows, columns, _, filters = kernel.shape
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    height, width = padded.shape[0] - rows + 1, padded.shape[1] - columns + 1
    result = np.zeros((height, width, filters)) + bias
    for i in range(rows):
        for j in range(columns):
            result += padded[i : i + height, j : j + width] @ kernel[i, j]
    return result


def deconvolve(x: np.ndarray, kernel: np.ndarray, stride: int, bias: np.ndarray | float = 0.0):
    rows, columns, filters, _ = kernel.shape
    height, width = stride * (x.shape[0] - 1) + rows, stride * (x.shape[1] - 1) + columns
    result = np.zeros((height, width, filters)) + bias
    for i in range(rows):
        for j in range(columns):
            bottom, right = i + stride * x.shape[0], j + stride * x.shape[1]
            result[i:bottom:stride, j:right:stride] += x @ kernel[i, j].T
    return result


def pool(x: np.ndarray) -> np.ndarray:
    """2x2 with stride 2; Caffe rounds up, so that the last window may stand over the border."""
    height, width = (-(-side // 2) for side in x.shape[:2])
    result = np.full((height, width, x.shape[2]), -np.inf)
    for i in range(2):
        for j in range(2):
            part = x[i::2, j::2]
            here = result[: part.shape[0], : part.shape[1]]
            np.maximum(here, part, out=here)
    return result


def crop(x: np.ndarray, like: np.ndarray, offset: int) -> np.ndarray:
    rows, columns = like.shape[:2]
    part = x[offset : offset + rows, offset : offset + columns]
    assert part.shape[:2] == (rows, columns)
    return part


def scores(weights: dict[str, list[np.ndarray]], image: np.ndarray, finest: int) -> np.ndarray:
    """The scores of FCN-32s, 16s or 8s (`finest`): `(height, width, 3)` RGB -> `(.., classes)`.

    Args:
        weights: layer name -> kernel and, where there is one, bias.
        image: `(height, width, 3)` RGB in [0, 255].
        finest: 32, 16 or 8.
    """

    def conv(x: np.ndarray, name: str, pad: int = 0) -> np.ndarray:
        return convolve(x, *weights[name], pad)

    data = image[..., ::-1].astype(np.float64) - (104.00698793, 116.66876762, 122.67891434)
    where = encoder_coordinates()
    x, pooled = data, {}
    for stage, count in enumerate(STAGES, start=1):
        for index in range(1, count + 1):
            pad = 100 if stage == index == 1 else 1
            x = np.maximum(conv(x, f"conv{stage}_{index}", pad), 0)
        x = pooled[f"pool{stage}"] = pool(x)
    x = np.maximum(conv(x, "fc6"), 0)
    x = conv(np.maximum(conv(x, "fc7"), 0), "score_fr")
    here = where["fc7"]
    for skip, name, coarser in (("pool4", "upscore2", 32), ("pool3", "upscore_pool4", 16)):
        if finest < coarser:
            x = deconvolve(x, weights[name][0], 2, *weights[name][1:])
            here = here.enlarged(kernel=4, stride=2)
            fine = conv(pooled[skip], f"score_{skip}")
            x = x + crop(fine, x, crop_offset(where[skip], here))
    last = {32: "upscore", 16: "upscore16", 8: "upscore8"}[finest]
    x = deconvolve(x, weights[last][0], finest)
    here = here.enlarged(kernel=2 * finest, stride=finest)
    return crop(x, data, crop_offset(here, where["data"]))
