"""Preprocessing of images and label maps with the same resizing and padding."""

from typing import Any

import keras
import keras_hub
import numpy as np

from tfdeconv.hub.backbones import DeconvNetBackbone, FCNBackbone, SegNetBackbone
from tfdeconv.labels import IGNORE_LABEL


class LabelledImageConverter(keras_hub.layers.ImageConverter):
    """Resizes images without cropping them: the base of the image converters.

    The first layer of the network subtracts the mean. An image of other proportions than
    `image_size` is padded with black, as the windows that DeconvNet is trained on; KerasHub's own
    default crops it.

    Args:
        image_size: `(height, width)` of the result, or None to leave images as they are.
        crop_to_aspect_ratio: Cuts off in place of padding; then `pad_to_aspect_ratio` is False.
        pad_to_aspect_ratio: With both False the image is stretched.
        **kwargs: As `keras_hub.layers.ImageConverter`, but for `data_format`: channels come last.

    Call arguments:
        inputs: `(height, width, 3)` or `(batch, height, width, 3)` RGB in [0, 255], uint8 or float.
    """

    def __init__(
        self,
        image_size: tuple[int, int] | None = None,
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            image_size=image_size,
            crop_to_aspect_ratio=crop_to_aspect_ratio,
            pad_to_aspect_ratio=pad_to_aspect_ratio,
            data_format="channels_last",
            **kwargs,
        )

    def call(self, inputs: Any) -> Any:
        """Returns float32 images of `image_size`."""
        return super().call(_as_float(inputs))


class LabelMapPreprocessor(keras_hub.models.ImageSegmenterPreprocessor):
    """Converts images, and label maps by the same geometry: the base of the preprocessors.

    Labels take the value of the nearest pixel, and 255 where the image is padded. Losses and
    metrics of this package ignore 255.

    Args:
        image_converter: A `LabelledImageConverter`, or None to pass everything on as it is.
        **kwargs: `name`.

    Call arguments:
        x: `(height, width, 3)` or `(batch, height, width, 3)` RGB images in [0, 255].
        y: None, or integer labels of the images, `(height, width)` or `(batch, height, width)`; a
            channel axis of 1 may follow.
        sample_weight: Passed on as it is.

    Returns:
        The images, or a tuple with what else was given. Images and labels that were resized are
        float32; labels are without a channel axis.

    Raises:
        ValueError: when the labels have more than one channel.
    """

    def __init__(self, image_converter: Any = None, **kwargs: Any) -> None:
        # KerasHub's own resizing of masks knows no padding.
        super().__init__(image_converter=image_converter, resize_output_mask=False, **kwargs)

    def call(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Returns the input of the network."""
        if y is not None:
            x, y = (np.asarray(value) if isinstance(value, list) else value for value in (x, y))
            y = self._resize_labels(_as_maps(y, len(x.shape)))
        return super().call(x, y=y, sample_weight=sample_weight)

    def _resize_labels(self, labels: Any) -> Any:
        converter = self.image_converter
        if converter is None or converter.image_size is None:
            return labels
        # Made when it is needed: a second converter of this layer would be saved over the first.
        resize = keras_hub.layers.ImageConverter(
            image_size=converter.image_size,
            crop_to_aspect_ratio=converter.crop_to_aspect_ratio,
            pad_to_aspect_ratio=converter.pad_to_aspect_ratio,
            interpolation="nearest",
            data_format="channels_last",
        )
        resize.resizing.fill_value = IGNORE_LABEL
        return resize(_as_float(labels[..., None]))[..., 0]


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNetImageConverter(LabelledImageConverter):
    """Resizes and pads images for DeconvNet, whose sides are multiples of 32.

    Arguments are those of `tfdeconv.hub.preprocessing.LabelledImageConverter`.

    Example:

    >>> import numpy as np
    >>> from tfdeconv.hub import DeconvNetImageConverter
    >>> tuple(DeconvNetImageConverter(image_size=(32, 32))(np.ones((40, 60, 3))).shape)
    (32, 32, 3)
    """

    backbone_cls = DeconvNetBackbone


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNetImageConverter(LabelledImageConverter):
    """Resizes and pads images for SegNet; see `LabelledImageConverter`."""

    backbone_cls = SegNetBackbone


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNImageConverter(LabelledImageConverter):
    """Resizes and pads images for FCN; see `LabelledImageConverter`."""

    backbone_cls = FCNBackbone


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNetImageSegmenterPreprocessor(LabelMapPreprocessor):
    """Resizes images and their label maps for DeconvNet.

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
class SegNetImageSegmenterPreprocessor(LabelMapPreprocessor):
    """Resizes images and their label maps for SegNet; see `LabelMapPreprocessor`."""

    backbone_cls = SegNetBackbone
    image_converter_cls = SegNetImageConverter


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNImageSegmenterPreprocessor(LabelMapPreprocessor):
    """Resizes images and their label maps for FCN; see `LabelMapPreprocessor`."""

    backbone_cls = FCNBackbone
    image_converter_cls = FCNImageConverter


def _as_float(images: Any) -> Any:
    # Keras 3.15 rounds resized bytes in eager mode and not in tf.data, and cannot pad them at all.
    # This layer casts in either, whatever the backend.
    return keras.layers.Rescaling(1.0, dtype="float32")(images)


def _as_maps(labels: Any, rank: int) -> Any:
    if len(labels.shape) == rank - 1:
        return labels
    if len(labels.shape) == rank and labels.shape[-1] == 1:
        return labels[..., 0]
    raise ValueError(
        "`y` must be label maps (batch, height, width) of class indices, 255 = ignored. "
        f"Received: y.shape={tuple(labels.shape)}. One-hot labels: take their argmax."
    )
