"""`Unpool`: unpooling by switches, as a Keras layer."""

from typing import Any

import keras

from tfdeconv.layers import checks, functional


@keras.saving.register_keras_serializable(package="tfdeconv")
class Unpool(keras.layers.Layer):
    """Puts each value where a maximum stood, and zeros elsewhere.

    The counterpart of `MaxPoolWithArgmax`. The gradient of the values is gathered from the same
    places; none passes through the switches.

    Pass the tensor that was pooled as `like`: it makes odd sizes come back exactly, and unpooling
    fast where height and width are unknown.

    Args:
        size: int or two ints, the pool size of the pooling. Defaults to 2.

    Call arguments:
        values: `(batch_size, h, w, channels)` tensor, floating-point.
        argmax: `(batch_size, h, w, channels)` integers, flat indices in each image of the result,
            from `MaxPoolWithArgmax` or of your own. No place may occur twice in an image.
        like: Optional. The tensor that was pooled; only its shape matters.

    Output shape:
        The shape of `like`; without it `(batch_size, h * size[0], w * size[1], channels)`.

    Example:

    >>> from tfdeconv.layers import MaxPoolWithArgmax
    >>> x = keras.Input((5, 7, 3))
    >>> pooled, argmax = MaxPoolWithArgmax(2)(x)
    >>> Unpool(2)(pooled, argmax, x).shape
    (None, 5, 7, 3)

    Reference:
        Noh et al., ICCV 2015, section 3.2.1, figure 3.
    """

    def __init__(self, size: int | tuple[int, int] = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = checks.pair("size", size)

    def call(self, values: Any, argmax: Any, like: Any = None) -> Any:
        return functional.unpool(values, argmax, self.size, like)

    def compute_output_spec(self, values: Any, argmax: Any, like: Any = None) -> keras.KerasTensor:
        checks.images("values", values.shape, values.dtype)
        checks.argmax(argmax.shape, argmax.dtype, values.shape)
        batch, *counts, channels = values.shape
        if like is None:
            sides = [
                None if count is None else count * size
                for count, size in zip(counts, self.size, strict=True)
            ]
        else:
            checks.like(like.shape, values.shape, self.size)
            sides = like.shape[1:3]
        return keras.KerasTensor((batch, *sides, channels), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
