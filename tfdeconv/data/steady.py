"""The last stage of every dataset: read ahead, and end without delay.

tf.data tunes its own parallelism in a thread that sleeps for ever longer, up to a minute, and who
drops the iterator waits until it wakes: measured with TensorFlow 2.21, an epoch of 0.85 s took
1.27 s and one of 3.4 s took 5.1 s, at every end of `fit` and `evaluate`. Fixed numbers need no such
thread.
"""

import os

import tensorflow as tf

# As many images at once as there are cores to decode them; more would only hold memory.
PARALLEL_CALLS = min(max(4, os.cpu_count() or 1), 16)
READ_AHEAD = 2


def steady(dataset: tf.data.Dataset, number: int | None = None) -> tf.data.Dataset:
    """Finishes a dataset for use.

    Args:
        dataset: The dataset; its own parallel stages use `PARALLEL_CALLS`.
        number: How many elements it has, where TensorFlow cannot know. Keras shows progress and
            ends epochs by it.

    Returns:
        The dataset, which reads `READ_AHEAD` elements ahead and is not tuned while it runs.

    Example:

    >>> dataset = steady(tf.data.Dataset.range(3))
    >>> [int(element) for element in dataset], dataset.options().autotune.enabled
    ([0, 1, 2], False)
    """
    if number is not None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(number))
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(READ_AHEAD).with_options(options)
