"""What the export tests share: a network of somebody else, and a photograph."""

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.layers import Logits, RequireSize
from tfdeconv.models import DeconvNet, build

CLASSES = ("ground", "tree", "sky")


def plain_network() -> keras.Model:
    """A network of somebody else, whose scores are half as large as its input."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(5, 3, strides=2, padding="same")(x)
    return keras.Model(inputs, x, name="plain")


def open_network() -> keras.Model:
    """A network for images of every size, whose scores are half as large as its input."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((None, None, 3))
    x = RequireSize(8, (16, 8))(inputs)
    x = keras.layers.Conv2D(8, 5, strides=4, padding="same")(keras.layers.Rescaling(1 / 64, -2)(x))
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(3, 3, padding="same")(keras.layers.UpSampling2D(2)(x))
    model = keras.Model(inputs, Logits(CLASSES)(x), name="open")
    generator = np.random.default_rng(4)
    weights = model.get_weights()
    # Statistics of batch normalisation that matter, and biases.
    model.set_weights([np.abs(generator.normal(w, 0.3)) if w.ndim == 1 else w for w in weights])
    balance(model, model.layers[-2], 24)
    return model


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    patches = np.random.default_rng(seed).integers(0, 256, (-(-height // 4), -(-width // 4), 3))
    return np.kron(patches, np.ones((4, 4, 1), int))[:height, :width].astype(np.uint8)


def lively_network(class_names: tuple[str, ...] | None = None, size: int = 32) -> keras.Model:
    """A DeconvNet without training whose batch normalisation matters and whose labels differ."""
    model = DeconvNet(3, (size, size, 3), width=1 / 32, class_names=class_names)
    generator = np.random.default_rng(0)
    for layer in model.layers:
        weights = layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            means = zip((1, 0.2, 0, 1), (0.2, 0.2, 0.2, 0.2), weights, strict=True)
            layer.set_weights([np.abs(generator.normal(m, d, w.shape)) for m, d, w in means])
        elif weights:
            deviation = 1.2 * np.sqrt(2 / np.prod(weights[0].shape[:3]))
            layer.set_weights([generator.normal(0, deviation, weights[0].shape), *weights[1:]])
    balance(model, model.get_layer("seg-score-voc"), size)
    return model


def balance(model: keras.Model, last: keras.layers.Layer, size: int) -> None:
    """Makes the scores of the last layer of one size, so that no class wins everywhere."""
    scores = model.predict_on_batch(np.stack([photograph(size, size, seed) for seed in range(8)]))
    kernel, bias = last.get_weights()
    last.set_weights([kernel / scores.std(), (bias - scores.mean((0, 1, 2))) / scores.std()])


def untrained_network(name: str, size: int = 64) -> keras.Model:
    """A small network of ours, by its name, with random weights and scores that are not zero."""
    model = build(
        name, num_classes=3, input_shape=(size, size, 3), width=1 / 32, class_names=CLASSES
    )
    return with_random_weights(model)


def with_random_weights(model: keras.Model) -> keras.Model:
    """Gives a model weights that keep what it computes in range, and biases that matter."""
    generator = np.random.default_rng(0)

    def weights(old: np.ndarray) -> np.ndarray:
        if old.ndim < 4:
            return old + 0.2 * generator.random(old.shape)
        return generator.normal(0, 1.2 * np.sqrt(2 / np.prod(old.shape[:3])), old.shape)

    model.set_weights([weights(old) for old in model.get_weights()])
    return model


class Unknown(keras.layers.Layer):
    """An operation that neither LiteRT nor ONNX has."""

    def call(self, inputs):
        return tf.math.betainc(tf.abs(inputs) + 1, tf.abs(inputs) + 1, tf.abs(inputs) / 256)
