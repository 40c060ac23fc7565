"""The command `propose`: which images its arguments stand for, and the file that it writes."""

import argparse
import json

import numpy as np
import pytest

from tests.proposals.toy_forest import toy_forest
from tfdeconv import boxes
from tfdeconv.cli import propose
from tfdeconv.errors import UserError
from tfdeconv.images import encode_jpeg, encode_png


def run(*words):
    parser = argparse.ArgumentParser()
    propose.add_arguments(parser)
    propose.run(parser.parse_args(list(map(str, words))))


def write_image(path, seed=0):
    image = np.random.default_rng(seed).integers(0, 60, (40, 50, 3), np.uint8)
    image[10:30, 10:40] += 150
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(image) if path.suffix == ".png" else encode_jpeg(image))
    return path


@pytest.fixture
def data_set(tmp_path):
    root = tmp_path / "data"
    for seed, name in enumerate(("2.jpg", "1.PNG", "3.png", "._3.png")):
        image = write_image(root / "JPEGImages" / name.lower(), seed)
        image.rename(image.with_name(name))
    (root / "JPEGImages" / "notes.txt").write_text("no image")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("3\n2\n3\n")
    return root


def settings(path) -> dict:
    with np.load(path) as arrays:
        return json.loads(str(arrays["settings"]))


def test_writes_the_proposals_of_a_data_set(data_set, tmp_path, capsys):
    out = tmp_path / "new" / "proposals.npz"
    run(data_set, "--out", out, "--max-boxes", 30, "--jobs", 1)
    found = boxes.load(out)
    assert list(found) == ["1", "2", "3"]
    assert all(of_image.boxes.shape == (30, 4) for of_image in found.values())
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{out}: 3 images, 90 boxes, ") and line.endswith(" seconds")
    assert settings(out)["max_boxes"] == 30


def test_a_split_is_taken_in_its_order_each_image_once(data_set, tmp_path):
    out = tmp_path / "proposals.npz"
    run(data_set, "--split", "val", "--out", out, "--max-boxes", 5)
    assert list(boxes.load(out)) == ["3", "2"]


def test_images_and_folders_of_images(tmp_path):
    one = write_image(tmp_path / "one.jpg")
    write_image(tmp_path / "folder" / "two.png")
    out = tmp_path / "proposals.npz"
    run(one, tmp_path / "folder", "--out", out, "--max-boxes", 5, "--edges", "gradient")
    assert list(boxes.load(out)) == ["one", "two"]
    assert settings(out)["edges"] == "gradient"


def test_a_forest_is_taken(tmp_path):
    image, out = write_image(tmp_path / "one.jpg"), tmp_path / "proposals.npz"
    run(image, "--out", out, "--edges", "structured", "--forest", toy_forest(tmp_path))
    assert settings(out)["forest"].endswith("toy.yml")
    assert len(boxes.load(out)["one"].boxes)


def test_mistakes_are_told_and_write_nothing(data_set, tmp_path):
    image, out = write_image(tmp_path / "1.png"), tmp_path / "proposals.npz"
    (tmp_path / "empty").mkdir()
    for words, message in (
        ((tmp_path / "missing.jpg",), r"missing\.jpg"),
        ((tmp_path / "empty",), r"empty` contains no images"),
        ((data_set, image), r"1\.png` must differ"),
        ((data_set, "--split", "test"), "split 'test'"),
        ((image, "--split", "val"), "PASCAL VOC layout"),
        ((image, "--edges", "structured"), "need a forest"),
        ((image, "--forest", tmp_path / "none.yml.gz"), r"none\.yml\.gz"),
    ):
        with pytest.raises(UserError, match=message):
            run(*words, "--out", out)
        assert not out.exists()
    with pytest.raises(UserError, match="must be a file"):
        run(image, "--out", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        run(image, "--out", tmp_path / "file" / "proposals.npz")


@pytest.mark.parametrize("words", [("--jobs", "0"), ("--max-boxes", "-3"), ("--edges", "canny")])
def test_wrong_usage(words, capsys):
    with pytest.raises(SystemExit):
        run("image.jpg", "--out", "proposals.npz", *words)
    assert f"argument {words[0]}" in capsys.readouterr().err
