"""`MaxPoolWithArgmax`: max pooling with switches, as a Keras layer."""

from typing import Any

import keras

from tfdeconv.layers import checks, functional


@keras.saving.register_keras_serializable(package="tfdeconv")
class MaxPoolWithArgmax(keras.layers.Layer):
    """Max pooling that also returns where each maximum stood.

    The first maximum of a window wins, row by row from the top left, and gets the whole gradient.
    The layer trains with and without XLA (`compile(jit_compile=True)`), under mixed precision, for
    unknown heights and widths, and on the TensorFlow, JAX and PyTorch backends.

    Args:
        pool_size: int or two ints, height and width of a window. Defaults to 2.
        strides: None or the pool size: windows do not overlap.
        padding: `"same"` (windows that stick out pool what they cover) or `"valid"` (the remainder
            of the image is dropped). Defaults to `"same"`.

    Input shape:
        `(batch_size, height, width, channels)`, floating-point.

    Output shape:
        Two tensors `(batch_size, h, w, channels)`, with `h = ceil(height / pool_size[0])` for
        `"same"` and `h = floor(height / pool_size[0])` for `"valid"`: the maxima, and the argmax,
        the integers `(y * width + x) * channels + c`, flat indices in each image of the input as
        `tf.nn.max_pool_with_argmax` gives them. They are int64, or int32 on JAX without x64.

    Example:

    >>> inputs = keras.Input((None, None, 3))
    >>> pooled, argmax = MaxPoolWithArgmax(2)(inputs)
    >>> pooled.shape, argmax.dtype
    ((None, None, None, 3), 'int64')

    Reference:
        Noh et al., ICCV 2015, section 3.2.1: these are the *switch variables*.
    """

    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        strides: int | tuple[int, int] | None = None,
        padding: str = "same",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = checks.pooling(pool_size, strides, padding)
        self.strides = self.pool_size
        self.padding = padding

    def call(self, inputs: Any) -> tuple[Any, Any]:
        return functional.max_pool_with_argmax(inputs, self.pool_size, padding=self.padding)

    def compute_output_spec(self, inputs: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        checks.images("inputs", inputs.shape, inputs.dtype)
        dtype = functional.argmax_dtype()
        checks.index_range(inputs.shape, dtype)
        batch, *sides, channels = inputs.shape
        excess = [size - 1 if self.padding == "same" else 0 for size in self.pool_size]
        counts = [
            None if side is None else (side + more) // size
            for side, more, size in zip(sides, excess, self.pool_size, strict=True)
        ]
        shape = (batch, *counts, channels)
        return keras.KerasTensor(shape, self.compute_dtype), keras.KerasTensor(shape, dtype)

    def get_config(self) -> dict[str, Any]:
        config = {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding}
        return {**super().get_config(), **config}
