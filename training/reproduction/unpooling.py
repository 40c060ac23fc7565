"""What a DeconvNet loses without its switches: two other ways to unpool, with the same weights.

Both take the place of `tfdeconv.layers.Unpool` in the network and leave everything else as it is.
"""

from typing import Any

import keras
from keras import ops

from tfdeconv.layers import Unpool

KINDS = ("switches", "bilinear", "corner")


@keras.saving.register_keras_serializable(package="tfdeconv_reproduction")
class BilinearUnpool(keras.layers.Layer):
    """Enlarges a map to the size of `like` bilinearly; the switches are not looked at."""

    def call(self, values: Any, argmax: Any, like: Any) -> Any:
        """Returns `(batch, height, width, channels)` for `like` of that height and width."""
        return ops.image.resize(values, ops.shape(like)[1:3], interpolation="bilinear")


@keras.saving.register_keras_serializable(package="tfdeconv_reproduction")
class CornerUnpool(keras.layers.Layer):
    """Puts every value into the upper left corner of its 2x2 window, wherever the maximum stood.

    Example:

    >>> values = ops.reshape(ops.convert_to_tensor([1.0, 2.0]), (1, 1, 2, 1))
    >>> ops.reshape(CornerUnpool()(values, None, ops.zeros((1, 2, 4, 1))), (2, 4)).numpy().tolist()
    [[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """

    def call(self, values: Any, argmax: Any, like: Any) -> Any:
        """Returns `(batch, height, width, channels)` for `like` of that, even, height and width."""
        _, rows, columns, channels = ops.shape(values)
        corner = ops.reshape(values, (-1, rows, 1, columns, 1, channels))
        padded = ops.pad(corner, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
        return ops.reshape(padded, (-1, 2 * rows, 2 * columns, channels))


def with_unpooling(model: keras.Model, kind: str) -> keras.Model:
    """Returns a copy of a DeconvNet that unpools in another way.

    Args:
        model: The network; its weights are copied, and it is left alone.
        kind: "switches" (as it is), "bilinear" or "corner".

    Returns:
        The copy, with the same names of layers.
    """
    others = {"bilinear": BilinearUnpool, "corner": CornerUnpool}

    def clone(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, Unpool) and kind in others:
            return others[kind](name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy
