"""Training from Python: what it starts from, what it refuses, and stopping without loss."""

import os
import shutil

import keras
import numpy as np
import pytest

from tfdeconv import boxes, files, images, labels
from tfdeconv.errors import UserError
from tfdeconv.models import load_model, palette
from tfdeconv.training import inputs
from tfdeconv.training.callbacks import TrainingInterrupted
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import train

TINY = {"width": 1 / 16, "input_size": 32, "batch_size": 4, "steps": 16}
# For what concerns every network: its graph is built in half of DeconvNet's time.
SHALLOW = "deeplab_largefov"


def test_a_diverged_encoder_is_told(drawn, tmp_path):
    with pytest.raises(UserError, match=r"encoder diverged at step \d+.*lower learning"):
        train("deconvnet", drawn, tmp_path / "run", stage=1, learning_rate=1e38, **TINY)


def test_a_run_takes_the_colours_of_its_data(drawn, tmp_path):
    data, colours = tmp_path / "data", labels.palette()[::-1].copy()
    shutil.copytree(drawn, data)
    for path in (data / "SegmentationClass").iterdir():
        path.write_bytes(labels.encode_png(images.read_labels(path), colours))
    run = train(SHALLOW, data, tmp_path / "run", **{**TINY, "steps": 1})
    np.testing.assert_array_equal(palette(load_model(run.path)), colours[:9])


def test_ctrl_c_while_the_encoder_learns_says_how_to_go_on(drawn, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfdeconv.training.train.train_encoder", interrupted)
    for resume in (False, True):
        with pytest.raises(TrainingInterrupted, match=r"trained to classify.*--resume to start"):
            train("deconvnet", drawn, tmp_path / "run", stage=1, resume=resume, **TINY)


def test_a_diverged_loss_stops_and_keeps_the_last_good_state(drawn, tmp_path):
    with pytest.raises(UserError, match=r"Training diverged at step \d+.*lower learning"):
        train(SHALLOW, drawn, tmp_path / "run", learning_rate=1e30, **TINY)
    run = RunFolder(tmp_path / "run")
    if run.last.is_dir():
        assert all(np.isfinite(weights).all() for weights in load_model(run.last).get_weights())


def test_stage_2_starts_from_stage_1_in_mixed_precision(drawn, start, tmp_path):
    found = {
        path.stem: boxes.Proposals(
            np.array([[0, 0, 200, 200], [20, 20, 120, 120]], np.float32), np.ones(2, np.float32)
        )
        for path in (drawn / "JPEGImages").iterdir()
    }
    boxes.save(tmp_path / "p.npz", found, {})
    options = {"mixed_precision": True, "batch_size": 4, "proposals": tmp_path / "p.npz"}
    run = train("deconvnet", drawn, tmp_path / "stage2", stage=2, init=start, steps=2, **options)
    # A fresh solver: its steps are those of this stage.
    assert int(load_model(run.last, compile=True).optimizer.iterations) == 2
    model = load_model(run.path)
    assert model.get_layer("conv1_1").compute_dtype == "bfloat16"
    scores = model(np.zeros((1, 32, 32, 3), np.uint8))
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    assert run.settings()["recipe"]["width"] == 1 / 16


def test_stage_2_must_have_proposals(drawn, tmp_path):
    with pytest.raises(UserError, match="tfdeconv propose"):
        train("deconvnet", drawn, tmp_path / "run", stage=2, **TINY)


def test_the_size_of_the_first_model_cannot_be_changed(drawn, start, tmp_path):
    with pytest.raises(UserError, match="`input_size` must be that of the initial model, 32"):
        train("deconvnet", drawn, tmp_path / "run", stage=1, init=start, input_size=64)


def test_a_model_for_other_classes_is_refused(drawn, start, tmp_path):
    other = tmp_path / "other"
    (other / "ImageSets" / "Segmentation").mkdir(parents=True)
    files.write_text(other / "ImageSets" / "Segmentation" / "train.txt", "a\n")
    files.write_bytes(other / "JPEGImages" / "a.png", b"")
    files.write_text(other / "classes.txt", "ground\ntree\n")
    with pytest.raises(
        UserError, match="must be trained for the classes of the data, ground, tree"
    ):
        train("deconvnet", other, tmp_path / "run", stage=1, init=start)


def test_without_a_val_split_the_last_model_is_kept(drawn, tmp_path):
    lists = drawn / "ImageSets" / "Segmentation"
    bare = tmp_path / "data"
    bare.mkdir()
    for name in ("JPEGImages", "SegmentationClass", "SegmentationObject", "classes.txt"):
        os.symlink(drawn / name, bare / name)
    (bare / "ImageSets" / "Segmentation").mkdir(parents=True)
    os.symlink(lists / "train.txt", bare / "ImageSets" / "Segmentation" / "train.txt")
    # SegNet has auxiliary heads, too.
    run = train("segnet", bare, tmp_path / "run", **{**TINY, "steps": 2})
    last = load_model(run.last)
    without_heads = keras.Model(last.input, last.outputs[0]).get_weights()
    for mine, theirs in zip(load_model(run.path).get_weights(), without_heads, strict=True):
        assert np.array_equal(mine, theirs)


def test_an_image_without_objects_gives_no_window_and_one_without_any_is_told(tmp_path):
    root = tmp_path / "data"
    blank = np.zeros((40, 50), np.uint8)
    for folder in ("SegmentationClass", "SegmentationObject"):
        files.write_bytes(root / folder / "a.png", labels.encode_png(blank))
    files.write_bytes(root / "JPEGImages" / "a.png", images.encode_png(np.zeros((40, 50, 3), "u1")))
    files.write_text(root / "ImageSets" / "Segmentation" / "train.txt", "a\n")
    with pytest.raises(UserError, match="object"):
        train("deconvnet", root, tmp_path / "run", stage=1, **TINY)


def test_a_file_that_breaks_during_training_is_named(drawn, tmp_path, monkeypatch):
    broken = tmp_path / "data"
    shutil.copytree(drawn, broken)
    planned = inputs.read_data

    def plan_then_break(*arguments):
        found = planned(*arguments)
        for name in found.split.ids:
            found.split.label_path(name).write_bytes(b"gone")
        return found

    monkeypatch.setattr("tfdeconv.training.train.read_data", plan_then_break)
    with pytest.raises(UserError, match=r"train_\d+\.png.*tfdeconv check"):
        train(SHALLOW, broken, tmp_path / "run", **TINY)
