"""Segmentation metrics: confusion matrix, IoU per class, mean IoU, pixel accuracy.

A confusion matrix is `(classes, classes)` int64 pixel counts, truth in rows and prediction in
columns. Pixels labelled 255 are ignored. Rates are fractions in [0, 1], and NaN where there
is nothing to judge. As in the VOC devkit, counts are summed over all images before any division.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.pixels import aligned

_LIMB = 2**20


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Computes the confusion matrix.

    Args:
        labels: the truth, integers of any shape; 255 is dropped.
        predictions: integers of the same shape, below `num_classes` where the truth is not 255.
        num_classes: number of classes.

    Returns:
        `(num_classes, num_classes)` int64, truth in rows. Matrices of several images add up.

    Raises:
        ValueError: when the shapes differ, or a class is not below `num_classes`.

    Example:

    >>> confusion_matrix(np.array([[0, 1], [1, 255]]), np.array([[0, 0], [1, 1]]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise ValueError(
            "`labels` and `predictions` must have one shape. "
            f"Received: {labels.shape} and {predictions.shape}"
        )
    judged = labels != IGNORE_LABEL
    truth, answer = labels[judged].astype(np.int64), predictions[judged].astype(np.int64)
    for name, values in (("labels", truth), ("predictions", answer)):
        if values.size and not 0 <= values.min() <= values.max() < num_classes:
            raise ValueError(
                f"`{name}` must be in [0, {num_classes}). "
                f"Received: {values.min()} to {values.max()}"
            )
    counts = np.bincount(truth * num_classes + answer, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou_per_class(confusion: np.ndarray) -> np.ndarray:
    """Returns intersection over union of every class.

    Args:
        confusion: `(classes, classes)` counts.

    Returns:
        `(classes,)` float64; NaN for a class that is neither in the truth nor predicted.

    Example:

    >>> iou_per_class(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])).round(3).tolist()
    [0.75, 0.667, nan]
    """
    intersection = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
    return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """Returns the mean of `iou_per_class` over the classes that occur; NaN when none does."""
    values = iou_per_class(confusion)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def pixel_accuracy(confusion: np.ndarray) -> float:
    """Returns the fraction of labelled pixels that are correct; NaN if there are none."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


@keras.saving.register_keras_serializable(package="tfdeconv")
class MeanIoU(keras.metrics.Metric):
    """Mean intersection over union over everything seen since the last reset, from logits.

    On crops, as in `fit`, this is not the data set's value at original resolution; that one comes
    from `tfdeconv.evaluate`. Keras's callbacks that monitor `"val_mean_iou"` use the mode "max".

    Args:
        num_classes: number of classes.
        ignore_label: pixels with this label, or with a label that is no class, are ignored.
        name: name in logs.

    Call arguments:
        y_true: `(batch, height, width)` integer labels; a channel axis of 1 may follow.
        y_pred: `(batch, height / n, width / n, num_classes)` logits or probabilities of any float
            dtype; the largest is the prediction, and ties go to the first class. Logits of a lower
            resolution are compared with the label at the centre of each cell.
        sample_weight: None, or weights for each image, `(batch,)`, or for each pixel, as `y_true`:
            by how much a pixel counts. Keras hands them to `weighted_metrics` of `compile`.

    Raises:
        ValueError: for other shapes, or another number of classes.

    The result is the mean over the classes that occur in the labels or predictions, as `mean_iou`.
    It is 0 if no class occurs, so that training logs contain no NaN.

    Example:

    >>> metric = MeanIoU(num_classes=2)
    >>> scores = np.array([[[[2.0, 1.0], [0.0, 1.0], [5.0, 0.0]]]], np.float32)
    >>> metric.update_state(np.array([[[0, 0, 255]]]), scores)
    >>> float(metric.result())
    0.25
    """

    def __init__(
        self,
        num_classes: int,
        ignore_label: int = IGNORE_LABEL,
        name: str = "mean_iou",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        # What `keras.callbacks` look at where they are to find out what is better.
        self._direction = "up"
        # Two limbs: float32 stops counting at 2**24 pixels, which is six batches of 64 windows, and
        # JAX has neither float64 nor integers beyond 2**31. Whole numbers stay exact to 2**44.
        self.counts = self.add_variable(
            (2, num_classes, num_classes), "zeros", dtype="float32", name="counts"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts one batch."""
        labels, logits, weights = aligned(y_true, y_pred, sample_weight)
        classes = self.num_classes
        if logits.shape[-1] != classes:
            raise ValueError(
                f"`y_pred` must have {classes} classes, the `num_classes` of the metric. "
                f"Received: y_pred of shape {tuple(logits.shape)}"
            )
        truth = ops.reshape(ops.cast(labels, "int32"), (-1,))
        answer = ops.reshape(ops.cast(ops.argmax(logits, axis=-1), "int32"), (-1,))
        judged = (truth >= 0) & (truth < classes) & (truth != self.ignore_label)
        # What is ignored goes to one cell behind the last.
        cell = ops.where(judged, truth * classes + answer, classes * classes)
        mass = ops.ones_like(cell) if weights is None else ops.reshape(weights, (-1,))
        found = ops.segment_sum(mass, cell, num_segments=classes * classes + 1)
        found = ops.reshape(found[:-1], (classes, classes))
        high = found // _LIMB
        low = self.counts[0] + ops.cast(found - high * _LIMB, "float32")
        carry = low // _LIMB
        high = self.counts[1] + ops.cast(high, "float32") + carry
        self.counts.assign(ops.stack([low - carry * _LIMB, high]))

    def result(self) -> Any:
        """Returns the mean so far, a float32 scalar."""
        confusion = self.counts[0] + self.counts[1] * _LIMB
        intersection = ops.diagonal(confusion)
        union = ops.sum(confusion, axis=0) + ops.sum(confusion, axis=1) - intersection
        iou = intersection / ops.maximum(union, 1.0)
        occurring = ops.sum(ops.cast(union > 0, "float32"))
        return ops.sum(iou) / ops.maximum(occurring, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal metric."""
        own = {"num_classes": self.num_classes, "ignore_label": self.ignore_label}
        return {**super().get_config(), **own}
