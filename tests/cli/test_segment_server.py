"""`tfdeconv segment --server`: the files of local segmentation, made by a server."""

import base64
from pathlib import Path

import numpy as np
import pytest

from tests.export.networks import photograph
from tests.export.scripted_server import GOOD, LABELS, Scripted
from tests.helpers import run_python
from tfdeconv import boxes, images
from tfdeconv.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index in range(4):
        data = images.encode_png(photograph(20 + index, 30))
        (folder / f"p{index}.png").write_bytes(data)
    return folder


@pytest.fixture
def server():
    server = Scripted(GOOD)
    yield server
    server.shutdown()
    server.server_close()


def segment(*words) -> int:
    return main(["segment", *(str(word) for word in words)])


def test_boxes_are_found_here_and_sent_along(server, folder, tmp_path) -> None:
    found = np.array([[3, 4, 15, 9], [7, 7, 7, 9], [0, 0, 20, 9]], np.float32)
    proposals = {f"p{index}": boxes.Proposals(found, np.ones(3, np.float32)) for index in range(4)}
    boxes.save(tmp_path / "found.npz", proposals, {})
    for chosen in ("edges", "grid", tmp_path / "found.npz"):
        words = ("--server", server.url, "--proposals", chosen)
        assert segment("trees", folder / "p1.png", "--out", tmp_path / "out", *words) == 0
    (path, edges), (_, grid), (_, from_file) = server.asked
    assert path == "/v1/models/trees:predict"
    assert 1 <= edges["inputs"]["counts"][0] <= 1000 and "boxes" not in grid["inputs"]
    # One without area is passed over, as it is by `Segmenter`.
    assert from_file["inputs"]["boxes"] == [found[[0, 2]].tolist()]
    sent = base64.b64decode(grid["inputs"]["images_bytes"][0]["b64"])
    assert sent == (folder / "p1.png").read_bytes()


def test_a_photograph_that_cannot_be_read_is_named(server, folder, tmp_path, capsys) -> None:
    (folder / "p2.png").write_bytes(b"no photograph")
    assert segment("deconvnet", folder, "--out", tmp_path / "out", "--server", server.url) == 1
    printed = capsys.readouterr()
    assert "p2.png` must be an image, such as a JPEG or PNG" in printed.err
    assert "3 label maps, 1 failed" in printed.out


def test_what_a_server_refuses_is_named_with_the_photograph(folder, tmp_path, capsys) -> None:
    server = Scripted((400, {"error": "`images_bytes[0]` must be whole."}), GOOD)
    assert segment("deconvnet", folder, "--out", tmp_path / "out", "--server", server.url) == 1
    printed = capsys.readouterr()
    assert "p0.png: " in printed.err and "`images_bytes[0]` must be whole" in printed.err
    assert "3 label maps, 1 failed" in printed.out
    server.shutdown()
    server.server_close()


def test_mistakes_are_told_in_a_sentence(folder, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("tfdeconv.export.client._FIRST_PAUSE", 0.01)
    nowhere = "http://127.0.0.1:9"
    for words, message in (
        (("--server", "localhost"), "`url` must be http://host:8501"),
        (("--server", nowhere), f"No server is ready at {nowhere}"),
        (("--server", nowhere, "--crf"), "--crf is not supported with --server"),
        (("--server", nowhere, "--release"), "--release is not supported with --server"),
        (("--server", nowhere, "--ensemble", "m"), "--ensemble is not supported with --server"),
        (("--server", nowhere, "--boxes", "3"), "--boxes is not supported with --server"),
        (("--server", nowhere, "--proposals", "missing.npz"), "`missing.npz` must be a proposal"),
    ):
        assert segment("deconvnet", folder, "--out", tmp_path / "out", *words) == 1
        told = capsys.readouterr().err
        assert told.startswith("tfdeconv: error: ") and message in told
        assert len(told.splitlines()) == 1


def test_no_tensorflow_is_loaded(server, folder, tmp_path) -> None:
    words = ["segment", "m", str(folder / "p1.png"), "--out", str(tmp_path), "--server", server.url]
    code = f"import sys; from tfdeconv.cli.main import main; assert main({words!r}) == 0; "
    process = run_python("-c", code + "print({'tensorflow', 'keras', 'grpc'} & set(sys.modules))")
    assert process.stdout.splitlines()[-1] == "set()", process.stderr
    np.testing.assert_array_equal(images.read_labels(tmp_path / "p1.png"), LABELS)
