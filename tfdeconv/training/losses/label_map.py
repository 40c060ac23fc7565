"""What all losses over label maps have in common: float32, and pixels that count nowhere."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class LabelMapLoss(keras.losses.Loss):
    """The base of the losses: hands `measure` what counts.

    Args:
        ignore_label: Label of the pixels that count nowhere.
        name: Name of the loss.

    Call arguments:
        y_true: `(batch, height, width)` integers, each a class or `ignore_label`.
        y_pred: `(batch, height / n, width / n, classes)` scores before softmax, any float dtype.
            Those of fewer pixels are compared with the labels in the middle of their cells.

    Returns:
        A float32 scalar.
    """

    def __init__(self, ignore_label: int, name: str) -> None:
        # Float32 whatever the policy: exponentials of half precision scores overflow.
        super().__init__(name=name, reduction="sum", dtype="float32")
        self.ignore_label = ignore_label

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of the batch."""
        labels = ops.cast(_at_resolution(y_true, y_pred), "int32")
        counts = ops.not_equal(labels, self.ignore_label)
        # A void label is no class: the kernel must not see it even where the result is dropped.
        labels = ops.where(counts, labels, ops.zeros_like(labels))
        return self.measure(labels, ops.cast(y_pred, "float32"), counts)

    def measure(self, labels: Any, scores: Any, counts: Any) -> Any:
        """Returns the loss, a float32 scalar.

        Args:
            labels: `(batch, rows, columns)` int32 classes, 0 where a pixel does not count.
            scores: `(batch, rows, columns, classes)` float32.
            counts: `(batch, rows, columns)` bool.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        return {"ignore_label": self.ignore_label, "name": self.name}


def counting_only(scores: Any, counts: Any) -> Any:
    """Returns scores that are zero, and cut off from the gradient, where a pixel is ignored."""
    return ops.where(counts[..., None], scores, ops.zeros_like(scores))


def mean_of_present(losses: Any, pixels: Any) -> Any:
    """Returns the mean loss of the classes that the truth has; 0 when it has none.

    Args:
        losses: `(classes,)` finite losses.
        pixels: `(classes,)` counting pixels of each class.
    """
    present = ops.cast(pixels > 0, "float32")
    return ops.sum(losses * present) / ops.maximum(ops.sum(present), 1.0)


def checked_weights(class_weights: Sequence[float] | None) -> tuple[float, ...] | None:
    """Returns the weights of the classes as a tuple of floats.

    Raises:
        ValueError: when one is negative or not finite.
    """
    if class_weights is None:
        return None
    weights = tuple(float(weight) for weight in class_weights)
    if not weights or not all(math.isfinite(weight) and weight >= 0.0 for weight in weights):
        raise ValueError(
            "`class_weights` must be finite numbers from 0 on, one a class. "
            f"Received: class_weights={class_weights}"
        )
    return weights


def weight_of_pixels(class_weights: tuple[float, ...], labels: Any, classes: int) -> Any:
    """Returns the weight of every pixel, that of its label: float32 of the shape of `labels`.

    Raises:
        ValueError: when there is not one weight for each class of the scores.
    """
    if len(class_weights) != classes:
        raise ValueError(
            "`class_weights` must have one weight for each class of the scores. Received: "
            f"{len(class_weights)} weights, {classes} classes"
        )
    return ops.take(ops.convert_to_tensor(class_weights, "float32"), labels, axis=0)


def _at_resolution(labels: Any, scores: Any) -> Any:
    cell = [
        1 if None in (fine, coarse) else fine // coarse
        for fine, coarse in zip(labels.shape[1:3], scores.shape[1:3], strict=True)
    ]
    if cell == [1, 1]:
        return labels
    return labels[:, cell[0] // 2 :: cell[0], cell[1] // 2 :: cell[1]]
