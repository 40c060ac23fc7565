"""What all losses over label maps have in common."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfdeconv.training.losses import replicas
from tfdeconv.training.losses.pixels import Pixels, pixels_of


class LabelMapLoss(keras.losses.Loss):
    """Base class of the losses: validates labels, logits and weights, and computes in float32.

    Args:
        ignore_label: Label of the pixels that are ignored.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`.

    Call arguments:
        y_true: `(batch, height, width)` labels, each a class or `ignore_label`; a channel axis of 1
            may follow. Any dtype, also floats that are whole numbers.
        y_pred: `(batch, height / n, width / n, classes)` logits, any float dtype. Those of fewer
            pixels are compared with the labels in the middle of their cells.
        sample_weight: None, or weights for each image, `(batch,)`, or for each pixel, as `y_true`.

    Returns:
        A float32 scalar. Under `tf.distribute` it is that of the global batch, divided by the
        number of replicas as Keras expects.

    Raises:
        ValueError: for labels or weights of another shape, and for labels that are no class.
        tf.errors.InvalidArgumentError: for these in a TensorFlow graph; where not even that can be
            raised (`jit_compile=True`, a compiled step of JAX), the loss is NaN.
    """

    def __init__(
        self, ignore_label: int, name: str, reduction: str | None = "sum_over_batch_size"
    ) -> None:
        # Float32 whatever the policy: exponentials of half precision logits overflow.
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.ignore_label = ignore_label

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Returns the loss of a batch.

        Keras's own method would turn labels into floats, and could not bring weights to the
        resolution of the logits.
        """
        with keras.name_scope(self.name):
            return self.measure(pixels_of(y_true, y_pred, sample_weight, self.ignore_label))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of a batch without weights."""
        return self(y_true, y_pred)

    def measure(self, pixels: Pixels) -> Any:
        """Returns the loss of this replica's pixels (`tfdeconv.training.losses.replicas`)."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        return {"ignore_label": self.ignore_label, "name": self.name}


class PixelLoss(LabelMapLoss):
    """The base of losses that are a mean over pixels; their arguments are those of the base."""

    def measure(self, pixels: Pixels) -> Any:
        """Returns the losses of the pixels, weighted and reduced."""
        losses = self.of_pixels(pixels) * pixels.mass
        if self.reduction in (None, "none"):
            return losses
        loss = replicas.total(ops.sum(losses))
        if self.reduction != "sum":
            weighted = self.reduction == "mean_with_sample_weight"
            counted = pixels.mass if weighted else ops.cast(pixels.valid, "float32")
            loss = ops.divide_no_nan(loss, ops.stop_gradient(replicas.total(ops.sum(counted))))
        return loss / replicas.count()

    def of_pixels(self, pixels: Pixels) -> Any:
        """Returns the loss of every pixel, `(batch, rows, columns)` float32."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        return {**super().get_config(), "reduction": self.reduction}


def valid_logits(pixels: Pixels) -> Any:
    """Returns logits that are zero, and cut off from the gradient, where a pixel is ignored."""
    return ops.where(pixels.valid[..., None], pixels.logits, ops.zeros_like(pixels.logits))


def mean_of_present(losses: Any, mass: Any) -> Any:
    """Returns the mean loss of the classes that are in the labels; 0 when none is.

    Args:
        losses: `(classes,)` finite losses.
        mass: `(classes,)` by how much the pixels of each class count.
    """
    present = ops.cast(mass > 0, "float32")
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


def weight_of_pixels(class_weights: tuple[float, ...], pixels: Pixels) -> Any:
    """Returns the weight of every pixel, that of its label: `(batch, rows, columns)` float32.

    Raises:
        ValueError: when there is not one weight for each class of the logits.
    """
    classes = pixels.logits.shape[-1]
    if len(class_weights) != classes:
        raise ValueError(
            "`class_weights` must have one weight for each class of the logits. Received: "
            f"{len(class_weights)} weights, {classes} classes"
        )
    return ops.take(ops.convert_to_tensor(class_weights, "float32"), pixels.labels, axis=0)
