"""`CrossEntropy`: of every pixel, weighted by its class where classes are rare."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.training.losses.label_map import LabelMapLoss, checked_weights, weight_of_pixels


@keras.saving.register_keras_serializable(package="tfdeconv")
class CrossEntropy(LabelMapLoss):
    """Pixelwise softmax cross-entropy, averaged over the pixels that are not ignored.

    The mean is taken over all counting pixels of the batch, as the release's SoftmaxLoss with
    `normalize` does. A batch in which every pixel is ignored has loss 0. Scores that are a whole
    number of times smaller than the label map are compared with the labels in the middle of their
    cells.

    With class weights each pixel's loss is multiplied by the weight of its label, and the sum still
    divided by the number of pixels, as in the Caffe of SegNet; PyTorch divides by the sum of their
    weights.

    Args:
        ignore_label: Label of the pixels that count nowhere.
        name: Name of the loss.
        normalise: False for the sum over the pixels instead of their mean, as FCN is trained with.
        class_weights: None, or one number from 0 on for each class, such as those of
            `tfdeconv.training.class_weights.median_frequency`.

    Call arguments:
        y_true: `(batch, height, width)` integer labels.
        y_pred: `(batch, height / n, width / n, classes)` scores before softmax, any float dtype.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: when the weights are not numbers from 0 on, or not as many as the classes.

    Example:

    >>> import numpy as np
    >>> scores = np.zeros((1, 1, 2, 4), "float32")
    >>> round(float(CrossEntropy()(np.array([[[3, 255]]]), scores)), 4)  # ln 4
    1.3863

    Reference:
        `softmax_loss_layer.cpp` of Caffe and of caffe-segnet.
    """

    def __init__(
        self,
        ignore_label: int = IGNORE_LABEL,
        name: str = "cross_entropy",
        normalise: bool = True,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(ignore_label, name)
        self.normalise = normalise
        self.class_weights = checked_weights(class_weights)

    def measure(self, labels: Any, scores: Any, counts: Any) -> Any:
        """Returns the loss of the pixels that count."""
        losses = ops.sparse_categorical_crossentropy(labels, scores, from_logits=True)
        if self.class_weights is not None:
            losses *= weight_of_pixels(self.class_weights, labels, scores.shape[-1])
        counts = ops.cast(counts, "float32")
        total = ops.sum(losses * counts)
        return total / ops.maximum(ops.sum(counts), 1.0) if self.normalise else total

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {**super().get_config(), "normalise": self.normalise, "class_weights": weights}
