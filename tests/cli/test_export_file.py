"""`tfdeconv export --format litert|onnx` and `tfdeconv verify` of their files."""

import keras
import pytest

from tfdeconv.cli.main import main

SUFFIXES = {"litert": ".tflite", "onnx": ".onnx"}
PACKAGES = {"litert": ("ai_edge_litert",), "onnx": ("onnxruntime", "onnx", "tf2onnx")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """A run folder with a network that takes every size."""
    folder = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(0)
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, padding="same")]
    keras.Sequential(layers).save(folder / "model.keras")
    return folder


@pytest.mark.parametrize(
    ("kind", "options"), [("litert", []), ("litert", ["--quantize"]), ("onnx", [])]
)
def test_export_and_verify(kind: str, options: list[str], run, tmp_path, capsys) -> None:
    for package in PACKAGES[kind]:
        pytest.importorskip(package)
    file = tmp_path / f"regions{SUFFIXES[kind]}"
    words = ["export", str(run), str(file), "--format", kind, "--input-size", "16", *options]
    assert main(words) == 0
    assert capsys.readouterr().out == f"Wrote {file}. To verify it: tfdeconv verify {file} {run}\n"
    assert main(["verify", str(file), str(run)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{file} does what {run} does: scores of 80 % of pixels differ by ")
    assert "labels agree on" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "onnx"], "the file needs a fixed one. Received: none"),
        (["--format", "onnx", "--input-size", "16"], "must end in .onnx"),
        (["--format", "onnx", "--quantize"], "--quantize requires --format litert"),
        (["--format", "litert", "--boxes", "0"], "--boxes is not supported with --format"),
        (["--format", "litert", "--crf"], "--crf is not supported with --format"),
        (["--quantize"], "--quantize is not supported with --format"),
        (["--input-size", "16"], "--input-size is not supported with --format"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    options: list[str], message: str, run, tmp_path, capsys
) -> None:
    if message.startswith("must be exported"):
        pytest.importorskip("tf2onnx")
    out = tmp_path / ("out.onnx" if options == ["--format", "onnx"] else "out")
    assert main(["export", str(run), str(out), *options]) == 1
    told = capsys.readouterr().err
    assert told.startswith("tfdeconv: error: ") and message in told
    assert list(tmp_path.iterdir()) == []
