"""Progress of long work: a bar on a terminal, elsewhere a line every ten seconds."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")
# Between two lines where there is no terminal, such as in the log of a batch job.
SECONDS = 10.0


def track(
    items: Iterable[T],
    description: str,
    total: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yields `items` and reports progress on standard error.

    On a terminal it draws a bar. Elsewhere it prints a line every ten seconds, and nothing for
    shorter work.

    Args:
        items: What to work through.
        description: What is being done, e.g. `"Proposing"`.
        total: How many items there are; taken from `len(items)` when it has a length.
        Function that returns the time in seconds.

    Yields:
        The items, in order.

    Example:

    >>> sum(track([1, 2, 3], "Adding"))
    6
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not sys.stderr.isatty():
        yield from _in_lines(items, description, total, clock)
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


def _in_lines(
    items: Iterable[T], description: str, total: int | None, clock: Callable[[], float]
) -> Iterator[T]:
    started = printed = clock()
    for done, item in enumerate(items):
        now = clock()
        if now - printed >= SECONDS:
            text = f"{description}: {done}"
            if total and done:
                left = duration((now - started) / done * (total - done))
                text += f"/{total} ({100 * done // total} %), {left} left"
            print(text, file=sys.stderr, flush=True)
            printed = now
        yield item


def duration(seconds: float) -> str:
    """Returns a rounded time in words.

    Example:

    >>> duration(44.6), duration(5000), duration(20_000)
    ('45 seconds', '83 minutes', '5.6 hours')
    """
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
