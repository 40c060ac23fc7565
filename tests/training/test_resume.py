"""Run folders, and trainings that go on bit for bit where they were interrupted."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers import CHECKOUT, run_python
from tfdeconv import processor
from tfdeconv.cli.main import main
from tfdeconv.data.drawn import CLASS_NAMES
from tfdeconv.errors import UserError
from tfdeconv.models import class_names, load_model
from tfdeconv.training.callbacks import Keeper, TrainingInterrupted
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import segments, train

TINY = {"width": 1 / 16, "input_size": 32, "batch_size": 4, "steps": 16}
# In every process the kernels of this one, in which some of the trainings run.
KERNELS = {processor.ONEDNN: str(int(processor.onednn_is_on()))}
FLAGS = [part for n, v in TINY.items() for part in (f"--{n.replace('_', '-')}", str(v))]


@pytest.fixture(
    scope="module", params=["deeplab_largefov", pytest.param("stage1", marks=pytest.mark.large)]
)
def command(request, drawn, start):
    """A short training: of a network with dropout, or of DeconvNet with its auxiliary heads."""
    init = ["--init", str(start)] if request.param == "stage1" else []
    return ["train", request.param, str(drawn), *init, *FLAGS]


@pytest.fixture(scope="module")
def whole_run(command, tmp_path_factory):
    """A run that nothing interrupted, in a process of its own."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    result = run_python("-m", "tfdeconv", *command, "--out", str(out), **KERNELS)
    assert result.returncode == 0, result.stderr
    assert "16 steps, loss" in result.stdout.splitlines()[-1]
    return RunFolder(out)


def last_weights(run):
    return load_model(run.last).get_weights()


def test_the_run_folder_holds_what_it_promises(whole_run):
    model = load_model(whole_run.path)
    assert class_names(model) == CLASS_NAMES
    assert model.output_shape[-1] == 9
    assert getattr(model, "optimizer", None) is None
    with open(whole_run.path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [4, 8, 12, 16]
    assert set(rows[0]) == {"step", "loss", "mean_iou", "val_loss", "val_mean_iou"}
    assert whole_run.load_state()["best"] == max(float(row["val_mean_iou"]) for row in rows)
    assert any(whole_run.tensorboard.iterdir())


@pytest.mark.large
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_ends_as_the_whole_one_bit_for_bit(command, whole_run, tmp_path, number):
    out = tmp_path / "run"
    command = [*command, "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfdeconv", *command],
        cwd=CHECKOUT,
        env={**os.environ, **KERNELS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (out / "last" / "state.json").exists():
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    stopped_at = json.loads((out / "last" / "state.json").read_text())["step"]
    assert 0 < stopped_at < 16
    if number == signal.SIGINT:
        assert process.returncode == 1
        assert f"interrupted at step {stopped_at} of 16" in errors and "--resume" in errors
        assert "Traceback" not in errors
    result = run_python("-m", "tfdeconv", *command, "--resume", **KERNELS)
    assert result.returncode == 0, result.stderr
    for mine, theirs in zip(last_weights(RunFolder(out)), last_weights(whole_run), strict=True):
        assert mine.tobytes() == theirs.tobytes()


class Interrupted(Keeper):
    """Gets Ctrl-C in the middle of an epoch, and SIGTERM in a validation after it."""

    def on_train_batch_end(self, batch, logs=None):
        if self.state["step"] == 5:
            os.kill(os.getpid(), signal.SIGINT)
        super().on_train_batch_end(batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        if self.state["step"] == 12 and "unvalidated" not in self.state:
            os.kill(os.getpid(), signal.SIGTERM)
        super().on_test_batch_end(batch, logs)


def test_interrupted_in_an_epoch_and_in_a_validation(drawn, whole_run, tmp_path, monkeypatch):
    if whole_run.settings()["network"] == "deconvnet":
        pytest.skip("the callbacks are those of every network")
    monkeypatch.setattr("tfdeconv.training.train.Keeper", Interrupted)
    run = tmp_path / "run"
    for resume, stopped_at in ((False, 6), (True, 12)):
        with pytest.raises(TrainingInterrupted, match=rf"at step {stopped_at} of 16\..*--resume"):
            train("deeplab_largefov", drawn, run, resume=resume, **TINY)
    state = RunFolder(run).load_state()
    assert len(state["history"]) == 2 and set(state["unvalidated"]) == {"loss", "mean_iou"}
    finished = train("deeplab_largefov", drawn, run, resume=True, **TINY)
    for mine, theirs in zip(last_weights(finished), last_weights(whole_run), strict=True):
        assert mine.tobytes() == theirs.tobytes()
    history, expected = finished.load_state()["history"], whole_run.load_state()["history"]
    assert history[2:] == expected[2:] and len(history) == 4
    assert finished.load_state()["best"] == whole_run.load_state()["best"]


@pytest.mark.large
def test_sigterm_to_a_process_in_an_epoch_and_in_a_validation(command, whole_run, tmp_path):
    if whole_run.settings()["network"] == "deconvnet":
        pytest.skip("the callbacks are those of every network")
    run = RunFolder(tmp_path / "run")
    words = [*command, "--out", str(run.path)]
    for place, step, more in (("epoch", 6, []), ("validation", 12, ["--resume"])):
        marker = tmp_path / place
        module = ["-m", "tests.training.stopping_process", place, str(step), str(marker)]
        with subprocess.Popen(
            [sys.executable, *module, *words, *more],
            cwd=CHECKOUT,
            env={**os.environ, **KERNELS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while process.poll() is None and not marker.exists():
                time.sleep(0.05)
            process.terminate()
            _, errors = process.communicate(timeout=120)
        assert process.returncode == 1, errors
        assert f"interrupted at step {step} of 16" in errors and "--resume" in errors
        assert "Traceback" not in errors and run.load_state()["step"] == step
    result = run_python("-m", "tfdeconv", *words, "--resume", **KERNELS)
    assert result.returncode == 0, result.stderr
    for mine, theirs in zip(last_weights(run), last_weights(whole_run), strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert run.load_state()["history"][2:] == whole_run.load_state()["history"][2:]
    assert run.load_state()["best"] == whole_run.load_state()["best"]


def test_resuming_a_finished_run_changes_nothing(command, whole_run):
    before = whole_run.model_file.read_bytes()
    assert main([*command, "--out", str(whole_run.path), "--resume"]) == 0
    assert whole_run.model_file.read_bytes() == before


def test_a_run_with_other_settings_is_not_resumed(command, whole_run, capsys):
    words = [*command, "--out", str(whole_run.path), "--resume", "--learning-rate", "0.5"]
    assert main(words) == 1
    assert "other settings (recipe.learning_rate" in capsys.readouterr().err


def test_a_run_is_not_overwritten(command, whole_run, capsys):
    assert main([*command, "--out", str(whole_run.path)]) == 1
    assert "--resume, or choose another folder" in capsys.readouterr().err


def test_resume_without_a_run_says_so(drawn, tmp_path):
    with pytest.raises(UserError, match=r"a folder without a run. Begin one without --resume"):
        train("deconvnet", drawn, tmp_path / "nothing", stage=1, resume=True, **TINY)


def test_calls_of_fit():
    assert segments(0, 30, 4) == [(0, 4, 7), (28, 2, 1)]
    assert segments(3, 3, 4) == []
    assert segments(1, 3, 4) == [(1, 2, 1)]
