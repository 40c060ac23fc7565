"""What the backbones share: LoRA on every convolution that Keras can adapt."""

from typing import Any

import keras
import keras_hub


class NetworkBackbone(keras_hub.models.Backbone):
    """A network of `tfdeconv.models` up to its scores: the base of the backbones.

    Args:
        image_shape: `(height, width, 3)`; height and width may be None.
        width: Factor on the number of channels.
        inputs: The images of the functional graph.
        outputs: Where it ends.
        dtype: Policy of the layers.
        **kwargs: `name` and `trainable`.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int],
        width: float,
        inputs: keras.KerasTensor,
        outputs: Any,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, dtype=dtype, **kwargs)

        # === Config ===
        self.image_shape = tuple(image_shape)
        self.width = width

    def default_lora_layer_names(self) -> list[str]:
        """Returns the convolutions; Keras has no LoRA for deconvolutions, which stay frozen."""
        return [layer.name for layer in self.layers if isinstance(layer, keras.layers.Conv2D)]

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal backbone, without its weights."""
        return {**super().get_config(), "image_shape": self.image_shape, "width": self.width}
