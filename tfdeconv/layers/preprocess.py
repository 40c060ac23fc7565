"""The first layers of a network: `Preprocess` (RGB to Caffe's BGR) and `RequireSize`."""

from typing import Any

import keras
from keras import ops

# B, G, R: inference/util/preprocess_image_bb.m of the DeconvNet release.
MEAN = (104.00698793, 116.66876762, 122.67891434)


@keras.saving.register_keras_serializable(package="tfdeconv")
class Preprocess(keras.layers.Layer):
    """Reverses RGB to BGR and subtracts the mean; no scaling.

    The difference is taken in float32 and then cast to the compute type of the layer: under mixed
    precision the image is rounded once, in bfloat16 by at most half a gray level.

    Args:
        mean: Three floats, the mean of the channels **B, G, R** in [0, 255]. Defaults to that of
            ImageNet as the release of DeconvNet has it.

    Input shape:
        `(..., 3)`, RGB in [0, 255], uint8 or floating-point.

    Output shape:
        The same, BGR minus the mean, in the compute type of the layer.

    Example:

    >>> import numpy as np
    >>> Preprocess(mean=(1, 2, 3))(np.array([[[[10, 20, 30]]]], "uint8")).numpy().ravel()
    array([29., 18.,  7.], dtype=float32)
    """

    def __init__(self, mean: tuple[float, float, float] = MEAN, **kwargs: Any) -> None:
        # Autocast would round the image before the mean is subtracted.
        super().__init__(autocast=False, **kwargs)
        self.mean = tuple(float(value) for value in mean)
        if len(self.mean) != 3:
            raise ValueError(f"`mean` must be three numbers, B, G and R. Received: mean={mean}")

    def call(self, inputs: Any) -> Any:
        bgr = ops.flip(ops.cast(inputs, "float32"), axis=-1)
        return ops.cast(bgr - ops.convert_to_tensor(self.mean, "float32"), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if input_shape[-1] != 3:
            raise ValueError(
                "`inputs` must be RGB images (batch, height, width, 3). "
                f"Received: inputs.shape={input_shape}"
            )
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean}


@keras.saving.register_keras_serializable(package="tfdeconv")
class RequireSize(keras.layers.Layer):
    """Raises for images whose size the network cannot take, and otherwise returns its input.

    The size is checked whenever it is known: on every eager call and when a graph is traced for a
    known size.

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
