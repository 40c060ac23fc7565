"""A progress bar for long work: on a terminal, and only there."""

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yields `items` and draws a progress bar on standard error while it does.

    Args:
        items: What to work through.
        description: What is being done, e.g. `"Proposing"`.
        total: How many items there are; taken from `len(items)` when it has a length.

    Yields:
        The items, in order. Without a terminal nothing is printed.

    Example:

    >>> sum(track([1, 2, 3], "Adding"))
    6
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not sys.stderr.isatty():
        yield from items
        return
    # Imported here: rich costs 0.1 s, and most commands never draw a bar.
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        yield from bar.track(items, total=total, description=description)
