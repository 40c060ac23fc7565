"""Layers that change the size of a map: bilinear upsampling, resizing, pooling to bins, cropping.

`Bilinear` is here too: the initialiser that lets a transposed convolution begin as an upsampler.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfdeconv.layers.pooling import check_pair

Tensor = Any
Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfdeconv")
class BilinearUpsample(keras.layers.Layer):
    """Upsamples a map bilinearly; value `i` of the map stays at `i * factor` of the result.

    The values between are interpolated, and those behind the last one repeat it. This fits networks
    whose windows are centred on every `factor`-th pixel, the first included, such as DeepLab and
    PSPNet. (`keras.layers.UpSampling2D` places every value in the middle of a block.)

    Args:
        factor: int. How many times as high and wide the result is.

    Input shape:
        `(batch, height, width, channels)`, floating-point.

    Output shape:
        `(batch, factor * height, factor * width, channels)`. Caffe's result is its first
        `factor * (height - 1) + 1` rows, and columns likewise.

    Example:

    >>> x = np.array([[0.0, 2.0, 3.0]]).reshape(1, 1, 3, 1)
    >>> BilinearUpsample(2)(x)[0, 0, :, 0].numpy().tolist()
    [0.0, 1.0, 2.0, 2.5, 3.0, 3.0]

    Reference:
        `interp_layer.cpp` of DeepLab's Caffe, `zoom_factor`; `bilinear_upsampling` of Theano, which
        FRRN unpools with.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, _ = check_pair("factor", factor)
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

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sides, channels = input_shape
        return batch, *(side and side * self.factor for side in sides), channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="tfdeconv")
class Resize(keras.layers.Layer):
    """Resizes a map bilinearly to the size of another one, with aligned corners.

    Meant for few bins: its time grows with the sizes of both maps. For larger maps use
    `BilinearUpsample`.

    Call arguments:
        inputs: `(batch, height, width, channels)`, floating-point.
        like: `(batch, rows, columns, any)`, the map whose height and width to take.

    Output shape:
        `(batch, rows, columns, channels)`.

    Example:

    >>> x = np.array([1.0, 3.0]).reshape(1, 1, 2, 1)
    >>> Resize()(x, np.zeros((1, 2, 3, 9)))[0, :, :, 0].numpy().tolist()
    [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]

    Reference:
        `interp_layer.cpp` of DeepLab's Caffe, `height` and `width`.
    """

    def call(self, inputs: Any, like: Any) -> Any:
        _, height, width, _ = ops.shape(inputs)
        _, rows, columns, _ = ops.shape(like)
        return _mix(inputs, _corner_shares(height, rows), _corner_shares(width, columns))

    def compute_output_spec(self, inputs: Any, like: Any) -> keras.KerasTensor:
        shape = (inputs.shape[0], *like.shape[1:3], inputs.shape[3])
        return keras.KerasTensor(shape, self.compute_dtype)


@keras.saving.register_keras_serializable(package="tfdeconv")
class AdaptiveAveragePool(keras.layers.Layer):
    """Averages a map of any size into a fixed number of bins.

    Bin `b` of `bins` averages the rows from `floor(b * height / bins)` to
    `ceil((b + 1) * height / bins)`, and columns likewise: adjacent bins overlap by a row where the
    height is no multiple, and a map of fewer rows than bins repeats them. Unlike
    `keras.layers.AdaptiveAveragePooling2D` it accepts maps of unknown size.

    Args:
        bins: int or two ints, height and width of the result.

    Input shape:
        `(batch, height, width, channels)`, floating-point.

    Output shape:
        `(batch, bins, bins, channels)`.

    Example:

    >>> x = np.array([1.0, 2.0, 6.0]).reshape(1, 1, 3, 1)
    >>> AdaptiveAveragePool((1, 2))(x).numpy().ravel().tolist()
    [1.5, 4.0]

    Reference:
        Zhao et al., CVPR 2017, section 3.2; `AdaptiveAvgPool2d` of PyTorch, which the authors'
        later code uses.
    """

    def __init__(self, bins: int | tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins = check_pair("bins", bins)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        _, height, width, _ = ops.shape(inputs)
        rows, columns = self.bins
        return _mix(inputs, _bin_shares(height, rows), _bin_shares(width, columns))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[0], *self.bins, input_shape[3]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins}


