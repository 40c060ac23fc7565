"""Reading the next photograph, and searching it for boxes, while the network is at work."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


def prefetch(
    prepare: Callable[[Item], Prepared], items: Iterable[Item]
) -> Iterator[tuple[Item, Callable[[], Prepared]]]:
    """Calls `prepare` for each item in a thread, one item before its turn.

    Reading an image and searching boxes in it takes a processor while the network is on a GPU, and
    is done by libraries that let other threads run.

    Args:
        prepare: what is to be done for an item; never called twice at a time.
        items: the items; they are taken in that thread, too. What they raise comes when it is the
            turn of the item that is missing.

    Yields:
        `(item, result)` in the order of the items: `result()` is what `prepare` returned, or raises
        what it raised.

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
