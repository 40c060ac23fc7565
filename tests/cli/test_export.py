"""`tfdeconv export` and `tfdeconv verify`: what they print, what they write, how they exit."""

import keras
import pytest

from tfdeconv import export
from tfdeconv.cli.main import main
from tfdeconv.crf import DenseCRF
from tfdeconv.export import read_metadata


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """A run folder with a small network of somebody else."""
    folder = tmp_path_factory.mktemp("run")
    save_network(folder, seed=0)
    return folder


def save_network(folder, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((16, 16, 3)), keras.layers.Conv2D(2, 3, padding="same")]
    keras.Sequential(layers).save(folder / "model.keras")


def test_export_and_verify(run, tmp_path, capsys) -> None:
    out = tmp_path / "served"
    assert main(["export", str(run), str(out), "--boxes", "4", "--aggregate", "mean"]) == 0
    assert capsys.readouterr().out.startswith(f"Wrote {out}/1. To verify it: ")
    metadata = read_metadata(out / "1")
    assert (metadata.boxes, metadata.aggregate) == (4, "mean")

    assert main(["verify", str(out), str(run)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{out} does what {run} does: scores differ by ")

    save_network(tmp_path, seed=1)
    assert main(["verify", str(out / "1"), str(tmp_path)]) == 1
    assert "does NOT do what" in capsys.readouterr().out


def test_defaults_are_the_librarys(run, tmp_path) -> None:
    assert main(["export", str(run), str(tmp_path)]) == 0
    metadata = read_metadata(tmp_path / "1")
    assert (metadata.boxes, metadata.aggregate) == (50, "max")


def test_choices_reach_the_library(monkeypatch) -> None:
    chosen = {}
    monkeypatch.setattr("tfdeconv.models.load_for_inference", lambda path: path)
    monkeypatch.setattr(
        export, "export_saved_model", lambda *_, **given: chosen.update(given), raising=False
    )
    choices = ["--crf", "--precision", "bfloat16", "--max-pixels", "1000"]
    assert main(["export", "run", "served", *choices]) == 0
    assert chosen == {"crf": DenseCRF(), "precision": "bfloat16", "max_pixels": 1000}


def test_what_warms_a_server_up_needs_a_package(run, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(export, "export_saved_model", lambda *_, **__: "served/1", raising=False)
    monkeypatch.setattr("tfdeconv.models.load_for_inference", lambda path: path)
    assert main(["export", str(run), str(tmp_path)]) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert line.startswith("No warm-up requests were written")
    assert '`pip install "tfdeconv[serving]"`' in line


def test_mistakes_are_told_in_a_sentence(run, tmp_path, capsys) -> None:
    assert main(["export", str(tmp_path / "nothing"), str(tmp_path / "served")]) == 1
    assert "tfdeconv: error: `" in capsys.readouterr().err
    assert main(["verify", str(tmp_path), str(run)]) == 1
    assert "must be a folder written by `tfdeconv export`" in capsys.readouterr().err
    for wrong in (
        ["--boxes", "-1"],
        ["--aggregate", "median"],
        ["--precision", "int8"],
        ["--max-pixels", "0"],
        ["--max-pixels", "178956971"],
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["export", str(run), str(tmp_path), *wrong])
