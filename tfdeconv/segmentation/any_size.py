"""Running networks that take images of any size, or of multiples of a number."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.layers import RequireSize


class SizeRule(NamedTuple):
    """The sizes that a network takes.

    Attributes:
        multiple: height and width must be multiples of it.
        least: the smallest height and width.

    Example:

    >>> SizeRule(multiple=32, least=(64, 64)).fit(70, 20)
    (96, 64)
    """

    multiple: int
    least: tuple[int, int]

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """Returns the smallest size that the network takes and that holds this one."""
        rows, columns = (
            max(-(-side // self.multiple) * self.multiple, least)
            for side, least in zip((height, width), self.least, strict=True)
        )
        return rows, columns


def size_rule(model: keras.Model) -> SizeRule:
    """Returns what a network for every size asks for by its `tfdeconv.layers.RequireSize`."""
    demands = [layer for layer in model.layers if isinstance(layer, RequireSize)]
    if not demands:
        return SizeRule(1, (1, 1))
    height, width = demands[0].minimum
    return SizeRule(demands[0].multiple, (height, width))


def run_any_size(run: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray) -> np.ndarray:
    """Runs a network for every size and tells in a sentence when it is none.

    Args:
        run: `(n, rows, columns, 3)` float32 pictures to scores.
        pictures: what to run it on.

    Raises:
        UserError: when the network cannot take the size.
    """
    try:
        return run(pictures)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise UserError(
            "A network without an input size must take images of every size. Received: for "
            f"{pictures.shape[1]}x{pictures.shape[2]} pixels, {str(error).splitlines()[0]}. Build "
            "it for one size, or put a `tfdeconv.layers.RequireSize` in front."
        ) from error
