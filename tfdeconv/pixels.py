"""Checks and aligns the label maps, logits and weights that losses and metrics get from Keras.

Label maps come with and without a channel axis, at the resolution of the logits or a finer one, and
weights for each image or each pixel. Here they are checked, and brought to one value for each pixel
of the logits.
"""

from typing import Any

from keras import ops


def aligned(y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[Any, Any, Any]:
    """Returns labels, logits and weights of the same pixels.

    Args:
        y_true: `(batch, height, width)` or `(batch, height, width, 1)` labels of any dtype.
            TensorFlow tensors of unknown rank and size are taken, too.
        y_pred: `(batch, height / m, width / n, classes)` logits, `m` and `n` whole numbers. Logits
            of fewer pixels stand for the labels in the middle of their cells.
        sample_weight: None, or weights of shape `()`, `(batch,)`, or that of the labels.

    Returns:
        `(batch, rows, columns)` labels as they are, `(batch, rows, columns, classes)` float32
        logits, and `(batch, rows, columns)` float32 weights, None without `sample_weight`.

    Raises:
        ValueError: for other shapes.
        tf.errors.InvalidArgumentError: instead of it where the shape is only known when a
            TensorFlow graph runs.

    Example:

    >>> import numpy as np
    >>> labels, logits, weights = aligned(
    ...     np.arange(16).reshape(1, 4, 4, 1), np.zeros((1, 2, 2, 3)), np.array([0.5])
    ... )
    >>> np.asarray(labels).tolist(), tuple(weights.shape)
    ([[[5, 7], [13, 15]]], (1, 2, 2))
    """
    logits = ops.convert_to_tensor(y_pred)
    if len(logits.shape) != 4 or logits.shape[-1] in (None, 1):
        raise ValueError(
            "`y_pred` must be logits (batch, height, width, classes) of at least two classes. "
            f"Received: y_pred of shape {_text(logits)}"
        )
    logits = ops.cast(logits, "float32")
    labels = _label_map(ops.convert_to_tensor(y_true), logits)
    cell = _cell(labels, logits)
    weights = None if sample_weight is None else _weights(sample_weight, labels, logits, cell)
    return _middle_of_cells(labels, logits, cell), logits, weights


def _label_map(labels: Any, logits: Any) -> Any:
    """Returns labels without a channel axis, whose rank is known."""
    shape = _shape(labels)
    if shape is None:
        return _without_channel(labels)
    if len(shape) == 4 and shape[-1] in (None, 1):
        labels, shape = _squeezed(labels), shape[:-1]
    if len(shape) != 3 or not _may_equal(shape[0], logits.shape[0]):
        one_hot = len(shape) == 4 and shape[-1] == logits.shape[-1]
        hint = " For one-hot labels give `keras.ops.argmax(y_true, axis=-1)`." if one_hot else ""
        raise ValueError(
            "`y_true` must be a label map (batch, height, width) or (batch, height, width, 1). "
            f"Received: y_true of shape {_text(labels)}, y_pred of shape {_text(logits)}.{hint}"
        )
    return labels


def _squeezed(labels: Any) -> Any:
    known = labels.shape[-1] == 1
    return ops.squeeze(labels, axis=-1) if known else _without_channel(labels)


def _without_channel(labels: Any) -> Any:
    # Only TensorFlow has tensors whose number of axes, or of channels, is not known beforehand.
    import tensorflow as tf

    shape = tf.shape(labels)
    is_map = (tf.size(shape) >= 3) & tf.equal(tf.reduce_prod(shape[:3]), tf.size(labels))
    message = (
        "`y_true` must be a label map (batch, height, width) or (batch, height, width, 1). "
        "Received: y_true of shape"
    )
    with tf.control_dependencies([tf.debugging.Assert(is_map, [message, shape])]):
        return tf.reshape(labels, tf.ensure_shape(shape[:3], (3,)))


def _cell(labels: Any, logits: Any) -> tuple[Any, Any]:
    """Returns how many labels a logit stands for, by rows and by columns."""
    cell, fits = [], []
    shapes = [ops.shape(labels)[1:3], ops.shape(logits)[1:3]]
    for fine, coarse in zip(*shapes, strict=True):
        cell.append(fine // coarse)
        fits.append((fine % coarse == 0) & (fine >= coarse))
    message = (
        "`y_true` must have as many rows and columns as `y_pred`, or a whole number of times as "
        "many."
    )
    if all(isinstance(fit, bool) for fit in fits):
        if not all(fits):
            raise ValueError(
                f"{message} Received: y_true of shape {_text(labels)}, "
                f"y_pred of shape {_text(logits)}"
            )
        return cell[0], cell[1]
    import tensorflow as tf

    data = [message, "Received: y_true of shape", tf.shape(labels), tf.shape(logits)]
    with tf.control_dependencies([tf.debugging.Assert(fits[0] & fits[1], data)]):
        return tf.identity(cell[0]), tf.identity(cell[1])


def _middle_of_cells(x: Any, logits: Any, cell: tuple[Any, Any]) -> Any:
    rows, columns = cell
    if isinstance(rows, int) and isinstance(columns, int):
        return x if rows == columns == 1 else x[:, rows // 2 :: rows, columns // 2 :: columns]
    import tensorflow as tf

    return tf.ensure_shape(x[:, rows // 2 :: rows, columns // 2 :: columns], logits.shape[:3])


def _weights(sample_weight: Any, labels: Any, logits: Any, cell: tuple[Any, Any]) -> Any:
    """Returns the weight of every pixel of the logits."""
    weights = ops.convert_to_tensor(sample_weight, dtype="float32")
    given = _shape(weights)
    if given is None or (len(given) == 4 and given[-1] in (None, 1)):
        weights = _without_channel(weights) if given is None else _squeezed(weights)
    shape: tuple[int | None, ...] = tuple(weights.shape)
    of_images = len(shape) <= 1 or shape[1:] in ((1,), (1, 1))
    if of_images and (not shape or _may_equal(shape[0], labels.shape[0])):
        weights = ops.reshape(weights, (-1, 1, 1))
    elif len(shape) == 3 and all(map(_may_equal, shape, labels.shape)):
        weights = _middle_of_cells(weights, logits, cell)
    else:
        raise ValueError(
            "`sample_weight` must have one weight for each image, (batch,), or for each pixel, as "
            f"the labels. Received: sample_weight of shape {_text(weights)}, y_true of shape "
            f"{_text(labels)}"
        )
    return ops.broadcast_to(weights, ops.shape(logits)[:3])


def _may_equal(first: int | None, second: int | None) -> bool:
    return first is None or second is None or first == second


def _shape(x: Any) -> tuple[int | None, ...] | None:
    """Returns the shape of a tensor; None where its rank is unknown."""
    return None if getattr(x.shape, "rank", 0) is None else tuple(x.shape)


def _text(x: Any) -> str:
    shape = _shape(x)
    return "unknown" if shape is None else str(shape)
