"""The paper's numbers, and what the optimizers make of them."""

import dataclasses

import keras
import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.training import CaffeSGD
from tfdeconv.training.recipes import PAPER, RELEASE, SMALL, find_recipe


@pytest.mark.parametrize(
    ("stage", "step", "rate"),
    [
        (1, 0, 1e-2),
        (1, 8_999, 1e-2),
        (1, 9_000, 1e-3),
        (1, 17_999, 1e-3),
        (1, 18_000, 1e-4),
        (2, 9_999, 1e-2),
        (2, 10_000, 1e-3),
        (2, 20_000, 1e-4),
        (2, 30_000, 1e-5),
        (2, 39_999, 1e-5),
    ],
)
@pytest.mark.parametrize("accumulate", [1, 8])
def test_the_papers_learning_rate_by_optimizer_step(stage, step, rate, accumulate):
    recipe = dataclasses.replace(PAPER["deconvnet", stage], accumulate=accumulate)
    schedule = recipe.build_optimizer()._learning_rate
    # Keras asks for the rate of the last batch of an update before it is counted.
    assert float(schedule(step * accumulate + accumulate - 1)) == pytest.approx(rate)


@pytest.mark.parametrize("stage", [1, 2])
def test_the_papers_solver(stage):
    for recipes, decays in ((PAPER, False), (RELEASE, True)):
        optimizer = recipes["deconvnet", stage].build_optimizer()
        assert isinstance(optimizer, CaffeSGD)
        assert optimizer.gradient_accumulation_steps == 8 and optimizer.momentum == 0.9
        assert optimizer.decay == 6.25e-5 and optimizer.bias_multiplier == 2.0
        assert optimizer.decay_normalisation is decays
    assert (
        dataclasses.replace(PAPER["deconvnet", stage], decay_normalisation=True)
        == RELEASE["deconvnet", stage]
    )


def test_the_papers_windows():
    assert PAPER["deconvnet", 1].batch_size * PAPER["deconvnet", 1].accumulate == 64
    assert PAPER["deconvnet", 1].batches == 160_000
    assert PAPER["deconvnet", 2].batches == 320_000


def test_the_small_rate_rises_and_falls_to_zero():
    recipe = SMALL["deconvnet", 1]
    schedule = recipe.build_optimizer()._learning_rate
    rates = [float(schedule(step)) for step in range(recipe.batches + 1)]
    assert rates[0] == 0.0 and rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert max(rates) == pytest.approx(recipe.learning_rate)
    assert np.argmax(rates) == recipe.batches // 20


def test_a_shorter_training_is_the_same_in_proportion():
    recipe = PAPER["deconvnet", 1].with_changes(steps=200, width=None)
    assert recipe.drops == (90, 180) and recipe.validate_every == 5 and recipe.width == 1.0


@pytest.mark.parametrize(
    "change", [{"steps": 0}, {"width": -1.0}, {"learning_rate": 0.0}, {"width": float("nan")}]
)
def test_numbers_must_be_positive(change):
    with pytest.raises(UserError, match=r"must be positive and finite\. Received"):
        SMALL["deconvnet", 1].with_changes(**change)


def test_unknown_names_are_told():
    for stage in (None, 3):
        with pytest.raises(UserError, match=rf"must be 1 or 2\. Received: stage={stage}"):
            find_recipe("small", "deconvnet", stage)
    with pytest.raises(UserError, match=r"stage of unet must be None\. Received: stage=1"):
        find_recipe("small", "unet", 1)


def test_optimizers_can_be_saved():
    for recipe in (PAPER["deconvnet", 1], SMALL["deconvnet", 1]):
        optimizer = recipe.build_optimizer()
        config = keras.optimizers.serialize(optimizer)
        assert keras.optimizers.deserialize(config).get_config() == optimizer.get_config()
