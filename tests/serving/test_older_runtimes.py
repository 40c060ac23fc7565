"""The folder runs in older TensorFlow, since a production server may be older than the exporter."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.serving.bare_process import run_bare
from tests.serving.wrong_requests import texts
from tfdeconv.export.saved_model import read_warmup
from tfdeconv.export.verification import sample_requests


def libraries(version: str, folder: Path) -> Path:
    """Fetches the C++ libraries of a release, nothing else of it, or skips without a network."""
    # Of any Python: nothing but the libraries is used.
    words = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", f"--dest={folder}"]
    process = subprocess.run(
        [sys.executable, "-m", "pip", "download", *words, f"tensorflow-cpu=={version}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        pytest.skip(f"tensorflow-cpu {version} cannot be fetched: {process.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        for name in file.namelist():
            if name.startswith("tensorflow/lib"):
                file.extract(name, folder)
    wheel.unlink()
    (folder / "tensorflow" / "__init__.py").touch()
    return folder


@pytest.mark.large
@pytest.mark.parametrize("version", ["2.15.1", "2.18.1"])
def test_labels_are_the_same(version, served, photographs, tmp_path) -> None:
    calls = {"files": ("serving_default", {"images_bytes": texts(*photographs)})}
    for name, value in sample_requests(served.metadata).items():
        _, signature, key = name.split("/")
        calls.setdefault(signature, (signature, {}))[1][key] = value
    calls = [*read_warmup(served.folder), *calls.values()]
    _, today = run_bare(served.folder, calls)
    older = str(libraries(version, tmp_path))
    found, answers = run_bare(served.folder, calls, PYTHONPATH=older)
    assert found == version
    for (signature, _), expected, answer in zip(calls, today, answers, strict=True):
        assert sorted(answer) == sorted(expected)
        for name, value in expected.items():
            if value.dtype == np.float32:
                np.testing.assert_allclose(answer[name], value, rtol=1e-4, atol=1e-4)
            else:
                np.testing.assert_array_equal(answer[name], value, err_msg=signature)
