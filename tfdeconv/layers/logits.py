"""`Logits`: the last layer of every network, with the names and colours of the classes."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfdeconv")
class Logits(keras.layers.Layer):
    """Casts logits to float32, whatever the dtype policy, and stores class names and colours.

    Losses and metrics lose too much in half precision. Names and colours are saved with the model.

    Args:
        class_names: None or strings, one for each channel, in the order of the labels; the
            attribute `class_names` is a tuple.
        palette: None for the colours of PASCAL VOC, or RGB triples in [0, 255], one for each
            channel: the colours of the label maps that the network learned from.

    Input shape:
        `(batch_size, ..., classes)`, floating-point.

    Output shape:
        The same, float32.

    Example:

    >>> import numpy as np
    >>> layer = Logits(["background", "cat"])
    >>> layer(np.zeros((1, 2, 2, 2), "float16")).dtype, layer.class_names
    (tf.float32, ('background', 'cat'))
    """

    def __init__(
        self,
        class_names: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.class_names = None if class_names is None else tuple(class_names)
        self.palette = None if palette is None else tuple(map(tuple, palette))

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, "float32")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if self.class_names is not None and len(self.class_names) != input_shape[-1]:
            raise ValueError(
                "`class_names` must have one name for each channel of the scores. Received: "
                f"{len(self.class_names)} names, {input_shape[-1]} channels"
            )
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"class_names": self.class_names, "palette": self.palette}
        return {**super().get_config(), **own}
