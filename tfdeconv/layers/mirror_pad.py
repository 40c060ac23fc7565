"""`MirrorPad`: an image continued by its mirror image, for networks that eat its border."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="tfdeconv")
class MirrorPad(keras.layers.Layer):
    """Continues maps beyond their border by their own mirror image.

    Convolutions without padding lose a pixel at every border; what a deep network of them loses is
    added before. The mirror stands on the outermost pixels, which are not repeated; an image
    smaller than the margin is mirrored again and again.

    Args:
        margin: int. Rows and columns to add on every side, at least.
        multiple: int. See `remainder`.
        remainder: int. As many more rows below and columns to the right are added as leave
            `remainder` when the height or width of the result is divided by `multiple`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, rows, columns, channels)`.

    Example:

    >>> import numpy as np
    >>> row = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)
    >>> MirrorPad(2)(row)[0, 0, :, 0].numpy().tolist()
    [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]

    Reference:
        Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, section 2, figure 2: the overlap-tile
        strategy.
    """

    def __init__(self, margin: int, multiple: int = 1, remainder: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(margin, int) or margin < 0:
            raise ValueError(f"`margin` must be an integer from 0 on. Received: margin={margin!r}")
        if not isinstance(multiple, int) or not 0 <= remainder < multiple:
            raise ValueError(
                "`multiple` must be a positive integer and `remainder` at least 0 and below it. "
                f"Received: multiple={multiple!r}, remainder={remainder!r}"
            )
        self.margin = margin
        self.multiple = multiple
        self.remainder = remainder

    def call(self, inputs: Any) -> Any:
        shape = ops.shape(inputs)
        for axis in (1, 2):
            inputs = ops.take(inputs, self._places(shape[axis]), axis=axis)
        return inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sides, channels = input_shape
        return (batch, *(None if side is None else self._reach(side) for side in sides), channels)

    def get_config(self) -> dict[str, Any]:
        config = {
            "margin": self.margin,
            "multiple": self.multiple,
            "remainder": self.remainder,
        }
        return {**super().get_config(), **config}

    def _reach(self, side: Any) -> Any:
        least = side + 2 * self.margin
        # Remainders of positive numbers alone: those of negative ones are others in ONNX.
        beyond = (least + self.multiple - self.remainder) % self.multiple
        return least + (self.multiple - beyond) % self.multiple

    def _places(self, side: Any) -> Any:
        # A side that is known gives a constant, which needs no work in an exported graph.
        library = np if isinstance(side, int) else ops
        period = library.maximum(2 * (side - 1), 1)
        stop = self._reach(side) - self.margin
        places = library.abs(library.arange(-self.margin, stop, dtype="int32")) % period
        return library.minimum(places, period - places)
