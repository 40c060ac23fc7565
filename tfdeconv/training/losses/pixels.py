"""The pixels that a loss is computed from, their labels checked."""

from typing import Any, NamedTuple

import keras
from keras import ops

from tfdeconv.pixels import aligned


class Pixels(NamedTuple):
    """What a loss is computed from, pixel by pixel.

    Attributes:
        labels: `(batch, rows, columns)` int32 classes, 0 where a pixel is ignored.
        logits: `(batch, rows, columns, classes)` float32.
        valid: `(batch, rows, columns)` bool, False where a pixel is ignored.
        weights: `(batch, rows, columns)` float32, 0 where a pixel is ignored; None without
            `sample_weight`.
    """

    labels: Any
    logits: Any
    valid: Any
    weights: Any

    @property
    def mass(self) -> Any:
        """By how much every pixel counts: `weights`, or `valid` as 0 and 1 in float32."""
        return ops.cast(self.valid, "float32") if self.weights is None else self.weights


def pixels_of(y_true: Any, y_pred: Any, sample_weight: Any, ignore_label: int) -> Pixels:
    """Returns the pixels that a loss is computed from.

    Args:
        y_true: Labels as in `tfdeconv.pixels.aligned`, whole numbers of any dtype: classes, or
            `ignore_label`.
        y_pred: Logits as in `aligned`.
        sample_weight: Weights as in `aligned`.
        ignore_label: Label of the pixels that are ignored.

    Returns:
        The pixels. Where no error can be raised for a value (XLA, a compiled step of JAX or
        PyTorch), a label that is no class makes all logits NaN.

    Raises:
        ValueError: for another shape, or a label that is neither a class nor `ignore_label`.
        tf.errors.InvalidArgumentError: instead of it, in a TensorFlow graph.
    """
    values, logits, weights = aligned(y_true, y_pred, sample_weight)
    labels = ops.cast(values, "int32")
    valid = ops.not_equal(labels, ignore_label)
    wrong = (labels < 0) | (labels >= logits.shape[-1])
    if "float" in keras.backend.standardize_dtype(values.dtype):
        wrong |= ops.not_equal(ops.cast(labels, values.dtype), values)
    wrong &= valid
    logits = _refuse(wrong, values, logits, ignore_label)
    # An ignored label is no class, and the kernels must not see it even where the loss is dropped.
    labels = ops.where(valid & ~wrong, labels, ops.zeros_like(labels))
    if weights is not None:
        weights = ops.where(valid, weights, ops.zeros_like(weights))
    return Pixels(labels, logits, valid, weights)


def _refuse(wrong: Any, values: Any, logits: Any, ignore_label: int) -> Any:
    """Returns the logits, or raises an error where a label is wrong and that can be known."""
    found = ops.any(wrong)
    received = ops.max(ops.where(wrong, ops.cast(values, "float32"), float("-inf")))
    message = (
        f"`y_true` must hold whole numbers from 0 to {logits.shape[-1] - 1}, the classes of "
        f"`y_pred`, or {ignore_label} for pixels to ignore. Received: y_true with the value"
    )
    if _is_concrete(found):
        if bool(found):
            raise ValueError(f"{message} {float(received):g}")
        return logits
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        with tf.control_dependencies([tf.debugging.Assert(~found, [message, received])]):
            logits = tf.identity(logits)
    return ops.where(found, ops.full_like(logits, float("nan")), logits)


def _is_concrete(x: Any) -> bool:
    """Whether the value of a tensor is there, not only its shape."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        return hasattr(x, "numpy")
    if backend == "jax":
        import jax

        return not isinstance(x, jax.core.Tracer)
    if backend == "torch":
        import torch

        return not torch.compiler.is_compiling() and x.device.type != "meta"
    return False
