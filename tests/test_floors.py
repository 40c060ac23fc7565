"""The house stands on its floors: who may import whom.

A part imports only from floors below its own; parts on one floor never import each other. The list
below is the plan; where building shows a better order, change it here and say why in the commit.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import CHECKOUT

FLOORS = (
    ("boxes", "errors", "files", "images", "labels", "processor", "progress", "version"),
    ("crf", "layers", "proposals"),
    ("metrics", "weights"),
    ("data", "models"),
    ("inference", "visual"),
    ("inference.evaluate", "training"),
    ("export", "hub", "weak"),
    ("cli",),
)
# On the ground floor reading and writing rest on one another; none of these leads back.
GROUND = {
    "boxes": {"errors", "files"},
    "files": {"errors"},
    "labels": {"errors"},
    "images": {"errors", "labels"},
}
# The top of the package resolves its names when they are used; `__main__` is the command line.
TOP = {"tfdeconv", "tfdeconv.__main__"}
REPORTS = ("training.reproduction", "training.comparison")

PACKAGE_FILES = sorted((CHECKOUT / "tfdeconv").rglob("*.py"))
COMMAND_FILES = [
    path for folder in ("training", "export") for path in sorted((CHECKOUT / folder).glob("*.py"))
]


def module_name(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str | None:
    """The longest entry of the list that `tfdeconv.` + entry is, or holds, this module."""
    names = [name for floor in FLOORS for name in floor]
    inside = [name for name in names if f"{module}.".startswith(f"tfdeconv.{name}.")]
    return max(inside, key=len, default=None)


def floor_of(part: str) -> int:
    return next(height for height, floor in enumerate(FLOORS) if part in floor)


def imports(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yields (line, imported module) for every import of something inside tfdeconv."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if is_package else module.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], base]).rstrip(".")
            found = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in found if f"{name}.".startswith("tfdeconv."))


def offence(module: str, imported: str) -> str | None:
    """Says why `module` must not import `imported`, or None when it may."""
    here, there = part_of(module), part_of(imported)
    if here is None:
        return None if module in TOP else f"{module} is on no floor: add it to FLOORS"
    if there is None and here == "cli":
        return None  # the roof may use all that the package offers
    if there is None:
        return f"{imported} comes through the top of the package; import the module that has it"
    if here == there or there in GROUND.get(here, ()):
        return None
    if floor_of(there) < floor_of(here):
        return None
    return f"{here} (floor {floor_of(here)}) imports {there} (floor {floor_of(there)})"


def offences(source: str, path: Path) -> list[str]:
    module, is_package = module_name(path), path.name == "__init__.py"
    return [
        f"{path.relative_to(CHECKOUT)}:{line}: {reason}"
        for line, imported in imports(source, module, is_package)
        if (reason := offence(module, imported))
    ]


def test_every_part_imports_only_from_below() -> None:
    found = [line for path in PACKAGE_FILES for line in offences(path.read_text(), path)]
    assert not found, "\n".join(found)


def test_every_module_is_on_a_floor() -> None:
    modules = {module_name(path) for path in PACKAGE_FILES} - TOP
    assert not [module for module in modules if part_of(module) is None]


def test_commands_import_only_the_package_and_stay_short() -> None:
    for path in COMMAND_FILES:
        source = path.read_text()
        assert len(source.splitlines()) < 40, path
        for node in ast.walk(ast.parse(source)):
            module = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else None
            # The reports are no part of the package; their commands start them.
            if module is not None and not module.startswith(REPORTS):
                assert module.split(".")[0] not in ("training", "export"), path


@pytest.mark.parametrize(
    ("file", "source", "reason"),
    [
        ("layers/a.py", "import keras\nfrom tfdeconv.models import b", r":2: layers \(floor 1\)"),
        ("data/a.py", "def f():\n  import tfdeconv.models.b", r":2: data \(floor 3\) imports mod"),
        ("models/a.py", "from ..training import b", r"models \(floor 3\) imports training"),
        ("models/__init__.py", "from ..training import b", r"models \(floor 3\) imports training"),
        ("inference/segmenter.py", "from . import evaluate", r"imports inference.evaluate \(floor"),
        ("inference/__init__.py", "from .evaluate import evaluate", r"imports inference.evaluate"),
        ("data/a.py", "from tfdeconv import Segmenter", "through the top of the package"),
        ("utils.py", "from tfdeconv import boxes", "is on no floor"),
        ("errors.py", "from tfdeconv import files", r"errors \(floor 0\) imports files"),
    ],
)
def test_offenders_are_named(file: str, source: str, reason: str) -> None:
    (found,) = offences(source, CHECKOUT / "tfdeconv" / file)
    assert found.startswith(f"tfdeconv/{file}:") and re.search(reason, found)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("layers/a.py", "from tfdeconv.layers.b import c\nfrom . import b\nimport numpy"),
        ("data/a.py", "from tfdeconv import boxes, version\nfrom tfdeconv.metrics import mean"),
        ("inference/evaluate.py", "from tfdeconv.inference.segmenter import Segmenter"),
        ("export/c_api/__main__.py", "from .session import Session"),
        ("cli/a.py", "import tfdeconv\nfrom tfdeconv.hub import b"),
        ("__main__.py", "from tfdeconv.cli.main import main"),
    ],
)
def test_what_is_allowed(file: str, source: str) -> None:
    assert offences(source, CHECKOUT / "tfdeconv" / file) == []


def test_nothing_is_called_utils() -> None:
    assert not [path for path in PACKAGE_FILES + COMMAND_FILES if "utils" in path.as_posix()]


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in PACKAGE_FILES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent
