"""Writing beside and renaming: the target is whole, old or new, at every moment."""

import os

import pytest

from tfdeconv import files
from tfdeconv.errors import UserError


def test_the_file_appears_whole(tmp_path):
    files.write_text(tmp_path / "deep" / "a.txt", "ä")
    assert (tmp_path / "deep" / "a.txt").read_text("utf-8") == "ä"
    assert os.listdir(tmp_path / "deep") == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path):
    files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "a.txt") as beside:
        beside.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_replaces_a_folder(tmp_path):
    for name in ("first", "second"):
        with files.replacing(tmp_path / "run") as beside:
            beside.mkdir()
            (beside / name).touch()
    assert os.listdir(tmp_path / "run") == ["second"]
    assert os.listdir(tmp_path) == ["run"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write"):
        files.write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(UserError, match="Cannot write"):
        files.ensure_writable_folder(tmp_path / "file" / "folder")


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("/dev/full, which plays the full disk, is Linux's")
    with pytest.raises(UserError, match="No space left"), files.replacing(tmp_path / "a") as beside:
        beside.symlink_to("/dev/full")
        beside.write_text("x" * 100_000)
    assert os.listdir(tmp_path) == []


def test_an_error_of_reading_inside_is_not_blamed_on_the_target(tmp_path):
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "out" / "a"):
        (tmp_path / "elsewhere" / "missing").read_text()
