"""Which formulation was chosen, for the tests that care."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.layers_helpers import CODES, KERNELS, SCATTER, WINDOWS
from tfdeconv.layers import pooling


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the formulations that were called, in a set that fills as they are."""
    names: set[str] = set()

    def spy(name: str) -> Callable[..., Any]:
        original = getattr(pooling, name)
        return lambda *arguments: (names.add(name), original(*arguments))[1]

    for name in KERNELS | WINDOWS | CODES | SCATTER:
        monkeypatch.setattr(pooling, name, spy(name))
    return names
