"""DeconvNet as KerasHub has its models: backbone, image segmenter, preprocessor, converter."""

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
class DeconvNetBackbone(NetworkBackbone):
    """DeconvNet up to the map that `seg-score-voc` scores, as large as the image.

    Args:
        image_shape: `(height, width, 3)`, multiples of 32. With `(None, None, 3)` the network takes
            every multiple of 32 from the size of `fc6` on.
        width: Factor on the number of channels, the paper's being 1.
        fc6_kernel: Side (or height and width) of the kernel of `fc6`; by default the last map,
            input/32, or 7 where the input is open. A preset keeps it, so that it opens for other
            sizes: `from_preset(directory, image_shape=(None, None, 3))`.
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

    >>> from tfdeconv.hub import DeconvNetBackbone
    >>> DeconvNetBackbone(image_shape=(32, 64, 3), width=1 / 32).output_shape
    (None, 32, 64, 2)

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (224, 224, 3),
        width: float = 1.0,
        fc6_kernel: int | tuple[int, int] | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        refuse_unknown(type(self), kwargs, "name", "trainable")

        # === Functional Model ===
        kernel = tuple(fc6_kernel) if isinstance(fc6_kernel, list) else fc6_kernel
        with layers_in(dtype):
            network = build(
                "deconvnet",
                num_classes=2,
                input_shape=tuple(image_shape),
                width=width,
                fc6_kernel=kernel,
            )
        super().__init__(
            image_shape, width, network.input, network.decoder_outputs[0], dtype, **kwargs
        )

        # === Config ===
        self.fc6_kernel = tuple(network.get_layer("fc6").kernel_size)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal backbone, without its weights."""
        return {**super().get_config(), "fc6_kernel": self.fc6_kernel}


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNetImageConverter(LabelledImageConverter):
    """Resizes and pads raw images to squares that DeconvNet takes.

    Arguments are those of `tfdeconv.hub.preprocessing.LabelledImageConverter`.

    Example:

    >>> import numpy as np
    >>> from tfdeconv.hub import DeconvNetImageConverter
    >>> tuple(DeconvNetImageConverter(image_size=(32, 32))(np.ones((40, 60, 3))).shape)
    (32, 32, 3)
    """

    backbone_cls = DeconvNetBackbone


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNetImageSegmenterPreprocessor(LabelMapPreprocessor):
    """Resizes raw images and their label maps for DeconvNet.

    Arguments are those of `tfdeconv.hub.preprocessing.LabelMapPreprocessor`.

    Example:

    >>> import numpy as np
    >>> from tfdeconv.hub import DeconvNetImageConverter, DeconvNetImageSegmenterPreprocessor
    >>> prepare = DeconvNetImageSegmenterPreprocessor(DeconvNetImageConverter((2, 2)))
    >>> image, labels = prepare(np.ones((2, 4, 3)), np.array([[1, 1, 2, 2]] * 2))
    >>> np.asarray(labels).tolist()
    [[1.0, 2.0], [255.0, 255.0]]
    """

    backbone_cls = DeconvNetBackbone
    image_converter_cls = DeconvNetImageConverter


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNetImageSegmenter(NetworkImageSegmenter):
    """DeconvNet as a KerasHub task: `fit`, `evaluate` and `predict` on raw images.

    Arguments are those of `tfdeconv.hub.segmenter.NetworkImageSegmenter`. `predict` returns float32
    scores before softmax of what the preprocessor made of each image, `(n, height, width,
    num_classes)`. The default compilation passes over label 255.

    Example:

    >>> import numpy as np
    >>> from tfdeconv.hub import DeconvNetBackbone, DeconvNetImageSegmenter
    >>> backbone = DeconvNetBackbone(image_shape=(32, 32, 3), width=1 / 32)
    >>> segmenter = DeconvNetImageSegmenter(backbone, num_classes=2, class_names=("sky", "cloud"))
    >>> segmenter.predict(np.zeros((1, 32, 32, 3), np.uint8), verbose=0).shape
    (1, 32, 32, 2)
    """

    backbone_cls = DeconvNetBackbone
    preprocessor_cls = DeconvNetImageSegmenterPreprocessor

    def _scores(self, backbone: keras_hub.models.Backbone, num_classes: int) -> keras.KerasTensor:
        head = keras.layers.Conv2D(
            num_classes,
            1,
            kernel_initializer="he_normal",
            data_format="channels_last",
            name="seg-score-voc",
        )
        return head(backbone.output)
