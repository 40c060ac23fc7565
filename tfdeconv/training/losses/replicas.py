"""Losses of a global batch that `tf.distribute` has cut into parts, one on each replica.

Keras adds up the gradients of all replicas, and multiplies the loss that it logs by their number. A
loss of the global batch is therefore computed on every replica from sums over all of them, with a
gradient for its own part alone, and divided by their number: what is logged and what is learnt are
then those of one device. On other backends, and without a strategy, there is one replica.
"""

from collections.abc import Callable
from typing import Any

import keras


def count() -> int:
    """Returns on how many replicas a loss is computed at the same time."""
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 1
    if not isinstance(context.strategy, tf.distribute.MirroredStrategy):
        raise NotImplementedError(
            "The losses of tfdeconv must be computed under `tf.distribute.MirroredStrategy`, or on "
            f"the JAX backend of Keras. Received: {type(context.strategy).__name__}"
        )
    return context.num_replicas_in_sync


def total(x: Any) -> Any:
    """Returns the sum of `x` over all replicas.

    Its gradient is that of this replica's `x`, times the number of replicas.
    """
    if count() == 1:
        return x
    import tensorflow as tf

    everywhere = _merged(tf.stop_gradient(x), tf.add_n)
    return everywhere + count() * (x - tf.stop_gradient(x))


def joined(x: Any) -> Any:
    """Returns `x` of all replicas, put together along the last axis.

    Its gradient is that of this replica's `x`, times the number of replicas.

    Args:
        x: `(rows, columns)`, of as many rows on every replica.
    """
    if count() == 1:
        return x
    import tensorflow as tf

    everywhere = _merged(tf.stop_gradient(x), lambda parts: tf.concat(parts, axis=1))
    if not x.dtype.is_floating:
        return everywhere
    columns = _merged(tf.shape(x)[1], tf.stack)
    before = tf.reduce_sum(columns[: tf.distribute.get_replica_context().replica_id_in_sync_group])
    after = tf.reduce_sum(columns) - before - tf.shape(x)[1]
    own = tf.pad(x - tf.stop_gradient(x), [[0, 0], [before, after]])
    return everywhere + count() * own


def _merged(x: Any, combine: Callable[[list[Any]], Any]) -> Any:
    # Not `all_reduce`: its collective operations remember shapes by a number that is counted anew
    # in every strategy, and a second training of a process, with another loss, ends in an error.
    import tensorflow as tf

    def merge(strategy: tf.distribute.Strategy, values: Any) -> Any:
        return combine(list(strategy.experimental_local_results(values)))

    return tf.distribute.get_replica_context().merge_call(merge, args=(x,))
