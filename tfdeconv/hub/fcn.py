"""FCN as KerasHub has its models: backbone, image segmenter, preprocessor, converter."""

from typing import Any

import keras
import keras_hub

from tfdeconv.hub.arguments import refuse_unknown
from tfdeconv.hub.backbone import NetworkBackbone
from tfdeconv.hub.policy import layers_in
from tfdeconv.hub.preprocessing import LabelledImageConverter, LabelMapPreprocessor
from tfdeconv.hub.segmenter import NetworkImageSegmenter
from tfdeconv.models import build

STRIDES = (8, 16, 32)


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNBackbone(NetworkBackbone):
    """VGG-16 as FCN takes it, up to what it scores.

    Args:
        image_shape: `(height, width, 3)`; by default images of every size.
        width: Factor on the number of channels, the paper's being 1.
        dropout: Share of the outputs of `fc6` and `fc7` that training drops.
        batch_norm: Whether to normalise between every convolution and its ReLU.
        dtype: None or a policy of Keras.
        **kwargs: `name` and `trainable`.

    Input shape:
        `(batch, height, width, 3)` RGB in [0, 255].

    Output shape:
        A dictionary of `pool3`, `pool4` and `fc7`, one vector for 8x8, 16x16 and 32x32 pixels.

    Raises:
        ValueError: when an argument is out of its range.
        TypeError: for an argument that there is not.

    Example:

    >>> from tfdeconv.hub import FCNBackbone
    >>> sorted(FCNBackbone(width=1 / 32).output)
    ['fc7', 'pool3', 'pool4']

    Reference:
        Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (None, None, 3),
        width: float = 1.0,
        dropout: float = 0.5,
        batch_norm: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        refuse_unknown(type(self), kwargs, "name", "trainable")

        # === Functional Model ===
        own = {"dropout": dropout, "batch_norm": batch_norm}
        with layers_in(dtype):
            network = build(
                "fcn8s", num_classes=2, input_shape=tuple(image_shape), width=width, **own
            )
        fc7, pool4, pool3, _ = network.encoder_outputs
        outputs = {"pool3": pool3, "pool4": pool4, "fc7": fc7}
        super().__init__(image_shape, width, network.input, outputs, dtype, **kwargs)

        # === Config ===
        self.dropout = dropout
        self.batch_norm = batch_norm

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal backbone, without its weights."""
        own = {"dropout": self.dropout, "batch_norm": self.batch_norm}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNImageConverter(LabelledImageConverter):
    """Resizes and pads raw images; without an `image_size` it leaves them as they are.

    Arguments are those of `tfdeconv.hub.preprocessing.LabelledImageConverter`.
    """

    backbone_cls = FCNBackbone


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNImageSegmenterPreprocessor(LabelMapPreprocessor):
    """Resizes raw images and their label maps for FCN.

    Arguments are those of `tfdeconv.hub.preprocessing.LabelMapPreprocessor`.
    """

    backbone_cls = FCNBackbone
    image_converter_cls = FCNImageConverter


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNImageSegmenter(NetworkImageSegmenter):
    """FCN-8s, 16s or 32s as a KerasHub task: `fit`, `evaluate` and `predict` on raw images.

    Args:
        backbone: An `FCNBackbone`.
        num_classes: Number of classes, 2 to 255, the background included.
        stride: 8, 16 or 32: how fine the scores are before they are enlarged.
        **kwargs: As `tfdeconv.hub.segmenter.NetworkImageSegmenter`; what else there is to say
            stands at `DeconvNetImageSegmenter`.

    Raises:
        ValueError: for another stride.

    Example:

    >>> import numpy as np
    >>> from tfdeconv.hub import FCNBackbone, FCNImageSegmenter
    >>> segmenter = FCNImageSegmenter(FCNBackbone(width=1 / 32), num_classes=2)
    >>> segmenter.predict(np.zeros((1, 37, 50, 3), np.uint8), verbose=0).shape
    (1, 37, 50, 2)
    """

    backbone_cls = FCNBackbone
    preprocessor_cls = FCNImageSegmenterPreprocessor

    def __init__(
        self,
        backbone: keras_hub.models.Backbone,
        num_classes: int,
        stride: int = STRIDES[0],
        **kwargs: Any,
    ) -> None:
        if stride not in STRIDES:
            raise ValueError(f"`stride` must be 8, 16 or 32. Received: stride={stride}")
        self.stride = stride
        super().__init__(backbone, num_classes, **kwargs)

    def _scores(self, backbone: keras_hub.models.Backbone, num_classes: int) -> keras.KerasTensor:
        # The head is drawn once, in tfdeconv.models: below it, the backbone's layers take the place
        # of those of a network that is let go again.
        network = build(
            f"fcn{self.stride}s",
            num_classes=num_classes,
            input_shape=backbone.image_shape,
            width=backbone.width,
            kernel_initializer="zeros",
            dropout=backbone.dropout,
            batch_norm=backbone.batch_norm,
        )
        whole = keras.Model(network.input, network.get_layer("scores").input)
        own = {layer.name: layer for layer in backbone.layers}
        return keras.models.clone_model(
            whole,
            input_tensors=backbone.input,
            clone_function=lambda layer: own.get(layer.name, layer),
        ).output

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal segmenter, without its weights."""
        return {**super().get_config(), "stride": self.stride}
