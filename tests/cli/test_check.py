"""`tfdeconv check`: a line for every problem, a summary, and the exit status."""

import argparse

import pytest

from tests.data.small import write_data_set, write_list
from tfdeconv.cli import check
from tfdeconv.errors import UserError


def run(*words):
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return check.run(parser.parse_args([str(word) for word in words]))


def test_a_sound_data_set(tmp_path, capsys):
    assert run(write_data_set(tmp_path)) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].startswith("train: 3 images, 7 objects")
    assert printed.err == ""


def test_problems_come_first_and_decide_the_status(tmp_path, capsys):
    write_data_set(tmp_path)
    (tmp_path / "SegmentationClass" / "train1.png").unlink()
    write_list(tmp_path, "val", ["train1", "train2"])
    assert run(tmp_path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "train1.png" in line] == lines[:1]
    assert lines[-2].endswith("1 problem") and lines[-1].startswith("val: 2 images")


def test_one_split(tmp_path, capsys):
    write_data_set(tmp_path)
    write_list(tmp_path, "val", ["nowhere"])
    assert run(tmp_path, "--split", "train") == 0
    assert run(tmp_path, "--split", "val") == 1


def test_no_data_set(tmp_path):
    with pytest.raises(UserError, match="PASCAL VOC layout"):
        run(tmp_path / "absent")
