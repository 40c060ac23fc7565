"""A network as one TensorFlow graph for images of every size that it takes."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def network_graph(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that runs a network; traced once, for any number of images.

    The weights stay variables. oneDNN puts kernels in an order of its own, which of a constant it
    would do once; but with `fc6` and `fc6-deconv` as matrix products there is too little left to
    show (`tests/benchmarks/README.md`), and constants are copied in memory several times.

    Args:
        model: A Keras model from `(batch, height, width, 3)` to scores, under Keras's TensorFlow
            backend.

    Returns:
        A `tf.function` from float32 RGB in [0, 255] to the scores as float32.

    Example:

    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3)])
    >>> network_graph(model)(tf.zeros((5, 4, 4, 3))).shape
    TensorShape([5, 2, 2, 2])
    """

    @tf.function(
        input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)],
        autograph=False,
    )
    def network(images: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(images, training=False), tf.float32)

    return network


def runner(model: keras.Model, *batch_sizes: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what runs a network on batches of images, under any of Keras's backends.

    Args:
        model: A Keras model from `(batch, height, width, 3)` to scores.
        *batch_sizes: the numbers of images for which the network is compiled, smallest first, where
            that must be for one number each; fewer are filled up, and none has more than the last.
    """
    if keras.config.backend() == "tensorflow":
        network = network_graph(model)
        return lambda images: network(images).numpy()

    def run(images: np.ndarray) -> np.ndarray:
        # Batches of few sizes, so that the network is compiled once for each.
        missing = next(size for size in batch_sizes if size >= len(images)) - len(images)
        filled = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)])
        return model.predict_on_batch(filled)[: len(images)]

    return run
