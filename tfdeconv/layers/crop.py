"""`Crop`: the part of a map that lies on another one, as Caffe's layer of that name."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfdeconv")
class Crop(keras.layers.Layer):
    """Cuts the height and width of another map out of a map, from an offset on.

    Networks without padding in their decoder bring maps into register with it: FCN pads its image
    by 100 pixels and cuts its scores back to the size of the image at the end.

    Args:
        offset: int. The first row and column to keep, at least 0.

    Call arguments:
        inputs: `(batch, height, width, channels)`, what to cut from.
        like: `(batch, rows, columns, any)`, the map whose height and width to take; its values do
            not matter.

    Output shape:
        `(batch, rows, columns, channels)`.

    Raises:
        ValueError: when `inputs` ends before `offset` and the size of `like` do, as far as sizes
            are known.

    Example:

    >>> import numpy as np
    >>> inputs = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> Crop(1)(inputs, np.zeros((1, 2, 3, 9)))[0, :, :, 0].numpy().tolist()
    [[5.0, 6.0, 7.0], [9.0, 10.0, 11.0]]

    Reference:
        `crop_layer.cpp` of Caffe, `axis: 2`.
    """

    def __init__(self, offset: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(offset, int) or offset < 0:
            raise ValueError(f"`offset` must be an integer from 0 on. Received: offset={offset!r}")
        self.offset = offset

    def call(self, inputs: Any, like: Any) -> Any:
        self._check(inputs.shape, like.shape)
        _, rows, columns, _ = ops.shape(like)
        first = self.offset
        return inputs[:, first : first + rows, first : first + columns]

    def compute_output_spec(self, inputs: Any, like: Any) -> keras.KerasTensor:
        self._check(inputs.shape, like.shape)
        return keras.KerasTensor(
            (inputs.shape[0], *like.shape[1:3], inputs.shape[3]), dtype=inputs.dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "offset": self.offset}

    def _check(self, inputs: Any, like: Any) -> None:
        pairs = list(zip(inputs[1:3], like[1:3], strict=True))
        if any(
            side is not None and wanted is not None and side < self.offset + wanted
            for side, wanted in pairs
        ):
            raise ValueError(
                "`inputs` must reach as far as `offset` and the size of `like`. Received: "
                f"offset={self.offset}, inputs.shape={tuple(inputs)}, like.shape={tuple(like)}"
            )
