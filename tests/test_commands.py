"""The command line as a user meets it: help, wrong usage, mistakes, and its two spellings."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import run_python, run_tfdeconv
from tfdeconv.cli.main import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_and_loads_nothing_heavy(command):
    program = (
        "import sys; from tfdeconv.cli.main import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'tensorflow', 'keras', 'cv2', 'rich', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = run_python("-c", program)
    assert result.returncode == 0, result.stderr
    # An example of the command, and what it does in words.
    assert f"tfdeconv {command}" in result.stdout and len(result.stdout.splitlines()) > 8


def test_wrong_usage_is_exit_status_2():
    for words in ([], ["nonsense"], ["train", "stage3", "data", "--out", "x"], ["draw"]):
        result = run_tfdeconv(*words)
        assert result.returncode == 2 and "usage: tfdeconv" in result.stderr


MISTAKES = [
    (["cam", "missing", "--out", "cam"], "`missing` must be a data set in PASCAL VOC layout"),
    (["check", "missing"], "`missing` must be a data set in PASCAL VOC layout"),
    (["evaluate", "missing.keras", "missing"], "`missing` must be a data set"),
    (["export", "missing.keras", "out"], "missing.keras"),
    (["lesion", "missing.keras", "missing", "--out", "lesion"], "`missing` must be a data set"),
    (["propose", "missing.jpg", "--out", "p.npz"], "missing.jpg"),
    (["recalibrate", "missing", "missing"], "`missing` must be a .keras file or a run folder"),
    (["segment", "missing.keras", "missing.jpg", "--out", "out"], "missing"),
    (["walkthrough", "missing.keras", "missing.jpg", "--out", "page.html"], "missing"),
    (["train", "stage1", "missing", "--out", "run"], "`missing` must be a data set"),
    (["train", "fcn8s", "missing", "--out", "run"], "`missing` must be a data set"),
    (["verify", "missing", "missing.keras"], "missing"),
    (["visualize", "missing.keras", "missing.jpg", "--out", "x.png"], "missing.jpg"),
]


def check_mistake(status: int, errors: str, message: str) -> None:
    assert status == 1
    assert errors.startswith("tfdeconv: error: ") and message in errors
    assert "Traceback" not in errors and len(errors.splitlines()) <= 2


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_status_1(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    check_mistake(main(words), capsys.readouterr().err, message)


def test_a_mistake_in_a_process_of_its_own_prints_nothing_else():
    words, message = MISTAKES[2]
    result = run_tfdeconv(*words)
    check_mistake(result.returncode, result.stderr, message)


def test_the_version_is_told():
    assert run_tfdeconv("--version").stdout.startswith("tfdeconv 0.")


def test_the_two_spellings_are_one_command():
    script = Path(sys.executable).with_name("tfdeconv")
    spellings = [run_tfdeconv("train", "stage1", "--help").stdout]
    if script.exists():
        spellings.append(
            subprocess.run(
                [script, "train", "stage1", "--help"], capture_output=True, text=True, check=True
            ).stdout
        )
    assert len(set(spellings)) == 1 and "--resume" in spellings[0]


@pytest.mark.large
def test_the_demo_goes_all_the_way(tmp_path):
    words = ["--images", "24", "--val", "6", "--steps", "6"]
    result = run_tfdeconv("demo", "--out", str(tmp_path / "demo"), *words, timeout=900)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "demo" / "report.html").read_text("utf-8")
    assert page.count("data:image") > 20 and "http" not in page
    again = run_tfdeconv("demo", "--out", str(tmp_path / "demo"), *words, timeout=900)
    assert again.returncode == 0, again.stderr
