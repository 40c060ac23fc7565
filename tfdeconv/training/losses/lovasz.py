"""`LovaszSoftmax`: what intersection over union itself is, made smooth."""

from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.training.losses.label_map import LabelMapLoss, counting_only, mean_of_present


@keras.saving.register_keras_serializable(package="tfdeconv")
class LovaszSoftmax(LabelMapLoss):
    """Lovasz-Softmax: the Lovasz extension of one minus intersection over union.

    Where all probabilities are 0 or 1 it equals one minus IoU; in between it is linear as long as
    the errors of the pixels keep their order. As in the authors' code the batch is one set of
    pixels, and the loss the mean over the classes that occur in its truth; 0 when all pixels are
    ignored. Pixels are sorted once for every class, which takes time.

    Args:
        ignore_label: Label of the pixels that count nowhere.
        name: Name of the loss.

    Call arguments:
        y_true: `(batch, height, width)` integer labels.
        y_pred: `(batch, height / n, width / n, classes)` scores before softmax, any float dtype.

    Returns:
        A float32 scalar from 0 to 1.

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

    def measure(self, labels: Any, scores: Any, counts: Any) -> Any:
        """Returns the mean over the classes that occur."""
        classes = scores.shape[-1]
        each = ops.reshape(counts, (1, -1))
        found = ops.softmax(counting_only(scores, counts), axis=-1)
        found = ops.transpose(ops.reshape(found, (-1, classes)))
        truth = ops.equal(ops.reshape(labels, (1, -1)), ops.arange(classes, dtype="int32")[:, None])
        truth = ops.cast(ops.logical_and(truth, each), "int32")
        # No error is negative: ignored pixels come last and change nothing for those before.
        errors = ops.where(truth > 0, 1.0 - found, found)
        errors = ops.where(each, errors, -ops.ones_like(errors))
        order = ops.argsort(ops.stop_gradient(-errors), axis=-1)
        errors = ops.take_along_axis(errors, order, axis=-1)
        truth = ops.take_along_axis(truth, order, axis=-1)
        shares = ops.where(errors >= 0.0, _steps(truth), ops.zeros_like(errors))
        return mean_of_present(ops.sum(errors * shares, axis=-1), ops.sum(truth, axis=-1))


def _steps(truth: Any) -> Any:
    """Returns by how much each further wrong pixel raises one minus IoU.

    Differences of the losses themselves, as in algorithm 1, would keep few digits among a million
    pixels: a true one that is missed adds `1 / union`, and another one that is taken in enlarges
    the union from `union - 1` to `union`.

    Args:
        truth: `(classes, pixels)` int32, 1 for the pixels of the class, in descending order of
            their errors.

    Returns:
        `(classes, pixels)` float32.
    """
    total = ops.sum(truth, axis=-1, keepdims=True)
    left = ops.cast(total - ops.cumsum(truth, axis=-1), "float32")
    union = ops.cast(total + ops.cumsum(1 - truth, axis=-1), "float32")
    missed = 1.0 / ops.maximum(union, 1.0)
    taken = left * missed / ops.maximum(union - 1.0, 1.0)
    return ops.where(truth > 0, missed, taken)
