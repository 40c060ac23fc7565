"""Preparing the next item while the present one is worked on."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


def ahead(
    prepare: Callable[[Item], Prepared], items: Iterable[Item]
) -> Iterator[tuple[Item, Callable[[], Prepared]]]:
    """Calls `prepare` for each item in a thread, one item before its turn.

    Reading an image and searching boxes in it takes a processor while the network is on a GPU, and
    is done by libraries that let other threads run.

    Args:
        prepare: what is to be done for an item; never called twice at a time.
        items: the items.

    Yields:
        `(item, result)` in the order of the items: `result()` is what `prepare` returned, or raises
        what it raised.

    Example:

    >>> [(item, result()) for item, result in ahead(abs, [-1, 2])]
    [(-1, 1), (2, 2)]
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
    try:
        waiting = None
        for item in items:
            following = item, pool.submit(prepare, item).result
            if waiting is not None:
                yield waiting
            waiting = following
        if waiting is not None:
            yield waiting
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
