"""Inputs and a small network that the tests of the layers share."""

from typing import Any

import keras
import numpy as np

from tfdeconv import layers

# Names of the formulations.
KERNELS = {"pool_by_kernels", "unpool_by_pool_gradient"}
WINDOWS = {"pool_by_windows", "unpool_by_windows"}
SCATTER = {"unpool_by_scatter"}
CODES = {"pool_by_windows", "unpool_by_codes"}

# name -> shape, pool size, padding
CASES = {
    "even": ((2, 4, 6, 3), (2, 2), "same"),
    "odd": ((3, 5, 7, 2), (2, 2), "same"),
    "odd, dropped": ((2, 5, 7, 2), (2, 2), "valid"),
    "one row": ((1, 1, 5, 2), (2, 2), "same"),
    "wide windows": ((2, 6, 8, 2), (2, 4), "same"),
    "padded before and after": ((2, 7, 10, 2), (3, 3), "same"),
    "not square, odd": ((2, 7, 9, 2), (3, 2), "same"),
    "not square, dropped": ((2, 7, 9, 2), (3, 2), "valid"),
}

# Values of few kinds make equal maxima in most windows.
CONTENTS = ("few values", "after a ReLU", "zeros", "negative")


def content(name: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Returns float32 whole numbers, so that sums are exact in every order."""
    rng = np.random.default_rng(seed)
    values = {
        "few values": rng.integers(-3, 4, shape),
        "after a ReLU": np.maximum(rng.integers(-6, 3, shape), 0),
        "zeros": np.zeros(shape),
        "negative": rng.integers(-4, 0, shape),
        "distinct": rng.integers(1, 99, shape),
    }
    return values[name].astype("float32")


def switch_network(
    shape: tuple[int | None, ...] = (None, None, 3), class_names: tuple[str, ...] | None = None
) -> keras.Model:
    """Returns an encoder and decoder of two poolings, drawn like the networks of the package."""
    inputs = keras.Input(shape, name="image")
    x: Any = layers.Preprocess(name="preprocess")(inputs)
    switches = []
    for filters in (4, 6):
        x = keras.layers.Conv2D(filters, 3, padding="same")(x)
        before = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x, argmax = layers.MaxPoolWithArgmax(2)(before)
        switches.append((argmax, before))
    for argmax, before in reversed(switches):
        x = keras.layers.Conv2D(before.shape[-1], 3, padding="same", activation="relu")(x)
        x = layers.Unpool(2)(x, argmax, before)
    return keras.Model(inputs, layers.Logits(class_names)(keras.layers.Conv2D(3, 1)(x)))
