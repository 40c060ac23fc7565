"""Models with statistics far from nothing, and how far two of them are apart."""

import keras
import numpy as np
from keras import layers


def randomise(model):
    """Weights that keep signals alive, and statistics that are far from nothing."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        weights = [generator.normal(0, 0.3, w.shape) for w in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            spread = [np.abs(w) + 0.3 for w in weights[-1:]]
            weights = [w + 1.0 for w in weights[:-1]] + spread
        elif weights:
            weights[0] *= 3 * np.sqrt(2 / np.prod(weights[0].shape[:3]))
        layer.set_weights(weights)
    return model


def normalisations(model):
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def relative_error(model, folded, x):
    expected = np.asarray(model(x, training=False), "float32")
    scores = np.asarray(folded(x, training=False), "float32")
    return np.abs(scores - expected).max() / np.abs(expected).max()


def graph(shape, *between):
    """A chain of layers as a functional model."""
    x = inputs = keras.Input(shape)
    for layer in between:
        x = layer(x)
    return randomise(keras.Model(inputs, x, name="chain"))


def images(*shape):
    return np.random.default_rng(1).normal(0, 1, shape).astype("float32")
