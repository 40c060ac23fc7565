"""Atomic writes: write under a temporary name, then rename.

Errors of the operating system (disk full, no permission) become `UserError`.
"""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfdeconv.errors import UserError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path` and renames it to `path` on success.

    The body may create a file or a folder there. When it raises, what it wrote is removed and
    `path` stays as it was. An existing folder at `path` is replaced.

    Args:
        path: Name of the finished file or folder. Its parent is created.

    Yields:
        The temporary path, with the suffix of `path`.

    Raises:
        UserError: when the disk is full or the folder cannot be written.

    Example:

    >>> import tempfile, pathlib
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "notes.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("complete")
    >>> target.read_text()
    'complete'
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_dir() and target.is_dir():
            _swap_folders(temporary, target)
        else:
            os.replace(temporary, target)
    except OSError as error:
        if not _is_about(error, temporary):
            raise
        raise cannot_write(target, error) from error
    finally:
        _remove(temporary)


def cannot_write(path: str | os.PathLike[str], error: OSError) -> UserError:
    """Returns the `UserError` that says why `path` could not be written."""
    reason = error.strerror or str(error)
    return UserError(
        f"Cannot write `{os.fspath(path)}`: {reason}. Free disk space, fix the permissions or "
        "choose another location."
    )


def ensure_writable_folder(path: str | os.PathLike[str]) -> Path:
    """Creates the folder `path` and tests it with an empty file, before long work begins.

    Args:
        path: The folder, created with its parents when it does not exist.

    Returns:
        The folder as a `Path`.

    Raises:
        UserError: when it cannot be created or written.
    """
    folder = Path(path)
    probe = folder / f".{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to the file `path`, or leaves what is there."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` to the file `path` as UTF-8, or leaves what is there."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` to the file `path` as indented JSON, or leaves what is there."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _is_about(error: OSError, temporary: Path) -> bool:
    # The body may also fail to read another file.
    if not isinstance(error.filename, str | os.PathLike):
        return True
    named = Path(error.filename)
    return temporary in (named, *named.parents) or named in temporary.parents


def _swap_folders(new: Path, target: Path) -> None:
    # A folder cannot be renamed over one that is not empty. The old one is renamed first, so that
    # one of the two exists at every moment.
    aside = new.with_name(new.name + ".old")
    os.replace(target, aside)
    os.replace(new, target)
    shutil.rmtree(aside, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path.is_symlink() or path.exists():
        path.unlink()
