"""Steps of CaffeSGD beside those of the reference, on the backend that KERAS_BACKEND names.

Run as `python -m tests.training.caffe_sgd_cases FILE.keras`, it makes the comparisons, opens a
model that was saved with the optimizer, takes a step, and prints `<backend> ok`.
"""

import sys

import keras
import numpy as np
from keras import layers

from tests.reference.caffe_solver import CaffeSolver
from tfdeconv.models import load_model
from tfdeconv.training import CaffeSGD

# (batches of one update, update at which the rate drops, whether normalisation decays)
CASES = {
    "one batch an update": (1, 100, True),
    "the rate drops": (1, 2, True),
    "accumulated": (3, 100, True),
    "accumulated, the rate drops": (3, 2, True),
    "normalisation is not decayed": (2, 2, False),
}
RATE, DECAY = 0.5, 0.25


def small_network() -> keras.Model:
    """One layer of every kind that the release multiplies differently, odd and not square."""
    inputs = keras.Input((5, 7, 3))
    x = layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Conv2DTranspose(2, 3, padding="same", name="deconv")(x)
    return keras.Model(inputs, x)


def optimizer_of(case: str) -> CaffeSGD:
    accumulate, drop, decays = CASES[case]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [drop * accumulate - 1], [RATE, RATE / 10]
    )
    return CaffeSGD(
        schedule,
        weight_decay=DECAY / accumulate,
        decay_normalisation=decays,
        gradient_accumulation_steps=accumulate if accumulate > 1 else None,
    )


def compare(case: str, updates: int = 5) -> None:
    """Takes `updates` updates both ways and compares every weight after every batch."""
    accumulate, drop, decays = CASES[case]
    variables = small_network().trainable_variables
    generator = np.random.default_rng(0)
    for variable in variables:
        variable.assign(generator.normal(size=variable.shape))
    optimizer = optimizer_of(case)
    solver = CaffeSolver(
        {v.path: keras.ops.convert_to_numpy(v) for v in variables},
        base_lr=RATE,
        stepsize=drop,
        weight_decay=DECAY,
        iter_size=accumulate,
        undecayed=() if decays else ("gamma", "beta"),
    )
    for _ in range(updates if drop == 100 else 2 * drop):
        batches = []
        for _ in range(accumulate):
            check_equal(variables, solver)
            batches.append({v.path: generator.normal(size=v.shape) for v in variables})
            gradients = [keras.ops.cast(batches[-1][v.path], "float32") for v in variables]
            optimizer.apply(gradients, variables)
        solver.step(batches)
    check_equal(variables, solver)


def compare_fitted() -> None:
    """The same through `train_on_batch`, compiled: a linear model whose gradient is its input."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(1, name="dense")(inputs))
    optimizer = optimizer_of("accumulated, the rate drops")
    model.compile(optimizer, loss=lambda _, outputs: keras.ops.mean(outputs))
    variables = model.trainable_variables
    weights = {v.path: keras.ops.convert_to_numpy(v) for v in variables}
    solver = CaffeSolver(weights, base_lr=RATE, stepsize=2, weight_decay=DECAY, iter_size=3)
    generator = np.random.default_rng(1)
    for _ in range(4):
        rows = generator.normal(size=(3, 1, 3)).astype("float32")
        for row in rows:
            model.train_on_batch(row, np.zeros((1, 1), "float32"))
        solver.step([{"dense/kernel": row.T, "dense/bias": np.ones(1)} for row in rows])
        check_equal(variables, solver)


def check_equal(variables: list[keras.Variable], solver: CaffeSolver) -> None:
    for variable in variables:
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable),
            solver.weights[variable.path],
            rtol=2e-5,
            atol=1e-5,
            err_msg=variable.path,
        )


def batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return (
        generator.normal(size=(2, 5, 7, 3)).astype("float32"),
        generator.normal(size=(2, 5, 7, 2)).astype("float32"),
    )


def main(path: str) -> None:
    compare("accumulated, the rate drops")
    compare_fitted()
    model = load_model(path, compile=True)
    assert isinstance(model.optimizer, CaffeSGD)
    before = model.get_weights()
    for seed in range(3):
        model.train_on_batch(*batch(seed))
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    print(keras.config.backend(), "ok")


if __name__ == "__main__":
    main(sys.argv[1])
