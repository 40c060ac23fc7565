"""`Dice`, `Jaccard` and `Tversky`: overlap losses.

True positives, false positives and false negatives are computed from probabilities and summed over
the batch, as the metrics sum over a data set. The loss is the mean over the classes present in the
labels of the batch, so that no denominator is 0 and no smoothing constant is needed. False
positives of absent classes count as false negatives of other classes.
"""

import math
from typing import Any

import keras
from keras import ops

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.training.losses import replicas
from tfdeconv.training.losses.label_map import LabelMapLoss, mean_of_present, valid_logits
from tfdeconv.training.losses.pixels import Pixels


@keras.saving.register_keras_serializable(package="tfdeconv")
class Tversky(LabelMapLoss):
    """One minus the Tversky index `TP / (TP + alpha FP + beta FN)`.

    The mean over the classes that occur; 0 when all pixels are ignored.

    Args:
        alpha: Weight of what is predicted and not true, at least 0.
        beta: Weight of what is true and not predicted, above 0. The paper's best are 0.3 and 0.7;
            1/2 and 1/2 is `Dice`, 1 and 1 `Jaccard`.
        ignore_label: Label of the pixels that are ignored.
        name: Name of the loss.

    Call arguments: those of `CrossEntropy`. A pixel of weight 2 counts as two pixels would; weights
    that are all multiplied by one number change nothing.

    Returns:
        A float32 scalar from 0 to 1: of all pixels of the batch, under `tf.distribute` of the
        global batch.

    Raises:
        ValueError: when a weight is out of its range.

    Example:

    >>> import numpy as np
    >>> scores = np.zeros((1, 1, 2, 2), "float32")
    >>> labels = np.array([[[1, 255]]])
    >>> round(float(Tversky(0.3, 0.7)(labels, scores)), 4)  # 1 - 0.5 / (0.5 + 0.7 * 0.5)
    0.4118

    Reference:
        Salehi, Erdogmus, Gholipour: Tversky Loss Function for Image Segmentation Using 3D Fully
        Convolutional Deep Networks, MLMI 2017, equation 4.
    """

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        ignore_label: int = IGNORE_LABEL,
        name: str = "tversky",
    ) -> None:
        super().__init__(ignore_label, name)
        if not (math.isfinite(alpha) and math.isfinite(beta) and alpha >= 0.0 and beta > 0.0):
            raise ValueError(
                "`alpha` must be a number from 0 on and `beta` one above 0. "
                f"Received: alpha={alpha}, beta={beta}"
            )
        self.alpha, self.beta = alpha, beta

    def measure(self, pixels: Pixels) -> Any:
        """Returns the mean over the classes that occur."""
        return _distance(pixels, self.alpha, self.beta)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the loss."""
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}


@keras.saving.register_keras_serializable(package="tfdeconv")
class Dice(LabelMapLoss):
    """One minus the Dice coefficient `2 TP / (2 TP + FP + FN)`.

    The mean over the classes that occur; 0 when all pixels are ignored. V-Net squares the
    probabilities in the denominator; here they are not, as in the paper below.

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
    >>> scores = np.zeros((1, 1, 2, 2), "float32")
    >>> round(float(Dice()(np.array([[[1, 255]]]), scores)), 4)  # 1 - 1 / 1.5
    0.3333

    Reference:
        Drozdzal, Vorontsov, Chartrand, Kadoury, Pal: The Importance of Skip Connections in
        Biomedical Image Segmentation, DLMIA 2016, section 3.
    """

    def __init__(self, ignore_label: int = IGNORE_LABEL, name: str = "dice") -> None:
        super().__init__(ignore_label, name)

    def measure(self, pixels: Pixels) -> Any:
        """Returns the mean over the classes that occur."""
        return _distance(pixels, 0.5, 0.5)


@keras.saving.register_keras_serializable(package="tfdeconv")
class Jaccard(LabelMapLoss):
    """One minus the soft intersection over union `TP / (TP + FP + FN)`.

    The mean over the classes that occur; 0 when all pixels are ignored.

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
    >>> scores = np.zeros((1, 1, 2, 2), "float32")
    >>> float(Jaccard()(np.array([[[1, 255]]]), scores))  # 1 - 0.5 / 1
    0.5

    Reference:
        Rahman, Wang: Optimizing Intersection-Over-Union in Deep Neural Networks for Image
        Segmentation, ISVC 2016, equations 3 to 5.
    """

    def __init__(self, ignore_label: int = IGNORE_LABEL, name: str = "jaccard") -> None:
        super().__init__(ignore_label, name)

    def measure(self, pixels: Pixels) -> Any:
        """Returns the mean over the classes that occur."""
        return _distance(pixels, 1.0, 1.0)


def _distance(pixels: Pixels, alpha: float, beta: float) -> Any:
    mass = pixels.mass[..., None]
    truth = ops.one_hot(pixels.labels, pixels.logits.shape[-1], dtype="float32") * mass
    found = ops.softmax(valid_logits(pixels), axis=-1)
    axes = (0, 1, 2)
    size = replicas.total(ops.sum(truth, axis=axes))
    right = replicas.total(ops.sum(truth * found, axis=axes))
    wrong = alpha * replicas.total(ops.sum((mass - truth) * found, axis=axes))
    wrong += beta * replicas.total(ops.sum(truth * (1.0 - found), axis=axes))
    # Without a pixel of its own a class may have nothing in the denominator; it is left out below.
    whole = ops.where(size > 0, right + wrong, ops.ones_like(right))
    return mean_of_present(wrong / whole, size) / replicas.count()
