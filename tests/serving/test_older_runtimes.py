"""The folder runs in older TensorFlow, since a production server may be older than the exporter."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import run_python
from tests.serving.wrong_requests import texts
from tfdeconv.export import fresh_process
from tfdeconv.export.fresh_process import run_in_fresh_process
from tfdeconv.export.samples import sample_requests

PRINT_VERSION = (
    "import ctypes; from c_api.library import load_library; api = load_library();"
    "api.TF_Version.restype = ctypes.c_char_p; print(api.TF_Version().decode())"
)


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
def test_labels_are_the_same(version, served, photographs, tmp_path, monkeypatch) -> None:
    requests = {
        **sample_requests(served.metadata),
        "files/serving_default/images_bytes": texts(*photographs),
    }
    today, _ = run_in_fresh_process(served.folder, requests, warm_up=True)
    path = str(libraries(version, tmp_path))
    monkeypatch.setenv("PYTHONPATH", path)
    package = str(Path(fresh_process.__file__).parent)
    found = run_python("-P", "-c", PRINT_VERSION, PYTHONPATH=os.pathsep.join([package, path]))
    assert found.stdout.strip() == version, found.stderr
    answers, _ = run_in_fresh_process(served.folder, requests, warm_up=True)
    assert sorted(answers) == sorted(today)
    for name, value in today.items():
        if value.dtype == np.float32:
            np.testing.assert_allclose(answers[name], value, rtol=1e-4, atol=1e-4, err_msg=name)
        else:
            np.testing.assert_array_equal(answers[name], value, err_msg=name)
