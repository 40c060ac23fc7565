"""Another Python for oracles: TensorFlow Addons 0.23, whose last TensorFlow is 2.15."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import CHECKOUT

PACKAGES = ("tensorflow-cpu==2.15.1", "tensorflow-addons==0.23.0", "numpy<2")
# Names an interpreter that has them, to be used in place of an environment of pytest's cache.
VARIABLE = "TFDECONV_ADDONS_PYTHON"


def addons_python(config: pytest.Config) -> str:
    """Returns an interpreter that has the packages, or skips; the first call takes a minute."""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    folder = config.cache.mkdir("addons")
    python, stamp = folder / "bin" / "python", folder / "installed"
    if stamp.exists():
        return str(python)
    # Neither of the two has wheels for a later Python.
    base = shutil.which("python3.11")
    if base is None:
        pytest.skip("TensorFlow Addons needs python3.11, which is not here")
    subprocess.run([base, "-m", "venv", "--clear", str(folder)], check=True)
    process = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        pytest.skip(f"{' '.join(PACKAGES)} cannot be fetched: {process.stderr.strip()[-200:]}")
    stamp.touch()
    return str(python)


def run_script(python: str, script: Path, *arguments: Path) -> None:
    """Runs a script of the tests by that interpreter."""
    process = subprocess.run(
        [python, str(script), *map(str, arguments)],
        cwd=CHECKOUT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
