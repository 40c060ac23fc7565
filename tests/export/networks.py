"""What the export tests share: a network of somebody else, and a photograph."""

import keras
import numpy as np


def plain_network() -> keras.Model:
    """A network of somebody else, whose scores are half as large as its input."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(5, 3, strides=2, padding="same")(x)
    return keras.Model(inputs, x, name="plain")


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    patches = np.random.default_rng(seed).integers(0, 256, (-(-height // 4), -(-width // 4), 3))
    return np.kron(patches, np.ones((4, 4, 1), int))[:height, :width].astype(np.uint8)
