"""The command `draw`: its arguments reach the library, which holds the defaults."""

import argparse

import pytest

from tfdeconv.cli import draw
from tfdeconv.errors import UserError


def run(*words):
    parser = argparse.ArgumentParser()
    draw.add_arguments(parser)
    return draw.run(parser.parse_args(words))


def test_draws_and_says_where(tmp_path, capsys):
    out = tmp_path / "drawn"
    run(str(out), "--images", "2", "--val", "1", "--seed", "5", "--objects", "1")
    assert len(list((out / "JPEGImages").iterdir())) == 3
    assert '"seed": 5,\n  "objects": 1\n' in (out / "drawn.json").read_text()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{out}: 2 training and 1 validation pictures, 8 classes and background"]


def test_defaults_are_the_library_s(monkeypatch, capsys):
    seen = {}
    monkeypatch.setattr("tfdeconv.data.drawn.draw_dataset", lambda out, **rest: seen.update(rest))
    monkeypatch.setattr("tfdeconv.cli.draw.describe", lambda root: "done")
    run("anywhere")
    assert seen == {}
    assert capsys.readouterr().out == "done\n"


def test_a_mistake_is_a_user_error(tmp_path):
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(UserError, match="new or empty folder"):
        run(str(tmp_path), "--images", "1")
