"""What several test files share: the real data beside the checkout, and fresh processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED_DATA = CHECKOUT.parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """Returns the folder of real data `name`, or skips the test when it is not there."""
    folder = SHARED_DATA / name
    if not folder.exists():
        pytest.skip(
            f"the real data set {name!r} is not beside the checkout (../shared/data/{name})"
        )
    return folder


def run_python(
    *arguments: str, timeout: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs the interpreter of the tests in a fresh process from the checkout, as a user would."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run_tfdeconv(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Runs `python -m tfdeconv ARGUMENTS`."""
    return run_python("-m", "tfdeconv", *arguments, timeout=timeout)
