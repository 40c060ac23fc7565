"""`CrossEntropy`: pixelwise softmax cross-entropy with an ignore index and class weights."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.training.losses.label_map import PixelLoss, checked_weights, weight_of_pixels
from tfdeconv.training.losses.pixels import Pixels


@keras.saving.register_keras_serializable(package="tfdeconv")
class CrossEntropy(PixelLoss):
    """Pixelwise softmax cross-entropy, averaged over the pixels that are not ignored.

    The mean is taken over all valid pixels of the batch, as the release's SoftmaxLoss with
    `normalize` does, and as `keras.losses.SparseCategoricalCrossentropy` does with `from_logits`
    and `ignore_class`, which it equals. A batch in which every pixel is ignored has loss 0.

    `sample_weight` multiplies the loss of each pixel; the sum is still divided by the number of
    valid pixels, or by the sum of their weights with `reduction="mean_with_sample_weight"`.
    `class_weights` multiply it likewise, as in the Caffe of SegNet; PyTorch divides by the sum of
    their weights.

    Args:
        ignore_label: Label of the pixels that are ignored.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`: "sum_over_batch_size" (or "mean"), "sum", as FCN is
            trained with, "mean_with_sample_weight", or None for the loss of every pixel.
        class_weights: None, or one number from 0 on for each class, such as those of
            `tfdeconv.training.class_weights.median_frequency`. The `class_weight` of `fit` cannot
            weight pixels.

    Call arguments:
        y_true: `(batch, height, width)` or `(batch, height, width, 1)` labels: classes or
            `ignore_label`.
        y_pred: `(batch, height / n, width / n, classes)` logits, any float dtype. Logits of fewer
            pixels are compared with the labels in the middle of their cells.
        sample_weight: None, or weights `(batch,)` or of the shape of `y_true`.

    Returns:
        A float32 scalar; without reduction `(batch, height / n, width / n)`. Under `tf.distribute`
        the mean is that of all valid pixels of the global batch.

    Raises:
        ValueError: when `class_weights` are not numbers from 0 on, or not as many as the classes;
            for labels or weights of another shape, and labels that are no class.

    Example:

    >>> import numpy as np
    >>> logits = np.zeros((1, 1, 2, 4), "float32")
    >>> round(float(CrossEntropy()(np.array([[[3, 255]]]), logits)), 4)  # ln 4
    1.3863

    Reference:
        `softmax_loss_layer.cpp` of Caffe and of caffe-segnet.
    """

    def __init__(
        self,
        ignore_label: int = IGNORE_LABEL,
        name: str = "cross_entropy",
        reduction: str | None = "sum_over_batch_size",
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(ignore_label, name, reduction)
        self.class_weights = checked_weights(class_weights)

    def of_pixels(self, pixels: Pixels) -> Any:
        """Returns the loss of every pixel."""
        losses = ops.sparse_categorical_crossentropy(pixels.labels, pixels.logits, from_logits=True)
        if self.class_weights is not None:
            losses *= weight_of_pixels(self.class_weights, pixels)
        return losses

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {**super().get_config(), "class_weights": weights}
