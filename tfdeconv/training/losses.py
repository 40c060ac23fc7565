"""Losses over label maps, in float32 and without the ignored pixels."""

from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL


@keras.saving.register_keras_serializable(package="tfdeconv")
class CrossEntropy(keras.losses.Loss):
    """Pixelwise softmax cross-entropy, averaged over the pixels that are not ignored.

    The mean is taken over all counting pixels of the batch, as the release's SoftmaxLoss with
    `normalize` does. A batch in which every pixel is ignored has loss 0. Scores that are a whole
    number of times smaller than the label map are compared with the labels in the middle of their
    cells.

    Args:
        ignore_label: Label of the pixels that count nowhere.
        name: Name of the loss.
        normalise: False for the sum over the pixels instead of their mean, as FCN is trained with.

    Call arguments:
        y_true: `(batch, height, width)` integer labels.
        y_pred: `(batch, height / n, width / n, classes)` scores before softmax, any float dtype.

    Returns:
        A float32 scalar.

    Example:

    >>> import numpy as np
    >>> scores = np.zeros((1, 1, 2, 4), "float32")
    >>> round(float(CrossEntropy()(np.array([[[3, 255]]]), scores)), 4)  # ln 4
    1.3863
    """

    def __init__(
        self, ignore_label: int = IGNORE_LABEL, name: str = "cross_entropy", normalise: bool = True
    ) -> None:
        # Float32 whatever the policy: exponentials of half precision scores overflow.
        super().__init__(name=name, reduction="sum", dtype="float32")
        self.ignore_label = ignore_label
        self.normalise = normalise

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of the batch."""
        labels = ops.cast(_at_resolution(y_true, y_pred), "int32")
        counts = ops.not_equal(labels, self.ignore_label)
        # A void label is no class: the kernel must not see it even where the result is dropped.
        labels = ops.where(counts, labels, ops.zeros_like(labels))
        losses = ops.sparse_categorical_crossentropy(
            labels, ops.cast(y_pred, "float32"), from_logits=True
        )
        counts = ops.cast(counts, "float32")
        total = ops.sum(losses * counts)
        return total / ops.maximum(ops.sum(counts), 1.0) if self.normalise else total

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        return {"ignore_label": self.ignore_label, "name": self.name, "normalise": self.normalise}


def _at_resolution(labels: Any, scores: Any) -> Any:
    cell = [
        1 if None in (fine, coarse) else fine // coarse
        for fine, coarse in zip(labels.shape[1:3], scores.shape[1:3], strict=True)
    ]
    if cell == [1, 1]:
        return labels
    return labels[:, cell[0] // 2 :: cell[0], cell[1] // 2 :: cell[1]]
