"""The lines that a training prints, by a clock of the test."""

import keras
import pytest

from tfdeconv.training.callbacks import Progress
from tfdeconv.training.inputs import _validated_between
from tfdeconv.training.recipes import find_recipe


class Clock:
    """Seconds that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def network() -> keras.Model:
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


def test_a_line_every_ten_seconds_has_step_loss_and_time_left(network, capsys) -> None:
    clock = Clock()
    progress = Progress(total=40, done=10, accumulate=2, clock=clock)
    progress.set_model(network)
    for batch in range(5):
        progress.on_train_batch_end(batch, {"loss": 2 - batch / 4})
        clock.now += 4 if batch else 100  # the first batch builds the graph
    # Batch 12 of 40 ended 100 seconds after the first one.
    line = "step 6/20 (30 %), loss 1.750, 200 s a step, 47 minutes left\n"
    assert capsys.readouterr().out.startswith(line)


def test_steady_batches_are_predicted(network, capsys) -> None:
    clock = Clock()
    progress = Progress(total=100, clock=clock)
    progress.set_model(network)
    for batch in range(10):
        progress.on_train_batch_end(batch, {"loss": 0.5})
        clock.now += 4
    assert capsys.readouterr().out.splitlines() == [
        "step 4/100 (4 %), loss 0.500, 4 s a step, 6 minutes left",
        "step 7/100 (7 %), loss 0.500, 4 s a step, 6 minutes left",
        "step 10/100 (10 %), loss 0.500, 4 s a step, 6 minutes left",
    ]


def test_validation_and_the_end_of_an_epoch(network, capsys) -> None:
    clock = Clock()
    progress = Progress(total=4, what="encoder", clock=clock)
    progress.set_model(network)
    progress.on_train_batch_end(0, {"loss": 0.5})
    for batch in range(3):
        clock.now += 6
        progress.on_test_batch_end(batch)
    progress.on_epoch_end(0, {"loss": 0.5, "val_mean_iou": 0.25})
    assert capsys.readouterr().out.splitlines() == [
        "encoder, step 1/4, validation: 2 batches",
        "encoder, step 1/4: loss 0.5, val_mean_iou 0.25",
    ]


def test_validation_is_a_quarter_of_the_training_at_most() -> None:
    recipe = find_recipe("paper", "deconvnet", 1)
    assert _validated_between(recipe) == 500 * 64 * 3 // 4
    assert _validated_between(recipe.with_changes(steps=40, batch_size=1)) == 6
