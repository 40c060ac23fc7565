"""Which formulation of pooling and unpooling may be used where the caller stands."""

import contextlib
import contextvars
import sys
from collections.abc import Iterator
from types import FrameType

import keras

# None where nobody has chosen.
_portable: contextvars.ContextVar[bool | None] = contextvars.ContextVar("portable", default=None)
# Whatever these trace becomes a file, for runtimes that need not be TensorFlow.
_EXPORTERS = ("keras.src.export.", "tensorflow.lite.python.", "tf2onnx.")


@contextlib.contextmanager
def portable_ops() -> Iterator[None]:
    """Makes pooling and unpooling use only operations that other runtimes have, too.

    It holds for the calls in the `with` block, of this thread alone: whatever is traced there can
    be converted to LiteRT and ONNX, which lack TensorFlow's kernels. Results are the same. What
    `keras.Model.export`, tf2onnx and TensorFlow's converter to LiteRT trace themselves needs no
    such block; a `tf.function` of your own that is handed to them after it was traced does.

    Example:

    >>> from tfdeconv.layers.functional import max_pool_with_argmax
    >>> with portable_ops():
    ...     pooled, argmax = max_pool_with_argmax(keras.ops.ones((1, 4, 4, 2)))
    >>> pooled.shape
    TensorShape([1, 2, 2, 2])
    """
    with _chosen(True):
        yield


@contextlib.contextmanager
def kernel_ops() -> Iterator[None]:
    """Makes pooling and unpooling use TensorFlow's kernels in what an exporter traces, too.

    For files that TensorFlow alone is to run; otherwise as `portable_ops`.
    """
    with _chosen(False):
        yield


@contextlib.contextmanager
def _chosen(portable: bool) -> Iterator[None]:
    token = _portable.set(portable)
    try:
        yield
    finally:
        _portable.reset(token)


def only_portable() -> bool:
    """Whether the caller stands in a `portable_ops` block, or is traced by an exporter."""
    chosen = _portable.get()
    return _traced_by_an_exporter() if chosen is None else chosen


def _traced_by_an_exporter() -> bool:
    """Whether a graph is being traced in a call of an exporter.

    None of them leaves a sign of it but its place among the callers. These are gone through while a
    graph is traced, never in an eager call.
    """
    if keras.config.backend() != "tensorflow":
        return False
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False


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