def _mix(inputs: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Makes every row of the result a mixture of rows of a map, and every column likewise.

    `rows` is `(rows of the result, height)`, the share of each row; `columns` likewise.
    """
    batch, height, width, channels = ops.shape(inputs)
    rows, columns = ops.cast(rows, inputs.dtype), ops.cast(columns, inputs.dtype)
    x = ops.matmul(rows, ops.reshape(inputs, (batch, height, width * channels)))
    x = ops.reshape(x, (batch, ops.shape(rows)[0], width, channels))
    return ops.matmul(columns, x)


def _bin_shares(side: Any, bins: int) -> Tensor:
    """Returns the share of each of `side` rows in each bin, `(bins, side)` float32."""
    row = ops.arange(side)
    number = ops.arange(bins)[:, None]
    first = (number * side) // bins
    # Not of negative numbers, which ONNX rounds to zero.
    end = ((number + 1) * side + bins - 1) // bins
    inside = ops.cast(ops.logical_and(row >= first, row < end), "float32")
    return inside / ops.cast(end - first, "float32")


def _corner_shares(side: Any, wanted: Any) -> Tensor:
    """Returns how `wanted` rows are interpolated between `side`, `(wanted, side)` float32."""
    steps = ops.cast(ops.maximum(wanted - 1, 1), "float32")
    reach = ops.cast(side - 1, "float32")
    place = ops.cast(ops.arange(wanted), "float32") * reach / steps
    distance = ops.abs(place[:, None] - ops.cast(ops.arange(side), "float32"))
    return ops.maximum(1.0 - distance, 0.0)


@keras.saving.register_keras_serializable(package="tfdeconv")
class Crop(keras.layers.Layer):
    """Cuts the height and width of another map out of a map, from an offset on.

    Networks without padding in their decoder align maps with it: FCN pads its image by 100 pixels
    and crops its scores to the size of the image at the end.

    Args:
        offset: int. The first row and column to keep, at least 0.

    Call arguments:
        inputs: `(batch, height, width, channels)`, what to crop.
        like: `(batch, rows, columns, any)`, the map whose height and width to take.

    Output shape:
        `(batch, rows, columns, channels)`.

    Raises:
        ValueError: when `inputs` is smaller than `offset` plus the size of `like`, as far as sizes
            are known.

    Example:

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
        shape = (inputs.shape[0], *like.shape[1:3], inputs.shape[3])
        return keras.KerasTensor(shape, dtype=inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "offset": self.offset}

    def _check(self, inputs: Any, like: Any) -> None:
        for side, wanted in zip(inputs[1:3], like[1:3], strict=True):
            if side is not None and wanted is not None and side < self.offset + wanted:
                raise ValueError(
                    "`inputs` must reach as far as `offset` and the size of `like`. Received: "
                    f"offset={self.offset}, inputs.shape={tuple(inputs)}, like.shape={tuple(like)}"
                )


@keras.saving.register_keras_serializable(package="tfdeconv")
class MirrorPad(keras.layers.Layer):
    """Pads maps with their own mirror image.

    Convolutions without padding lose a pixel at every border; this adds beforehand what a deep
    network of them loses. The outermost pixels are not repeated; an image smaller than the margin
    is mirrored again and again.

    Args:
        margin: int. Rows and columns to add on every side, at least.
        multiple: int. See `remainder`.
        remainder: int. More rows are added below and columns to the right until height and width
            of the result leave `remainder` when they are divided by `multiple`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, rows, columns, channels)`.

    Example:

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
        self.margin, self.multiple, self.remainder = margin, multiple, remainder

    def call(self, inputs: Any) -> Any:
        shape = ops.shape(inputs)
        for axis in (1, 2):
            inputs = ops.take(inputs, self._places(shape[axis]), axis=axis)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sides, channels = input_shape
        return (batch, *(None if side is None else self._reach(side) for side in sides), channels)

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "multiple": self.multiple, "remainder": self.remainder}
        return {**super().get_config(), **own}

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


@keras.saving.register_keras_serializable(package="tfdeconv")
class Bilinear(keras.initializers.Initializer):
    """Kernels of transposed convolutions that upsample every channel bilinearly.

    After an unpooling three of four values are zero; a 3x3 kernel of this kind fills them with the
    interpolation of their neighbours, so that a deep decoder begins as an upsampler of its
    bottleneck. Where the numbers of channels differ, channel `i` goes to `i` modulo the smaller
    number. Small networks trained from scratch learn much faster from this start than from random
    kernels (`training/README.md`).

    Args:
        noise: Scale of the He-normal noise that is added; it lets equal channels diverge. With 0
            and as many channels out as in, the kernel is FCN's.
        seed: Seed of the noise.

    Call arguments:
        shape: `(height, width, channels out, channels in)`, as of `keras.layers.Conv2DTranspose`.
        dtype: Dtype of the kernel.

    Returns:
        The kernel. Its spatial profile is `1 - |i - centre| / factor` in both directions, with
        `factor = (size + 1) // 2`.

    Example:

    >>> kernel = Bilinear(noise=0.0)((3, 3, 1, 1))
    >>> np.squeeze(kernel).tolist()
    [[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]]

    Reference:
        Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, 2015,
        section 3.3; `surgery.py` of its release.
    """

    def __init__(self, noise: float = 0.03, seed: int | None = None) -> None:
        self.noise = noise
        self._random = keras.initializers.HeNormal(seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Returns a kernel of `shape`."""
        height, width, channels_out, channels_in = shape
        spread = np.outer(_profile(height), _profile(width))
        kernel = np.zeros(shape, "float32")
        channels = np.arange(max(channels_out, channels_in))
        kernel[:, :, channels % channels_out, channels % channels_in] = spread[..., None]
        dtype = dtype or keras.config.floatx()
        noise = self._random(shape, dtype=dtype)
        return ops.cast(kernel, dtype) + ops.cast(self.noise, dtype) * noise

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the initialiser."""
        return {"noise": self.noise, "seed": self._random.get_config()["seed"]}


def _profile(size: int) -> np.ndarray:
    factor = (size + 1) // 2
    centre = factor - 1.0 if size % 2 else factor - 0.5
    return 1.0 - np.abs(np.arange(size) - centre) / factor
