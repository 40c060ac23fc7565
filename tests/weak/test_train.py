"""Learning from the classes of images: what the classifier is shown, and that it learns."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest

from tests.weak.test_localise import COLOURS
from tfdeconv import images, labels
from tfdeconv.data.voc import Split, read_split
from tfdeconv.errors import UserError
from tfdeconv.training.callbacks import TrainingInterrupted
from tfdeconv.weak import train
from tfdeconv.weak.train import LEAST_AREA, Recipe, read_tags, tagged_batches, train_classifier

SMALL = Recipe(width=1 / 32, input_size=32, stride=16, steps=6, batch_size=4)


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Split:
    """Images of one colour all over, of both, and one whose label map is void and background."""
    root = tmp_path_factory.mktemp("tags") / "data"
    maps = {
        "red": np.ones((20, 30), np.uint8),
        "green": np.full((30, 20), 2, np.uint8),
        "both": np.tile(np.array([[1], [2]], np.uint8), (10, 20)),
        "void": np.tile(np.array([[0], [255]], np.uint8), (10, 20)),
    }
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for name, map_ in maps.items():
        picture = images.encode_png(COLOURS[np.where(map_ == 255, 0, map_)])
        (root / f"JPEGImages/{name}.png").write_bytes(picture)
        (root / f"SegmentationClass/{name}.png").write_bytes(labels.encode_png(map_))
    (root / "ImageSets/Segmentation/train.txt").write_text("".join(f"{one}\n" for one in maps))
    (root / "classes.txt").write_text("ground\nred\ngreen\n")
    return read_split(root, "train")


def test_tags_are_the_classes_without_background_and_void(split) -> None:
    assert read_tags(split).tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]


def test_batches_are_images_and_shares_of_classes(split) -> None:
    batches = list(tagged_batches(split, read_tags(split), 16, 3, 5, seed=1))
    assert len(batches) == 5
    for shown, shares in batches:
        assert shown.shape == (3, 16, 16, 3) and shares.shape == (3, 2)
        # What is left of an image is told by its colour: red and green are its shares.
        colours = shown.numpy().mean((1, 2))[:, :2] / 255
        np.testing.assert_allclose(colours, shares, atol=0.06)
    again = list(tagged_batches(split, read_tags(split), 16, 3, 5, seed=1))
    for (shown, _), (same, _) in zip(batches, again, strict=True):
        np.testing.assert_array_equal(shown, same)


def test_every_image_once_before_any_again(split) -> None:
    shares = [s for _, s in tagged_batches(split, read_tags(split), 8, 3, 4, seed=0)]
    for batch in shares:
        assert sorted(batch.numpy()[:, 0].tolist()) == [0.0, 0.5, 1.0]


def test_crops_show_most_of_the_image(split, tmp_path) -> None:
    ramp = np.tile(np.linspace(0, 255, 256).astype(np.uint8)[:, None, None], (1, 256, 3))
    one = Split(tmp_path, "train", ("ramp",), ("ground", "red"))
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "JPEGImages/ramp.png").write_bytes(images.encode_png(ramp))
    spans = [
        float(np.ptp(shown.numpy())) / 255
        for shown, _ in tagged_batches(one, np.ones((1, 1), np.float32), 64, 1, 20, seed=0)
    ]
    assert LEAST_AREA**0.5 - 0.05 < min(spans) < max(spans) <= 1 and len(set(spans)) > 10


@pytest.mark.large
def test_trained_once_and_opened_again(split, tmp_path) -> None:
    model = train_classifier(split, tmp_path / "run", "maximum", SMALL, seed=3)
    assert model.output_shape == (None, 2)
    written = (tmp_path / "run/model.keras").stat().st_mtime_ns
    again = train_classifier(split, tmp_path / "run", "maximum", SMALL, seed=3)
    assert (tmp_path / "run/model.keras").stat().st_mtime_ns == written
    image = np.zeros((1, 20, 30, 3), np.float32)
    np.testing.assert_array_equal(again(image), model(image))
    with pytest.raises(UserError, match=r"other settings \(pooling: 'maximum' there, 'average'"):
        train_classifier(split, tmp_path / "run", "average", SMALL, seed=3)


@pytest.mark.large
def test_it_learns_to_tell_the_colours(split, tmp_path) -> None:
    model = train_classifier(
        split, tmp_path / "run", recipe=dataclasses.replace(SMALL, steps=60), seed=0
    )
    shown = np.stack([np.full((32, 32, 3), colour, np.float32) for colour in COLOURS[1:]])
    assert model.predict(shown, verbose=0).argmax(-1).tolist() == [0, 1]


def test_images_without_objects_are_told(split, tmp_path) -> None:
    empty = Split(split.root, "train", ("void",), split.class_names)
    with pytest.raises(UserError, match=r"must have images with objects. Received: none"):
        train_classifier(empty, tmp_path / "run", recipe=SMALL)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="Received: 1 images without any"):
        tagged_batches(empty, read_tags(empty), 16, 3, 5, seed=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_same_call_begins_again(split, tmp_path, monkeypatch, number):
    monkeypatch.setattr(train, "_fit", lambda *_: os.kill(os.getpid(), number))
    before = signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        with pytest.raises(TrainingInterrupted, match=r"saves no checkpoint in .*the same command"):
            train_classifier(split, tmp_path / "run", recipe=SMALL)
    assert signal.getsignal(signal.SIGTERM) is before
    assert not (tmp_path / "run/model.keras").exists()


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf")])
def test_a_width_of_no_network_is_told_and_nothing_begun(split, tmp_path, width) -> None:
    with pytest.raises(UserError, match="`width` must be positive and finite"):
        train_classifier(split, tmp_path / "run", recipe=dataclasses.replace(SMALL, width=width))
    assert not (tmp_path / "run").exists()


def test_the_same_data_by_another_path_is_the_same_run(split, tmp_path, monkeypatch) -> None:
    run, opened = tmp_path / "run", object()
    monkeypatch.setattr(train, "load_model", lambda path: opened)
    monkeypatch.setattr(train, "_fit", lambda *_: None)
    train_classifier(split, run, recipe=SMALL)
    assert json.loads((run / "run.json").read_text())["data"] == str(split.root.resolve())
    monkeypatch.chdir(split.root.parent)
    relative = read_split("data", "train")
    assert train_classifier(relative, run, recipe=SMALL) is opened


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        (
            "{}",
            r"must be new or hold a classifier.*other settings \(class_names: None .*"
            r"recipe\.batch_size: None there, 4 here",
        ),
        ("{", r"run.json` must be an intact file of a training. Received: Expecting"),
        ("7", r"run.json` must be an intact file of a training. Received: int instead"),
    ],
)
def test_a_folder_of_another_run_is_told_without_resume(split, tmp_path, notes, message) -> None:
    (tmp_path / "run.json").write_text(notes)
    with pytest.raises(UserError, match=message) as caught:
        train_classifier(split, tmp_path, recipe=SMALL)
    assert "resume" not in str(caught.value)
