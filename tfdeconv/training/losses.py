"""Losses over label maps, in float32 and without the ignored pixels."""

from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL


@keras.saving.register_keras_serializable(package="tfdeconv")
class CrossEntropy(keras.losses.Loss):
    """Pixelwise softmax cross-entropy, averaged over the pixels that are not ignored.

    The mean is taken over all counting pixels of the batch, as the release's SoftmaxLoss with
    `normalize` does. A batch in which every pixel is ignored has loss 0.

    Args:
        ignore_label: Label of the pixels that count nowhere.
        name: Name of the loss.

    Call arguments:
        y_true: `(batch, height, width)` integer labels.
        y_pred: `(batch, height, width, classes)` scores before softmax, any float dtype.

    Returns:
        A float32 scalar.

    Example:

    >>> import numpy as np
    >>> scores = np.zeros((1, 1, 2, 4), "float32")
    >>> round(float(CrossEntropy()(np.array([[[3, 255]]]), scores)), 4)  # ln 4
    1.3863
    """

    def __init__(self, ignore_label: int = IGNORE_LABEL, name: str = "cross_entropy") -> None:
        # Float32 whatever the policy: exponentials of half precision scores overflow.
        super().__init__(name=name, reduction="sum", dtype="float32")
        self.ignore_label = ignore_label

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of the batch."""
        labels = ops.cast(y_true, "int32")
        counts = ops.not_equal(labels, self.ignore_label)
        # A void label is no class: the kernel must not see it even where the result is dropped.
        labels = ops.where(counts, labels, ops.zeros_like(labels))
        losses = ops.sparse_categorical_crossentropy(
            labels, ops.cast(y_pred, "float32"), from_logits=True
        )
        counts = ops.cast(counts, "float32")
        return ops.sum(losses * counts) / ops.maximum(ops.sum(counts), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        return {"ignore_label": self.ignore_label, "name": self.name}
