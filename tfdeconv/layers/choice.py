"""Which formulation of pooling and unpooling may be used where the caller stands."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras

_portable = contextvars.ContextVar("portable", default=False)


@contextlib.contextmanager
def portable_ops() -> Iterator[None]:
    """Makes pooling and unpooling use only operations that other runtimes have, too.

    It holds for the calls in the `with` block, of this thread alone: whatever is traced there can
    be converted to LiteRT and ONNX, which lack TensorFlow's kernels. Results are the same.

    Example:

    >>> from tfdeconv.layers.functional import max_pool_with_argmax
    >>> with portable_ops():
    ...     pooled, argmax = max_pool_with_argmax(keras.ops.ones((1, 4, 4, 2)))
    >>> pooled.shape
    TensorShape([1, 2, 2, 2])
    """
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def only_portable() -> bool:
    """Whether the caller stands in a `portable_ops` block."""
    return _portable.get()


def tensorflow_kernels() -> bool:
    """Whether TensorFlow's pooling kernels may be used where the caller stands.

    Under XLA one of them is missing; on a GPU their choice among equal maxima is not tested here.
    """
    if keras.config.backend() != "tensorflow" or only_portable():
        return False
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU") and not _traced_for_xla()


def _traced_for_xla() -> bool:
    """Whether TensorFlow is tracing a function to be compiled; yes when that cannot be told."""
    import tensorflow as tf

    try:
        from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext
    except ImportError:
        return True
    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
