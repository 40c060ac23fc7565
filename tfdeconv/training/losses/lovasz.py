"""`LovaszSoftmax`: a convex surrogate of intersection over union."""

from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.training.losses import replicas
from tfdeconv.training.losses.label_map import LabelMapLoss, mean_of_present, valid_logits
from tfdeconv.training.losses.pixels import Pixels


@keras.saving.register_keras_serializable(package="tfdeconv")
class LovaszSoftmax(LabelMapLoss):
    """Lovasz-Softmax: the Lovasz extension of one minus intersection over union.

    Where all probabilities are 0 or 1 it equals one minus IoU; in between it is linear as long as
    the errors of the pixels keep their order. As in the authors' code it is computed over all
    pixels of the batch and averaged over the classes present in the labels; 0 when all pixels are
    ignored. Pixels are sorted once for every class, which takes time.

    Args:
        ignore_label: Label of the pixels that are ignored.
        name: Name of the loss.

    Call arguments: those of `CrossEntropy`. A pixel of weight 2 counts as two pixels would; weights
    that are all multiplied by one number change nothing.

    Returns:
        A float32 scalar from 0 to 1: of all pixels of the batch, under `tf.distribute` of the
        global batch.

    Example:

    >>> import numpy as np
    >>> scores = np.array([[[[0.0, 99.0], [0.0, 99.0], [0.0, 99.0]]]], "float32")
    >>> float(LovaszSoftmax()(np.array([[[1, 0, 255]]]), scores))  # IoU 1/2 and 0
    0.75

    Reference:
        Berman, Rannen Triki, Blaschko: The Lovasz-Softmax Loss, CVPR 2018, equation 11 and
        algorithm 1.
    """

    def __init__(self, ignore_label: int = IGNORE_LABEL, name: str = "lovasz_softmax") -> None:
        super().__init__(ignore_label, name)

    def measure(self, pixels: Pixels) -> Any:
        """Returns the mean over the classes that occur."""
        classes = pixels.logits.shape[-1]
        found = ops.softmax(valid_logits(pixels), axis=-1)
        found = ops.transpose(ops.reshape(found, (-1, classes)))
        # Counted in int32, of which float32 would lose some beyond 2**24 pixels.
        mass = ops.cast(pixels.valid, "int32") if pixels.weights is None else pixels.weights
        mass = ops.reshape(mass, (1, -1))
        valid = ops.reshape(pixels.valid, (1, -1))
        classes_in_rows = ops.arange(classes, dtype="int32")[:, None]
        truth = ops.logical_and(
            ops.equal(ops.reshape(pixels.labels, (1, -1)), classes_in_rows), valid
        )
        # No error is negative: ignored pixels come last and change nothing for those before.
        errors = ops.where(truth, 1.0 - found, found)
        errors = replicas.joined(ops.where(valid, errors, -ops.ones_like(errors)))
        mass = replicas.joined(mass)
        truth = replicas.joined(ops.cast(truth, mass.dtype)) * mass
        order = ops.argsort(ops.stop_gradient(-errors), axis=-1)
        errors = ops.take_along_axis(errors, order, axis=-1)
        truth = ops.take_along_axis(truth, order, axis=-1)
        mass = ops.take_along_axis(ops.broadcast_to(mass, ops.shape(order)), order, axis=-1)
        shares = ops.where(errors >= 0.0, _steps(truth, mass), ops.zeros_like(errors))
        loss = mean_of_present(ops.sum(errors * shares, axis=-1), ops.sum(truth, axis=-1))
        return loss / replicas.count()


def _steps(truth: Any, mass: Any) -> Any:
    """Returns by how much each further wrong pixel raises one minus IoU.

    Differences of the losses themselves, as in algorithm 1, would keep few digits among a million
    pixels: a true one of mass `m` that is missed adds `m / union`, and another one that is taken in
    enlarges the union from `union - m` to `union`.

    Args:
        truth: `(classes, pixels)` mass of the pixels of the class, 0 for others, in descending
            order of their errors.
        mass: `(classes, pixels)` by how much each pixel counts, of the same dtype.

    Returns:
        `(classes, pixels)` float32.
    """
    total = ops.sum(truth, axis=-1, keepdims=True)
    left = ops.cast(total - ops.cumsum(truth, axis=-1), "float32")
    union = ops.cast(total + ops.cumsum(mass - truth, axis=-1), "float32")
    mass = ops.cast(mass, "float32")
    missed = ops.divide_no_nan(mass, union)
    taken = ops.divide_no_nan(left * missed, union - mass)
    return ops.where(truth > 0, missed, taken)
