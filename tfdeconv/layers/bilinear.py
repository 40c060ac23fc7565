"""`Bilinear`: deconvolution kernels that begin as an upsampler."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="tfdeconv")
class Bilinear(keras.initializers.Initializer):
    """Kernels that hand every channel on to its namesake, spread bilinearly over the neighbours.

    After an unpooling three of four values are zero; a 3x3 kernel of this kind fills them with the
    interpolation of their neighbours, so that a deep decoder begins as an upsampler of its
    bottleneck instead of a cascade of random mixtures. Where the numbers of channels differ,
    channel `i` is handed on to `i` modulo the smaller number. Small networks trained from scratch
    learn several times sooner from this start than from random kernels (`training/README.md`).

    Args:
        noise: Scale of the He-normal noise that is added; it lets equal channels part. With 0 and
            as many channels out as in, the kernel is FCN's.
        seed: Seed of the noise.

    Call arguments:
        shape: `(height, width, channels out, channels in)`, as of `keras.layers.Conv2DTranspose`.
        dtype: Dtype of the kernel.

    Returns:
        The kernel. Its spatial profile is `1 - |i - centre| / factor` in both directions, with
        `factor = (size + 1) // 2`.

    Example:

    >>> import numpy as np
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
