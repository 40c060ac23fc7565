"""Networks for the tests of inference whose answers the eye can check."""

import keras
import numpy as np

from tfdeconv.layers import Logits, RequireSize

# Background, red, green: the class whose colour is strongest, background where none is above half.
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)


def colour_network(
    size: int = 16, class_names: tuple[str, ...] | None = ("ground", "red", "green")
) -> keras.Model:
    """A network that answers with the colour of each pixel, scores between -1 and 1."""
    inputs = keras.Input((size, size, 3))
    convolution = keras.layers.Conv2D(3, 1)
    outputs = Logits(class_names)(convolution(inputs))
    kernel = np.zeros((1, 1, 3, 3), np.float32)
    kernel[0, 0, [0, 1], [1, 2]] = 2 / 255
    convolution.set_weights([kernel, np.array([0, -1, -1], np.float32)])
    return keras.Model(inputs, outputs)


def open_network(multiple: int | None = None) -> keras.Model:
    """The network of colours for every size, or for multiples of a number only."""
    inputs = keras.Input((None, None, 3))
    x = inputs if multiple is None else RequireSize(multiple, (2 * multiple, multiple))(inputs)
    fixed = colour_network()
    for layer in fixed.layers[1:]:
        x = layer(x)
    return keras.Model(inputs, x)


class CountsTraces(keras.layers.Layer):
    """Notes the shapes that it is traced for."""

    traces: list[tuple] = []  # noqa: RUF012

    def call(self, x):
        CountsTraces.traces.append(tuple(x.shape))
        return x


def painted(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image with a red and a green block, and its labels."""
    labels = np.zeros((height, width), np.uint8)
    labels[height // 6 : height // 2, width // 8 : width // 2] = 1
    labels[height // 3 : -height // 6, 2 * width // 3 : -width // 8] = 2
    return COLOURS[labels], labels


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """An image of random colours, which no network knows."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
