"""What the tests of several networks share: weights that move nothing, and a few training steps."""

import keras
import numpy as np

from tfdeconv.training.losses import CrossEntropy


def centre_taps(model: keras.Model) -> keras.Model:
    """Gives every convolution a kernel that averages its input at its own place, and no bias."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = np.zeros(layer.kernel.shape, np.float32)
            kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = 1 / kernel.shape[2]
            layer.kernel.assign(kernel)
            if layer.use_bias:
                layer.bias.assign(np.zeros(layer.bias.shape, np.float32))
    return model


def place_of(
    model: keras.Model, size: tuple[int, int], spot: tuple[int, int]
) -> tuple[float, float]:
    """The centre of what a model of centre taps finds of one white pixel in a black image."""
    image = np.zeros((1, *size, 3), np.uint8)
    image[0, spot[0], spot[1]] = 255
    found = np.asarray(model(image))[0, :, :, 0].astype(np.float64)
    assert found.max() > 0 and found.min() == 0
    rows, columns = np.indices(found.shape)
    return float((rows * found).sum() / found.sum()), float((columns * found).sum() / found.sum())


def trained_losses(model: keras.Model, size: int = 32, steps: int = 4) -> tuple[float, float]:
    """The loss of the first and of the last of a few steps on one batch of halves."""
    keras.utils.set_random_seed(0)
    labels = np.zeros((2, size, size), np.uint8)
    labels[0, :, size // 2 :], labels[1, size // 2 :] = 1, 2
    colours = np.array([[20, 30, 40], [200, 60, 60], [60, 60, 220]], np.uint8)
    losses = [CrossEntropy() for _ in model.outputs]
    model.compile(keras.optimizers.Adam(1e-3), loss=losses, run_eagerly=True)
    targets = [labels] * len(losses)
    history = [
        model.train_on_batch(colours[labels], targets, return_dict=True)["loss"]
        for _ in range(steps)
    ]
    return float(history[0]), float(history[-1])
