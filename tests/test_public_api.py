"""The public surface: every name resolves, says what it is, and its examples run."""

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import tfdeconv

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tfdeconv.__path__, "tfdeconv.")
    # Importing it would run the command.
    if not module.name.endswith("__main__")
)
# The README's names: what `import tfdeconv` offers.
SURFACE = [name for name in tfdeconv.__all__ if name != "__version__"]


def opened(name: str) -> ModuleType:
    if name.startswith("tfdeconv.hub"):
        pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    return importlib.import_module(name)


def test_the_list_of_names_is_what_dir_shows() -> None:
    assert sorted(tfdeconv.__all__) == dir(tfdeconv)
    assert len(set(tfdeconv.__all__)) == len(tfdeconv.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'tfdeconv' has no attribute 'Segmentor'"):
        tfdeconv.Segmentor  # noqa: B018


@pytest.mark.parametrize("name", SURFACE)
def test_top_level_names_are_documented_with_an_example(name: str) -> None:
    value = getattr(tfdeconv, name)
    assert inspect.getdoc(value), f"tfdeconv.{name} has no docstring"
    if inspect.isclass(value) or inspect.isfunction(value):
        assert "Example:" in value.__doc__, f"the docstring of tfdeconv.{name} has no example"


@pytest.mark.parametrize("name", MODULES)
def test_names_in_all_resolve_and_are_documented(name: str) -> None:
    module = opened(name)
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{name}.{public} has no docstring"


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(opened(name))
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples of {name} fail"
    assert list(tmp_path.iterdir()) == [], f"the examples of {name} leave files behind"
