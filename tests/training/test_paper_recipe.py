"""The paper's recipe through `train`: how its network begins, and that it can be resumed."""

import dataclasses

import keras
import pytest

from tfdeconv import files
from tfdeconv.cli.main import main
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.models import load_model
from tfdeconv.training import CaffeSGD
from tfdeconv.training.callbacks import Keeper, TrainingInterrupted
from tfdeconv.training.init import starting_model
from tfdeconv.training.recipes import PAPER, SMALL, find_recipe
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import train

TINY = {"width": 1 / 16, "input_size": 32, "batch_size": 2, "steps": 2}


def new_network(recipe):
    keras.utils.set_random_seed(0)
    recipe = dataclasses.replace(recipe, width=1 / 8, input_size=32)
    return starting_model("deconvnet", recipe, ("ground", "tree"))


def test_the_deconvolution_network_begins_small_and_gaussian():
    model = new_network(PAPER["deconvnet", 1])
    decoder = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert len(decoder) == 14
    drawn = [layer.kernel.numpy() for layer in (*decoder, model.get_layer("seg-score-voc"))]
    for kernel in drawn:
        expected = pytest.approx(0.01, rel=6 / kernel.size**0.5)
        assert (kernel**2).mean() ** 0.5 == expected
    # Every kernel is drawn anew.
    assert (drawn[1] != drawn[2]).all()
    # The encoder is the trained one in the paper; without it, it begins as ours always does.
    assert model.get_layer("conv5_1").kernel.numpy().std() > 0.02


def test_normalisation_begins_at_the_recipes_shift():
    for recipe, shift in ((PAPER["deconvnet", 1], 0.001), (SMALL["deconvnet", 1], 0.0)):
        layers = new_network(recipe).layers
        found = [x for x in layers if isinstance(x, keras.layers.BatchNormalization)]
        assert len(found) == 29
        for layer in found:
            assert layer.beta.numpy() == pytest.approx(shift) and (layer.gamma.numpy() == 1).all()


def test_the_command_tells_optimizer_steps(tmp_path, monkeypatch, capsys):
    recipe = find_recipe("release", "deconvnet", 1).with_changes(steps=3)
    assert recipe.batches == 24
    run = RunFolder(tmp_path)
    run.begin({"recipe": dataclasses.asdict(recipe)})
    files.write_json(run.last / "state.json", {"step": 24, "history": [{"loss": 0.5}]})
    monkeypatch.setattr("tfdeconv.training.train.train", lambda *_, **__: run)
    assert main(["train", "stage1", "data", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{run.model_file}: 3 steps, loss 0.500\n"


# The steps are covered in small by test_caffe_sgd.py; this one compiles the network three times.
@pytest.mark.large
def test_interrupted_within_an_update_it_ends_as_the_whole_one(tmp_path, monkeypatch):
    data = draw_dataset(tmp_path / "data", images=4, val=1, seed=0)
    whole = train("deconvnet", data, tmp_path / "whole", stage=1, recipe="release", **TINY)

    class Stopping(Keeper):
        def on_train_batch_end(self, batch, logs=None):
            self._stop_asked = self.state["step"] == 10  # the third batch of the second update
            super().on_train_batch_end(batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr("tfdeconv.training.train.Keeper", Stopping)
        with pytest.raises(TrainingInterrupted, match="step 1 of 2"):
            train("deconvnet", data, tmp_path / "run", stage=1, recipe="release", **TINY)
    run = train("deconvnet", data, tmp_path / "run", stage=1, recipe="release", resume=True, **TINY)
    mine, theirs = (load_model(folder.last, compile=True) for folder in (run, whole))
    assert isinstance(mine.optimizer, CaffeSGD) and mine.optimizer.decay_normalisation
    for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    for a, b in zip(mine.optimizer.variables, theirs.optimizer.variables, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()
