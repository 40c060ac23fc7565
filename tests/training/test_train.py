"""Training as a user runs it: run folders, resuming bit for bit, and stopping without loss."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from tests.helpers import CHECKOUT, run_tfdeconv
from tfdeconv import boxes, files, labels
from tfdeconv.data.drawn import CLASS_NAMES, draw_dataset
from tfdeconv.errors import UserError
from tfdeconv.models import class_names, load_model
from tfdeconv.training import inputs
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import segments, train

TINY = {"width": 1 / 16, "input_size": 32, "batch_size": 4, "steps": 16}
FLAGS = [part for n, v in TINY.items() for part in (f"--{n.replace('_', '-')}", str(v))]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "data", images=12, val=4, seed=0)


@pytest.fixture(scope="module")
def whole_run(data, tmp_path_factory):
    """A run that nothing interrupted, in a process of its own."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    result = run_tfdeconv("train", "stage1", str(data), "--out", str(out), *FLAGS)
    assert result.returncode == 0, result.stderr
    assert "16 steps, loss" in result.stdout.splitlines()[-1]
    return RunFolder(out)


def last_weights(run):
    return load_model(run.last).get_weights()


def test_the_run_folder_holds_what_it_promises(whole_run):
    model = load_model(whole_run.path)
    assert class_names(model) == CLASS_NAMES
    assert model.output_shape == (None, 32, 32, 9)
    assert getattr(model, "optimizer", None) is None
    with open(whole_run.path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [4, 8, 12, 16]
    assert {"loss", "mean_iou", "val_loss", "val_mean_iou"} < set(rows[0])
    assert whole_run.load_state()["best"] == max(float(row["val_mean_iou"]) for row in rows)
    assert any(whole_run.tensorboard.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_ends_as_the_whole_one_bit_for_bit(data, whole_run, tmp_path, number):
    out = tmp_path / "run"
    command = ["train", "stage1", str(data), "--out", str(out), *FLAGS]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfdeconv", *command],
        cwd=CHECKOUT,
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
    result = run_tfdeconv(*command, "--resume")
    assert result.returncode == 0, result.stderr
    for mine, theirs in zip(last_weights(RunFolder(out)), last_weights(whole_run), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_resuming_a_finished_run_changes_nothing(data, whole_run):
    before = whole_run.model_file.read_bytes()
    train("stage1", data, whole_run.path, resume=True, **TINY)
    assert whole_run.model_file.read_bytes() == before


def test_a_run_of_another_network_is_not_resumed(data, whole_run):
    with pytest.raises(UserError, match=r"other settings.*recipe"):
        train("stage1", data, whole_run.path, resume=True, **{**TINY, "width": 1 / 8})


def test_a_run_is_not_overwritten(data, whole_run):
    with pytest.raises(UserError, match="--resume, or choose another folder"):
        train("stage1", data, whole_run.path, **TINY)


def test_resume_without_a_run_says_so(data, tmp_path):
    with pytest.raises(UserError, match="Train without --resume"):
        train("stage1", data, tmp_path / "nothing", resume=True, **TINY)


def test_a_diverged_loss_stops_and_keeps_the_last_good_state(data, tmp_path):
    with pytest.raises(UserError, match=r"stay finite.*at step \d+.*lower learning rate"):
        train("stage1", data, tmp_path / "run", learning_rate=1e30, **TINY)
    run = RunFolder(tmp_path / "run")
    if run.last.is_dir():
        assert all(np.isfinite(weights).all() for weights in last_weights(run))


def test_stage_2_starts_from_stage_1_in_mixed_precision(data, whole_run, tmp_path):
    found = {
        path.stem: boxes.Proposals(
            np.array([[0, 0, 200, 200], [20, 20, 120, 120]], np.float32), np.ones(2, np.float32)
        )
        for path in (data / "JPEGImages").iterdir()
    }
    boxes.save(tmp_path / "p.npz", found, {})
    run = train(
        "stage2",
        data,
        tmp_path / "stage2",
        init=whole_run.path,
        proposals=tmp_path / "p.npz",
        mixed_precision=True,
        steps=2,
        batch_size=4,
    )
    model = load_model(run.path)
    assert model.get_layer("conv1_1").compute_dtype == "bfloat16"
    scores = model(np.zeros((1, 32, 32, 3), np.uint8))
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    assert run.settings()["recipe"]["width"] == 1 / 16


def test_stage_2_must_have_proposals(data, tmp_path):
    with pytest.raises(UserError, match="tfdeconv propose"):
        train("stage2", data, tmp_path / "run", **TINY)


def test_the_size_of_the_first_model_cannot_be_changed(data, whole_run, tmp_path):
    with pytest.raises(UserError, match="`input_size` must be that of the model to start from, 32"):
        train("stage1", data, tmp_path / "run", init=whole_run.path, input_size=64)


def test_a_model_for_other_classes_is_refused(data, whole_run, tmp_path):
    other = tmp_path / "other"
    (other / "ImageSets" / "Segmentation").mkdir(parents=True)
    files.write_text(other / "ImageSets" / "Segmentation" / "train.txt", "a\n")
    files.write_bytes(other / "JPEGImages" / "a.png", b"")
    files.write_text(other / "classes.txt", "ground\ntree\n")
    with pytest.raises(
        UserError, match="must be trained for the classes of the data, ground, tree"
    ):
        train("stage1", other, tmp_path / "run", init=whole_run.path)


def test_without_a_val_split_the_last_model_is_kept(data, tmp_path):
    lists = data / "ImageSets" / "Segmentation"
    bare = tmp_path / "data"
    bare.mkdir()
    for name in ("JPEGImages", "SegmentationClass", "SegmentationObject", "classes.txt"):
        os.symlink(data / name, bare / name)
    (bare / "ImageSets" / "Segmentation").mkdir(parents=True)
    os.symlink(lists / "train.txt", bare / "ImageSets" / "Segmentation" / "train.txt")
    run = train("stage1", bare, tmp_path / "run", **{**TINY, "steps": 2})
    last = load_model(run.last)
    without_heads = keras.Model(last.input, last.outputs[0]).get_weights()
    for mine, theirs in zip(load_model(run.path).get_weights(), without_heads, strict=True):
        assert np.array_equal(mine, theirs)


def test_an_image_without_objects_gives_no_window_and_one_without_any_is_told(tmp_path):
    root = tmp_path / "data"
    blank = np.zeros((40, 50), np.uint8)
    for folder in ("SegmentationClass", "SegmentationObject"):
        files.write_bytes(root / folder / "a.png", labels.encode_png(blank))
    from tfdeconv import images

    files.write_bytes(root / "JPEGImages" / "a.png", images.encode_png(np.zeros((40, 50, 3), "u1")))
    files.write_text(root / "ImageSets" / "Segmentation" / "train.txt", "a\n")
    with pytest.raises(UserError, match="object"):
        train("stage1", root, tmp_path / "run", **TINY)


def test_calls_of_fit():
    assert segments(0, 30, 4) == [(0, 4, 7), (28, 2, 1)]
    assert segments(3, 3, 4) == []
    assert segments(1, 3, 4) == [(1, 2, 1)]


def test_a_file_that_breaks_during_training_is_named(data, tmp_path, monkeypatch):
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    planned = inputs.stage_data

    def plan_then_break(*arguments):
        found = planned(*arguments)
        for name in found.split.ids:
            found.split.label_path(name).write_bytes(b"gone")
        return found

    monkeypatch.setattr("tfdeconv.training.train.stage_data", plan_then_break)
    with pytest.raises(UserError, match=r"train_\d+\.png.*tfdeconv check"):
        train("stage1", broken, tmp_path / "run", **TINY)
