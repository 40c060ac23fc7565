"""`Focal`: focal loss, cross-entropy with lower weight for well-classified pixels."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.training.losses.label_map import (
    PixelLoss,
    checked_weights,
    valid_logits,
    weight_of_pixels,
)
from tfdeconv.training.losses.pixels import Pixels

# Stands for minus infinity, of which differences would be NaN.
_NEVER = -1e38


@keras.saving.register_keras_serializable(package="tfdeconv")
class Focal(PixelLoss):
    """Focal loss `-(1 - p)^gamma log p` of the probability `p` of the true class.

    The mean over the pixels that are not ignored; 0 when all are. The paper has two classes and a
    sigmoid, and divides by the number of objects; here it is the softmax over all classes.

    Args:
        gamma: How much less a pixel counts that is right: 0 is cross-entropy, the paper's best 2.
        class_weights: None, or one number from 0 on for each class, the paper's alpha.
        ignore_label: Label of the pixels that are ignored.
        name: Name of the loss.
        reduction: As in `CrossEntropy`.

    Call arguments: those of `CrossEntropy`.

    Returns:
        A float32 scalar; without reduction `(batch, height / n, width / n)`.

    Raises:
        ValueError: when `gamma` is negative; as in `CrossEntropy`.

    Example:

    >>> import numpy as np
    >>> scores = np.zeros((1, 1, 2, 2), "float32")
    >>> round(float(Focal()(np.array([[[1, 255]]]), scores)), 4)  # (1 / 2)^2 ln 2
    0.1733

    Reference:
        Lin, Goyal, Girshick, He, Dollar: Focal Loss for Dense Object Detection, ICCV 2017,
        equations 4 and 5.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        class_weights: Sequence[float] | None = None,
        ignore_label: int = IGNORE_LABEL,
        name: str = "focal",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(ignore_label, name, reduction)
        if not math.isfinite(gamma) or gamma < 0.0:
            raise ValueError(f"`gamma` must be a number from 0 on. Received: gamma={gamma}")
        self.gamma = gamma
        self.class_weights = checked_weights(class_weights)

    def of_pixels(self, pixels: Pixels) -> Any:
        """Returns the loss of every pixel."""
        logits, labels = valid_logits(pixels), pixels.labels
        losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        # The power of 1 - p has no finite gradient at p = 1 for gamma below 1; the logarithm of
        # 1 - p, what the other classes have of the whole, is exact there and smooth.
        truth = ops.cast(ops.one_hot(labels, logits.shape[-1]), "bool")
        others = ops.where(truth, ops.full_like(logits, _NEVER), logits)
        wrong = ops.logsumexp(others, axis=-1) - ops.logsumexp(logits, axis=-1)
        losses *= ops.exp(self.gamma * wrong)
        if self.class_weights is not None:
            losses *= weight_of_pixels(self.class_weights, pixels)
        return losses

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {**super().get_config(), "gamma": self.gamma, "class_weights": weights}
