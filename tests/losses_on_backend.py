"""Checks the losses on the backend that KERAS_BACKEND names, and prints `<backend> ok`.

Values against the loops and gradients against those of differences, compiled where the backend
compiles. Run as `python -m tests.losses_on_backend`.
"""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.reference import losses as reference
from tfdeconv.training import losses

BACKEND = keras.config.backend()
WEIGHTS = (0.5, 2.0, 0.25)
Loss = Callable[..., Any]
# The loss, and its definition.
PAIRS: dict[str, tuple[Loss, Loss]] = {
    "cross_entropy": (losses.CrossEntropy(), reference.cross_entropy),
    "cross_entropy, weighted": (
        losses.CrossEntropy(class_weights=WEIGHTS),
        lambda y, s: reference.cross_entropy(y, s, WEIGHTS),
    ),
    "focal": (losses.Focal(), lambda y, s: reference.focal(y, s, 2.0)),
    "focal, weighted": (
        losses.Focal(0.5, WEIGHTS),
        lambda y, s: reference.focal(y, s, 0.5, WEIGHTS),
    ),
    "dice": (losses.Dice(), reference.dice),
    "jaccard": (losses.Jaccard(), reference.jaccard),
    "lovasz_softmax": (losses.LovaszSoftmax(), reference.lovasz_softmax),
    "tversky": (losses.Tversky(), lambda y, s: reference.tversky(y, s, 0.3, 0.7)),
    "tversky, precise": (losses.Tversky(1.5, 0.1), lambda y, s: reference.tversky(y, s, 1.5, 0.1)),
}


def case(shape: tuple[int, int, int], spread: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 labels of three classes and void, and float32 scores."""
    generator = np.random.default_rng(0)
    labels = generator.choice([0, 1, 2, 255], shape).astype("uint8")
    return labels, generator.normal(0, spread, (*shape, 3)).astype("float32")


def slopes(definition: Loss, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the gradient of a definition, by central differences in float64."""
    scores, step = scores.astype("float64"), 1e-5
    gradient = np.zeros_like(scores)
    for place in np.ndindex(scores.shape):
        moved = [scores.copy(), scores.copy()]
        moved[0][place] -= step
        moved[1][place] += step
        low, high = (definition(labels, each) for each in moved)
        gradient[place] = (high - low) / (2 * step)
    return gradient


def values_and_gradients(functions: list[Loss], scores: np.ndarray) -> list[tuple[float, Any]]:
    """Returns value and gradient of functions of the scores, compiled where that is possible."""
    if BACKEND == "jax":
        import jax

        found = [jax.jit(jax.value_and_grad(function))(scores) for function in functions]
    elif BACKEND == "torch":
        import torch

        found = []
        for function in functions:
            x = torch.tensor(scores, requires_grad=True)
            value = function(x)
            value.backward()
            found.append((value.detach(), x.grad))
    else:
        import tensorflow as tf

        @tf.function(jit_compile=True)
        def compute(x: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(x)
                values = [function(x) for function in functions]
            return [(value, tape.gradient(value, x)) for value in values]

        found = compute(tf.constant(scores))
    return [(float(value), ops.convert_to_numpy(gradient)) for value, gradient in found]


def check_all() -> None:
    """Compares every loss with its definition."""
    labels, scores = case((2, 3, 5))
    functions = [lambda x, loss=loss: loss(labels, x) for loss, _ in PAIRS.values()]
    found = values_and_gradients(functions, scores)
    for (name, (_, definition)), (value, gradient) in zip(PAIRS.items(), found, strict=True):
        np.testing.assert_allclose(value, definition(labels, scores), rtol=2e-6, err_msg=name)
        expected = slopes(definition, labels, scores)
        np.testing.assert_allclose(gradient, expected, atol=1e-6, rtol=1e-4, err_msg=name)
        assert not gradient[labels == 255].any(), name


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Keras 3.15 converts PyTorch tensors in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        check_all()
    print(BACKEND, "ok")


if __name__ == "__main__":
    main()
