"""The optimizer against the solver's update in NumPy, and what it must survive."""

import importlib.util

import keras
import numpy as np
import pytest

from tests.helpers import run_python
from tests.training.caffe_sgd_cases import (
    CASES,
    batch,
    compare,
    compare_fitted,
    small_network,
)
from tfdeconv.models import load_model
from tfdeconv.training import CaffeSGD


@pytest.mark.parametrize("case", CASES)
def test_equals_the_solver(case):
    compare(case)


def test_equals_the_solver_when_compiled():
    compare_fitted()


def test_the_rate_is_inside_the_history():
    # One update of rate 1, then rate 0: the history of the first goes on moving the weight.
    weight = keras.Variable([0.0], name="kernel")
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.0])
    optimizer = CaffeSGD(schedule, momentum=0.5)
    moved = []
    for _ in range(3):
        optimizer.apply([keras.ops.ones(1)], [weight])
        moved.append(float(weight[0]))
    assert moved == [-1.0, -1.5, -1.75]


def test_every_kind_of_weight_by_hand():
    names = ("kernel", "bias", "gamma", "beta")

    def after_one_update(decay_normalisation):
        weights = [keras.Variable([1.0], name=name) for name in names]
        optimizer = CaffeSGD(0.5, weight_decay=0.5, decay_normalisation=decay_normalisation)
        optimizer.apply([keras.ops.zeros(1) + 0.25] * 4, weights)
        return [float(weight[0]) for weight in weights]

    # 1 - rate * (gradient + decay * weight), the bias at twice the rate without decay.
    assert after_one_update(True) == [0.625, 0.75, 0.625, 0.625]
    assert after_one_update(False) == [0.625, 0.75, 0.875, 0.875]


def compiled(accumulate):
    keras.utils.set_random_seed(0)
    model = small_network()
    model.compile(
        CaffeSGD(0.01, weight_decay=1e-3, gradient_accumulation_steps=accumulate), loss="mse"
    )
    return model


@pytest.mark.parametrize("accumulate", [None, 3])
def test_a_saved_training_goes_on_bit_for_bit(accumulate, tmp_path):
    whole = compiled(accumulate)
    for seed in range(8):
        whole.train_on_batch(*batch(seed))
    model = compiled(accumulate)
    for seed in range(8):
        if seed == 4:  # in the middle of an update of three batches
            model.save(tmp_path / "model.keras")
            model = load_model(tmp_path / "model.keras", compile=True)
        model.train_on_batch(*batch(seed))
    for mine, theirs in zip(model.get_weights(), whole.get_weights(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_tfdeconv_alone_opens_a_saved_training_in_a_fresh_process(tmp_path):
    model = compiled(3)
    model.save(tmp_path / "model.keras")
    opened = f"tfdeconv.load_model({str(tmp_path / 'model.keras')!r}, compile=True)"
    process = run_python("-c", f"import tfdeconv; print({opened}.optimizer.name)")
    assert process.stdout.strip() == model.optimizer.name, process.stderr


def test_on_jax_in_a_fresh_process_that_opens_a_saved_training(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("the backend jax is not installed")
    model = compiled(3)
    model.train_on_batch(*batch(0))
    model.save(tmp_path / "model.keras")
    process = run_python(
        "-m",
        "tests.training.caffe_sgd_cases",
        str(tmp_path / "model.keras"),
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["jax", "ok"]


def test_survives_serialisation():
    optimizer = CaffeSGD(
        0.25,
        momentum=0.5,
        weight_decay=0.125,
        bias_multiplier=3.0,
        decay_normalisation=True,
        gradient_accumulation_steps=4,
    )
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(restored, CaffeSGD)
    assert restored.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"momentum": 1.0}, r"`momentum` must be in \[0, 1\)\. Received: momentum=1\.0"),
        ({"weight_decay": -1e-4}, r"must not be negative.*weight_decay=-0\.0001"),
        ({"bias_multiplier": -2.0}, r"must not be negative.*bias_multiplier=-2\.0"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CaffeSGD(**arguments)


def test_half_precision_keeps_its_weights_and_history_in_float32():
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = compiled(2)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    for seed in range(2):
        loss = model.train_on_batch(*batch(seed))
    assert np.isfinite(loss)
    kinds = {keras.backend.standardize_dtype(v.dtype) for v in model.optimizer.variables}
    assert kinds == {"float32", "int64"}
