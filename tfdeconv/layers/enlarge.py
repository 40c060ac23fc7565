"""`BilinearUpsample`: bilinear upsampling by an integer factor."""

from typing import Any

import keras
from keras import ops

from tfdeconv.layers import checks


@keras.saving.register_keras_serializable(package="tfdeconv")
class BilinearUpsample(keras.layers.Layer):
    """Enlarges a map bilinearly; value `i` of the map stands at `i * factor` of the result.

    Between them the result is interpolated, and behind the last one it stays what that is. This
    fits networks whose windows are centred on every `factor`-th pixel, the first included, such as
    DeepLab and PSPNet. (`keras.layers.UpSampling2D` takes every value for the middle of a block.)

    Args:
        factor: int. How many times as high and wide the result is.

    Input shape:
        `(batch, height, width, channels)`, floating-point.

    Output shape:
        `(batch, factor * height, factor * width, channels)`. Caffe's result is the first
        `factor * (height - 1) + 1` rows, and columns likewise, of it.

    Example:

    >>> import numpy as np
    >>> x = np.array([[0.0, 2.0, 3.0]]).reshape(1, 1, 3, 1)
    >>> BilinearUpsample(2)(x)[0, 0, :, 0].numpy().tolist()
    [0.0, 1.0, 2.0, 2.5, 3.0, 3.0]

    Reference:
        `interp_layer.cpp` of DeepLab's Caffe, `zoom_factor`; `bilinear_upsampling` of Theano, which
        FRRN unpools with.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, _ = checks.pair("factor", factor)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        batch, height, width, channels = ops.shape(inputs)
        shares = ops.cast(ops.arange(self.factor), self.compute_dtype) / self.factor
        after = ops.concatenate([inputs[:, 1:], inputs[:, -1:]], axis=1)
        x = inputs[:, :, None] + (after - inputs)[:, :, None] * shares[:, None, None]
        x = ops.reshape(x, (batch, self.factor * height, width, channels))
        after = ops.concatenate([x[:, :, 1:], x[:, :, -1:]], axis=2)
        x = x[:, :, :, None] + (after - x)[:, :, :, None] * shares[:, None]
        return ops.reshape(x, (batch, self.factor * height, self.factor * width, channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sides, channels = input_shape
        return batch, *(side and side * self.factor for side in sides), channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}
