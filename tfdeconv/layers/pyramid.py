"""`AdaptiveAveragePool` and `Resize`: from a map of any size to few bins, and back."""

from typing import Any

import keras
from keras import ops

from tfdeconv.layers import checks
from tfdeconv.layers.separable import bin_shares, corner_shares, mix


@keras.saving.register_keras_serializable(package="tfdeconv")
class AdaptiveAveragePool(keras.layers.Layer):
    """Averages a map of any size into a fixed number of bins.

    Bin `b` of `bins` averages the rows from `floor(b * height / bins)` to
    `ceil((b + 1) * height / bins)`, and columns likewise: neighbours overlap by a row where the
    height is no multiple, and a map of fewer rows than bins repeats them. Unlike
    `keras.layers.AdaptiveAveragePooling2D` it takes maps whose size is not known beforehand.

    Args:
        bins: int or two ints, height and width of the result.

    Input shape:
        `(batch, height, width, channels)`, floating-point.

    Output shape:
        `(batch, bins, bins, channels)`.

    Example:

    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 6.0]).reshape(1, 1, 3, 1)
    >>> AdaptiveAveragePool((1, 2))(x).numpy().ravel().tolist()
    [1.5, 4.0]

    Reference:
        Zhao et al., CVPR 2017, section 3.2; `AdaptiveAvgPool2d` of PyTorch, which the authors'
        later code uses.
    """

    def __init__(self, bins: int | tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins = checks.pair("bins", bins)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        _, height, width, _ = ops.shape(inputs)
        rows, columns = self.bins
        return mix(inputs, bin_shares(height, rows), bin_shares(width, columns))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape[0], *self.bins, input_shape[3]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable(package="tfdeconv")
class Resize(keras.layers.Layer):
    """Stretches a map bilinearly over another one, corner upon corner.

    Meant for few bins: its time grows with the sizes of both maps. For larger maps use
    `BilinearUpsample`.

    Call arguments:
        inputs: `(batch, height, width, channels)`, floating-point.
        like: `(batch, rows, columns, any)`, the map to cover; its values do not matter.

    Output shape:
        `(batch, rows, columns, channels)`.

    Example:

    >>> import numpy as np
    >>> x = np.array([1.0, 3.0]).reshape(1, 1, 2, 1)
    >>> Resize()(x, np.zeros((1, 2, 3, 9)))[0, :, :, 0].numpy().tolist()
    [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]

    Reference:
        `interp_layer.cpp` of DeepLab's Caffe, `height` and `width`.
    """

    def call(self, inputs: Any, like: Any) -> Any:
        _, height, width, _ = ops.shape(inputs)
        _, rows, columns, _ = ops.shape(like)
        return mix(inputs, corner_shares(height, rows), corner_shares(width, columns))

    def compute_output_spec(self, inputs: Any, like: Any) -> keras.KerasTensor:
        shape = (inputs.shape[0], *like.shape[1:3], inputs.shape[3])
        return keras.KerasTensor(shape, self.compute_dtype)
