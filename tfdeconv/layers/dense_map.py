"""`DenseMap`: a convolution whose kernel covers its whole input, as one matrix product."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfdeconv")
class DenseMap(keras.layers.Layer):
    """Connects every element of a small map with every element of another.

    A convolution whose kernel covers its whole input (`fc6`, 7x7 to 1x1) does this, and so does a
    transposed one of a single element (`fc6-deconv`, 1x1 to 7x7). As convolutions they reorder
    their kernels, 400 MB each, at every call; a matrix product needs no reordering.
    `tfdeconv.weights.fold_batch_norm` replaces them by this layer.

    Args:
        rows: height of the result.
        columns: width of the result.
        filters: channels of the result, which share their bias over rows and columns.
        use_bias: whether there is a bias.
        activation: of the result, a name or a function as for `keras.layers.Conv2D`.
        kernel_initializer: of the kernel, `(height * width * channels, rows * columns * filters)`,
            in the order of the elements of the maps.

    Call arguments:
        inputs: `(batch, height, width, channels)` tensor, floating-point. Height and width must be
            known.

    Returns:
        `(batch, rows, columns, filters)`.

    Raises:
        ValueError: when the sides of the input are not known.

    Example:

    >>> layer = DenseMap(1, 1, 2, kernel_initializer="ones")
    >>> layer(keras.ops.ones((1, 2, 3, 4))).numpy().tolist()
    [[[[24.0, 24.0]]]]
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        filters: int,
        use_bias: bool = True,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rows, self.columns, self.filters = rows, columns, filters
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        height, width, channels = input_shape[1:]
        if height is None or width is None or channels is None:
            raise ValueError(
                "`inputs` must have a known height, width and number of channels. "
                f"Received: shape={tuple(input_shape)}"
            )
        inputs, outputs = height * width * channels, self.rows * self.columns * self.filters
        self.kernel = self.add_weight((inputs, outputs), self.kernel_initializer, name="kernel")
        self.bias = (
            self.add_weight((self.filters,), "zeros", name="bias") if self.use_bias else None
        )
        # A map of another size would be taken for a batch of another size.
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={1: height, 2: width, 3: channels})

    def call(self, inputs: Any) -> Any:
        flat = ops.reshape(inputs, (-1, self.kernel.shape[0]))
        outputs = ops.matmul(flat, self.kernel)
        outputs = ops.reshape(outputs, (-1, self.rows, self.columns, self.filters))
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.rows, self.columns, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rows": self.rows,
            "columns": self.columns,
            "filters": self.filters,
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
