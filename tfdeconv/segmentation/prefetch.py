"""Reading the next image, and finding its boxes, while the network runs."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


def prefetch(
    prepare: Callable[[Item], Prepared], items: Iterable[Item]
) -> Iterator[tuple[Item, Callable[[], Prepared]]]:
    """Calls `prepare` for each item in a thread, one item before its turn.

    Args:
        prepare: called for one item at a time.
        items: the items; they are taken in the thread, too. An error of theirs is raised when it is
            the turn of the item that is missing.

    Yields:
        `(item, result)` in the order of the items: `result()` returns what `prepare` returned, or
        raises what it raised.

    Example:

    >>> [(item, result()) for item, result in prefetch(abs, [-1, 2])]
    [(-1, 1), (2, 2)]
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
    source = iter(items)

    def take() -> list[tuple[Item, Future[Prepared]]]:
        for item in source:
            outcome: Future[Prepared] = Future()
            try:
                outcome.set_result(prepare(item))
            except Exception as error:
                outcome.set_exception(error)
            return [(item, outcome)]
        return []

    try:
        waiting = pool.submit(take)
        while taken := waiting.result():
            waiting = pool.submit(take)
            yield from ((item, outcome.result) for item, outcome in taken)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
