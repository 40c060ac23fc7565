"""`RequireSize`: refuses images of a size that a fully convolutional network cannot take."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tfdeconv")
class RequireSize(keras.layers.Layer):
    """Passes its input on and raises for images whose size the network cannot take.

    The size is checked whenever it is known: on every eager call and whenever a graph is traced for
    a size. A graph that is traced for an open size is not checked.

    Args:
        multiple: int. Height and width must be multiples of it.
        minimum: `(height, width)`, the smallest image.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        The same.

    Raises:
        ValueError: names the nearest sizes that fit.

    Example:

    >>> import numpy as np
    >>> RequireSize(32, (64, 64))(np.zeros((1, 64, 96, 3))).shape
    TensorShape([1, 64, 96, 3])
    """

    def __init__(self, multiple: int, minimum: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple
        self.minimum = tuple(minimum)

    def call(self, inputs: Any) -> Any:
        sides = tuple(inputs.shape[1:3])
        fits = [
            side is None or (side >= least and side % self.multiple == 0)
            for side, least in zip(sides, self.minimum, strict=True)
        ]
        if not all(fits):
            raise ValueError(
                f"Images must have sides that are multiples of {self.multiple}, at least "
                f"{self.minimum[0]} high and {self.minimum[1]} wide. Received: height and width "
                f"{sides}. The nearest size is {self._nearest(sides)}"
            )
        return inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple, "minimum": self.minimum}

    def _nearest(self, sides: tuple[int | None, ...]) -> tuple[int, ...]:
        return tuple(
            max(round((side or least) / self.multiple) * self.multiple, least)
            for side, least in zip(sides, self.minimum, strict=True)
        )
