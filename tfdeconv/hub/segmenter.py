"""What the image segmenters share: scores over a backbone, names and colours, the default compile.

The graph is that of the network in `tfdeconv.models`, layer for layer and flat:
`keras.Model(task.input, task.output)` is that network, with the weights of the task.
"""

from collections.abc import Sequence
from typing import Any

import keras
import keras_hub

from tfdeconv.hub.arguments import refuse_unknown
from tfdeconv.hub.policy import layers_in
from tfdeconv.labels import palette as voc_palette
from tfdeconv.layers import Logits
from tfdeconv.metrics import MeanIoU
from tfdeconv.models.arguments import check_classes
from tfdeconv.training.losses import CrossEntropy


class NetworkImageSegmenter(keras_hub.models.ImageSegmenter):
    """A backbone with its scores: the base of the image segmenters.

    Args:
        backbone: A backbone of this package.
        num_classes: Number of classes, 2 to 255, the background included.
        preprocessor: None to leave images and labels as they are, or the preprocessor of the same
            network.
        class_names: None or their names, in the order of the labels.
        palette: None for the colours of PASCAL VOC, or one RGB triple in [0, 255] a class.
        **kwargs: `name`, `trainable`, and `compile=False` to leave out the default compilation.

    Raises:
        ValueError: when names or colours are not as many as the classes.
        TypeError: for an argument that there is not.
    """

    def __init__(
        self,
        backbone: keras_hub.models.Backbone,
        num_classes: int,
        preprocessor: Any = None,
        class_names: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        own = ("preprocessor", "class_names", "palette", "name", "trainable", "compile")
        refuse_unknown(type(self), kwargs, *own)
        names = None if class_names is None else tuple(class_names)
        check_classes(num_classes, names)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor

        # === Functional Model ===
        with layers_in(backbone.dtype_policy):
            scores = self._scores(backbone, num_classes)
        outputs = Logits(names, name="scores")(scores)
        super().__init__(inputs=backbone.input, outputs=outputs, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.class_names = names
        self.palette = _colours(num_classes, palette)

    def _scores(self, backbone: keras_hub.models.Backbone, num_classes: int) -> keras.KerasTensor:
        raise NotImplementedError

    def compile(
        self, optimizer: Any = "auto", loss: Any = "auto", *, metrics: Any = "auto", **kwargs: Any
    ) -> None:
        """Configures training on label maps in which 255 counts nowhere.

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
        """Writes the weights of the scores to a `.weights.h5` file, without the optimizer's."""
        keras.saving.save_weights(self, filepath, objects_to_skip=self._no_weights_of_the_task())

    def load_task_weights(self, filepath: str) -> None:
        """Reads what `save_task_weights` wrote."""
        keras.saving.load_weights(self, filepath, objects_to_skip=self._no_weights_of_the_task())

    def _no_weights_of_the_task(self) -> list[Any]:
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


def _colours(
    num_classes: int, palette: Sequence[Sequence[int]] | None
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
