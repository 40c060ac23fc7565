"""The networks as KerasHub tasks: a backbone with its head, class names and colours.

The graph is that of the network in `tfdeconv.models`, layer for layer and flat:
`keras.Model(task.input, task.output)` is that network, with the weights of the task.
"""

from collections.abc import Sequence
from typing import Any

import keras
import keras_hub
import numpy as np

from tfdeconv.hub.backbones import (
    DeconvNetBackbone,
    FCNBackbone,
    NetworkBackbone,
    SegNetBackbone,
    layers_in,
    refuse_unknown,
)
from tfdeconv.hub.preprocessing import (
    DeconvNetImageSegmenterPreprocessor,
    FCNImageSegmenterPreprocessor,
    SegNetImageSegmenterPreprocessor,
)
from tfdeconv.labels import palette as voc_palette
from tfdeconv.metrics import MeanIoU
from tfdeconv.models import fcn
from tfdeconv.models.base import check_classes
from tfdeconv.training.losses import CrossEntropy

# One channel a layer: of the network that is built for its head alone.
_NARROWEST = 1 / 4096


class NetworkImageSegmenter(keras_hub.models.ImageSegmenter):
    """A backbone with its head: the base of the image segmenters.

    Args:
        backbone: A backbone of this package.
        num_classes: Number of classes, 2 to 255, the background included.
        preprocessor: None to leave images and labels as they are, or the preprocessor of the same
            network.
        class_names: None or their names, in the order of the labels.
        palette: None for the colours of PASCAL VOC, or one RGB triple in [0, 255] per class.
        **kwargs: `name`, `trainable`, and `compile=False` to leave out the default compilation.

    Raises:
        ValueError: when there are not as many names or colours as classes.
        TypeError: for an unknown argument.
    """

    def __init__(
        self,
        backbone: NetworkBackbone,
        num_classes: int,
        preprocessor: Any = None,
        class_names: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        own = ("name", "trainable", "compile")
        names_of_all = ("backbone", "num_classes", "preprocessor", "class_names", "palette", *own)
        refuse_unknown(type(self), kwargs, names_of_all)
        names = None if class_names is None else tuple(class_names)
        check_classes(num_classes, names)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor

        # === Functional Model ===
        with layers_in(backbone.dtype_policy):
            network = self._network_cls()(
                num_classes,
                input_shape=backbone.image_shape,
                width=_NARROWEST,
                class_names=names,
                **{name: getattr(backbone, name) for name in backbone.options},
            )
        shared = {layer.name: layer for layer in backbone.layers}
        whole = keras.models.clone_model(
            network,
            input_tensors=backbone.input,
            clone_function=lambda layer: (
                shared.get(layer.name) or type(layer).from_config(layer.get_config())
            ),
        )
        super().__init__(inputs=backbone.input, outputs=whole.output, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.class_names = names
        self.palette = _colours(num_classes, palette)

    def _network_cls(self) -> type[Any]:
        return self.backbone_cls.network_cls

    def compile(
        self, optimizer: Any = "auto", loss: Any = "auto", *, metrics: Any = "auto", **kwargs: Any
    ) -> None:
        """Configures training on label maps in which pixels labelled 255 are ignored.

        Args:
            optimizer: `"auto"` for KerasHub's, Adam with a rate of 5e-5.
            loss: `"auto"` for `tfdeconv.training.losses.CrossEntropy`.
            metrics: `"auto"` for `tfdeconv.metrics.MeanIoU`.
            **kwargs: As `keras.Model.compile`.
        """
        if isinstance(loss, str) and loss == "auto":
            loss = CrossEntropy()
        if isinstance(metrics, str) and metrics == "auto":
            metrics = [MeanIoU(self.output_shape[-1])]
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Restores optimizer, loss and metrics of a `.keras` file, which KerasHub leaves out."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def save_task_weights(self, filepath: str) -> None:
        """Writes the weights of the head to a `.weights.h5` file, without the optimizer's."""
        keras.saving.save_weights(self, filepath, objects_to_skip=self._not_of_the_task())

    def load_task_weights(self, filepath: str) -> None:
        """Reads what `save_task_weights` wrote."""
        keras.saving.load_weights(self, filepath, objects_to_skip=self._not_of_the_task())

    def _not_of_the_task(self) -> list[Any]:
        # KerasHub leaves the optimizer in: twice the bytes, and a warning on every opening.
        optimizer = getattr(self, "optimizer", None)
        return [*self.backbone.layers, *([] if optimizer is None else [optimizer])]

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal segmenter, without its weights."""
        own = {
            "num_classes": self.num_classes,
            "class_names": self.class_names,
            "palette": self.palette,
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NetworkImageSegmenter":
        """Returns a segmenter; the names and colours of a preset for other classes are dropped."""
        config = dict(config)
        for name in ("class_names", "palette"):
            # `from_preset(..., num_classes=5)` replaces the number alone, and the head with it.
            if config.get(name) is not None and len(config[name]) != config["num_classes"]:
                config[name] = None
        return super().from_config(config)


@keras.saving.register_keras_serializable(package="tfdeconv")
class DeconvNetImageSegmenter(NetworkImageSegmenter):
    """DeconvNet as a KerasHub task: `fit`, `evaluate` and `predict` on raw images.

    Arguments are those of `tfdeconv.hub.segmenters.NetworkImageSegmenter`. `predict` returns
    float32 scores before softmax of each image as the preprocessor resized it, `(n, height, width,
    num_classes)`. The default compilation ignores label 255.

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


@keras.saving.register_keras_serializable(package="tfdeconv")
class SegNetImageSegmenter(NetworkImageSegmenter):
    """SegNet as a KerasHub task. Arguments and methods: see `DeconvNetImageSegmenter`.

    Example:

    >>> import numpy as np
    >>> from tfdeconv.hub import SegNetBackbone, SegNetImageSegmenter
    >>> segmenter = SegNetImageSegmenter(SegNetBackbone(width=1 / 32), num_classes=2)
    >>> segmenter.predict(np.zeros((1, 37, 50, 3), np.uint8), verbose=0).shape
    (1, 37, 50, 2)
    """

    backbone_cls = SegNetBackbone
    preprocessor_cls = SegNetImageSegmenterPreprocessor


@keras.saving.register_keras_serializable(package="tfdeconv")
class FCNImageSegmenter(NetworkImageSegmenter):
    """FCN-8s, 16s or 32s as a KerasHub task. Methods: see `DeconvNetImageSegmenter`.

    Args:
        backbone: An `FCNBackbone`.
        num_classes: Number of classes, 2 to 255, the background included.
        stride: 8, 16 or 32: the resolution of the scores before the last upsampling.
        **kwargs: As `tfdeconv.hub.segmenters.NetworkImageSegmenter`.

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
        self, backbone: FCNBackbone, num_classes: int, stride: int = 8, **kwargs: Any
    ) -> None:
        if stride not in fcn.BY_STRIDE:
            raise ValueError(f"`stride` must be 8, 16 or 32. Received: stride={stride}")
        self.stride = stride
        super().__init__(backbone, num_classes, **kwargs)

    def _network_cls(self) -> type[Any]:
        return fcn.BY_STRIDE[self.stride]

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal segmenter, without its weights."""
        return {**super().get_config(), "stride": self.stride}


def _colours(
    num_classes: int, palette: Sequence[Sequence[int]] | np.ndarray | None
) -> tuple[tuple[int, ...], ...]:
    colours = voc_palette()[:num_classes].tolist() if palette is None else palette
    result = tuple(tuple(int(value) for value in colour) for colour in colours)
    fits = len(result) == num_classes and all(len(colour) == 3 for colour in result)
    if not fits or not all(0 <= value <= 255 for colour in result for value in colour):
        raise ValueError(
            "`palette` must hold one RGB colour in [0, 255] for each class. Received: "
            f"palette={palette} for num_classes={num_classes}"
        )
    return result
