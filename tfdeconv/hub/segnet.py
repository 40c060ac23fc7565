"""SegNet as KerasHub has its models: backbone, image segmenter, preprocessor, converter."""

from typing import Any

import keras
import keras_hub

from tfdeconv.hub.arguments import refuse_unknown
from tfdeconv.hub.backbone import NetworkBackbone
from tfdeconv.hub.policy import layers_in
from tfdeconv.hub.preprocessing import LabelledImageConverter, LabelMapPreprocessor
from tfdeconv.hub.segmenter import NetworkImageSegmenter
from tfdeconv.models import build


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNetBackbone(NetworkBackbone):
    """SegNet up to the map that `conv1_1_D` scores, as large as the image.

    Args:
        image_shape: `(height, width, 3)`; by default images of every size.
        width: Factor on the number of channels, the paper's being 1.
        dtype: None or a policy of Keras.
        **kwargs: `name` and `trainable`.

    Input shape:
        `(batch, height, width, 3)` RGB in [0, 255].

    Output shape:
        `(batch, height, width, 64 * width)`.

    Raises:
        ValueError: when an argument is out of its range.
        TypeError: for an argument that there is not.

    Example:

    >>> from tfdeconv.hub import SegNetBackbone
    >>> SegNetBackbone(width=1 / 32).output_shape
    (None, None, None, 2)

    Reference:
        Badrinarayanan, Kendall, Cipolla: SegNet, arXiv 1511.00561.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (None, None, 3),
        width: float = 1.0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        refuse_unknown(type(self), kwargs, "name", "trainable")

        # === Functional Model ===
        with layers_in(dtype):
            network = build("segnet", num_classes=2, input_shape=tuple(image_shape), width=width)
        super().__init__(
            image_shape, width, network.input, network.decoder_outputs[0], dtype, **kwargs
        )


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNetImageConverter(LabelledImageConverter):
    """Resizes and pads raw images; without an `image_size` it leaves them as they are.

    Arguments are those of `tfdeconv.hub.preprocessing.LabelledImageConverter`.
    """

    backbone_cls = SegNetBackbone


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNetImageSegmenterPreprocessor(LabelMapPreprocessor):
    """Resizes raw images and their label maps for SegNet.

    Arguments are those of `tfdeconv.hub.preprocessing.LabelMapPreprocessor`.
    """

    backbone_cls = SegNetBackbone
    image_converter_cls = SegNetImageConverter


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNetImageSegmenter(NetworkImageSegmenter):
    """SegNet as a KerasHub task: `fit`, `evaluate` and `predict` on raw images.

    Arguments are those of `tfdeconv.hub.segmenter.NetworkImageSegmenter`; what else there is to say
    stands at `DeconvNetImageSegmenter`.

    Example:

    >>> import numpy as np
    >>> from tfdeconv.hub import SegNetBackbone, SegNetImageSegmenter
    >>> segmenter = SegNetImageSegmenter(SegNetBackbone(width=1 / 32), num_classes=2)
    >>> segmenter.predict(np.zeros((1, 37, 50, 3), np.uint8), verbose=0).shape
    (1, 37, 50, 2)
    """

    backbone_cls = SegNetBackbone
    preprocessor_cls = SegNetImageSegmenterPreprocessor

    def _scores(self, backbone: keras_hub.models.Backbone, num_classes: int) -> keras.KerasTensor:
        head = keras.layers.Conv2D(
            num_classes,
            3,
            padding="same",
            kernel_initializer="he_normal",
            data_format="channels_last",
            name="conv1_1_D",
        )
        return head(backbone.output)
