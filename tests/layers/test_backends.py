"""Pooling and unpooling on the JAX and PyTorch backends, each in a process of its own."""

import importlib.util

import pytest

from tests.helpers import run_python


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_backend_equals_the_loops(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the backend {backend} is not installed")
    process = run_python(
        "-m", "tests.layers_on_backend", KERAS_BACKEND=backend, JAX_PLATFORMS="cpu"
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == [backend, "ok"]
