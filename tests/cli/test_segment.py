"""The command `segment`: label maps for photographs and folders, and what must not happen."""

import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.segmentation.networks import colour_network, painted
from tfdeconv import boxes, images
from tfdeconv.cli import segment
from tfdeconv.errors import UserError
from tfdeconv.models import set_palette
from tfdeconv.segmentation.segmenter import Segmenter


def run(*words) -> int:
    parser = argparse.ArgumentParser()
    segment.add_arguments(parser)
    return segment.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("segment") / "model.keras"
    colour_network().save(path)
    return path


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "first.png").write_bytes(images.encode_png(painted(30, 44)[0]))
    (folder / "second.jpg").write_bytes(images.encode_jpeg(painted(20, 25)[0]))
    return folder


def test_a_folder_and_its_overlays(model, photographs, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert run(model, photographs, "--out", out, "--overlay", "--proposals", "grid") == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "first.png",
        "first_overlay.jpg",
        "second.png",
        "second_overlay.jpg",
    ]
    segmenter = Segmenter(model, proposals="grid")
    image = images.read_image(photographs / "first.png")
    np.testing.assert_array_equal(images.read_labels(out / "first.png"), segmenter.segment(image))
    assert images.read_image(out / "second_overlay.jpg").shape == (20, 25, 3)
    assert capsys.readouterr().out == f"{out}: 2 label maps\n"


def test_a_folder_of_all_kinds_of_files(model, tmp_path, capsys) -> None:
    image, folder = painted(20, 25)[0], tmp_path / "photographs"
    folder.mkdir()
    for ending in ("webp", "tif", "bmp", "gif", "JPG"):
        Image.fromarray(image).save(folder / f"{ending.lower()}.{ending}")
    (folder / "png_in_truth.jpg").write_bytes(images.encode_png(image))
    (folder / "._webp.webp").write_bytes(b"\0\5\x16\7" + bytes(200))
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    out = tmp_path / "out"
    assert run(model, folder, "--out", out, "--boxes", 0) == 0
    assert capsys.readouterr().out == f"{out}: 6 label maps\n"
    expected = Segmenter(model, boxes=0).segment(image)
    for name in ("png_in_truth", "tif", "bmp"):
        np.testing.assert_array_equal(images.read_labels(out / f"{name}.png"), expected)


def test_label_maps_have_the_colours_of_the_model(photographs, tmp_path) -> None:
    network, colours = colour_network(), np.arange(0, 27, dtype=np.uint8).reshape(9, 3)
    set_palette(network, colours[: network.output_shape[-1]])
    network.save(tmp_path / "model.keras")
    assert run(tmp_path / "model.keras", photographs, "--out", tmp_path / "out", "--boxes", 0) == 0
    image = images.read_image(photographs / "first.png")
    expected = Segmenter(network, boxes=0).segment(image)
    np.testing.assert_array_equal(images.read_labels(tmp_path / "out" / "first.png"), expected)
    shown = images.read_image(tmp_path / "out" / "first.png")
    np.testing.assert_array_equal(shown, colours[expected])


def test_choices_reach_the_segmenter(model, photographs, tmp_path) -> None:
    image = images.read_image(photographs / "first.png")
    found = np.array([[3, 3, 20, 20]], np.float32)
    boxes.save(tmp_path / "found.npz", {"first": boxes.Proposals(found, np.ones(1, "f4"))}, {})
    words = ("--boxes", 1, "--aggregate", "mean", "--proposals", tmp_path / "found.npz")
    assert run(model, photographs / "first.png", "--out", tmp_path / "out", *words) == 0
    expected = Segmenter(model, boxes=1, aggregate="mean").segment(image, found)
    np.testing.assert_array_equal(images.read_labels(tmp_path / "out" / "first.png"), expected)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["first.png"]


def test_a_broken_photograph_is_named_and_the_others_are_segmented(
    model, photographs, tmp_path, capsys
) -> None:
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    missing = tmp_path / "missing.jpg"
    out = tmp_path / "out"
    assert run(model, photographs, missing, "--out", out, "--boxes", 0) == 1
    said = capsys.readouterr()
    first, second = said.err.splitlines()
    assert first.startswith(f"tfdeconv: error: `{photographs / 'broken.jpg'}` must")
    assert second.startswith(f"tfdeconv: error: `{missing}` must")
    assert said.out == f"{out}: 2 label maps, 2 failed\n"
    assert sorted(path.name for path in out.iterdir()) == ["first.png", "second.png"]


def test_a_photograph_without_proposals_is_named(model, photographs, tmp_path, capsys) -> None:
    nothing = boxes.Proposals(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    boxes.save(tmp_path / "found.npz", {"first": nothing}, {})
    words = ("--out", tmp_path / "out", "--proposals", tmp_path / "found.npz")
    assert run(model, photographs, *words) == 1
    assert "second.jpg` (no entry 'second')" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["first.png"]


def test_two_photographs_of_one_name_are_refused(photographs, tmp_path) -> None:
    (tmp_path / "first.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"to one file: .*first.png.* and .*first.jpg"):
        run("no model", photographs, tmp_path / "first.jpg", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_same_photograph_twice_is_segmented_once(model, photographs, tmp_path, capsys) -> None:
    assert run(model, photographs, photographs / "first.png", "--out", tmp_path, "--boxes", 0) == 0
    assert "2 label maps" in capsys.readouterr().out


def test_photographs_are_never_written_over(photographs) -> None:
    before = (photographs / "first.png").read_bytes()
    with pytest.raises(UserError, match=r"first.png` must not be written over"):
        run("no model", photographs, "--out", photographs / ".." / "photographs")
    assert (photographs / "first.png").read_bytes() == before


def test_an_output_folder_that_cannot_be_written_is_told_first(photographs, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot write `.*file/out`"):
        run("no model", photographs, "--out", tmp_path / "file" / "out")


def test_wrong_usage(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("model", "--out", "out")
