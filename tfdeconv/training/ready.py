"""Everything that `fit` would make while it traces a step, made before.

A step that makes variables is traced twice by TensorFlow, and a variable made in a graph takes much
longer than one made outside: together a third of a minute for DeconvNet, whose steps take less.
"""

import keras
import numpy as np


def make_ready(model: keras.Model) -> None:
    """Makes the variables of optimizer, losses and metrics of a compiled model.

    Args:
        model: From images to scores, with one output or several for labels each; its weights, and
            the numbers of an optimizer and metrics that were made before, stay as they are.

    Example:

    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 1)])
    >>> model.compile("sgd", loss="sparse_categorical_crossentropy")
    >>> make_ready(model)
    >>> model.optimizer.built
    True
    """
    model.optimizer.build(model.trainable_variables)
    images, *_ = _one_of_each(model.inputs)
    scores = _one_of_each(model.outputs)
    labels = [np.zeros(one.shape[:-1], np.uint8) for one in scores]
    y, y_pred = (labels, scores) if len(scores) > 1 else (labels[0], scores[0])
    model.compute_loss(images, y, y_pred)
    model.compute_metrics(images, y, y_pred)
    model.reset_metrics()


def _one_of_each(tensors: list[keras.KerasTensor]) -> list[np.ndarray]:
    # Only the number of classes matters here, and that is always known.
    return [np.ones([side or 1 for side in tensor.shape], np.float32) for tensor in tensors]
