"""Preparing the next item while the present one is worked on, or working on the one before."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Folded = TypeVar("Folded")
Prepared = TypeVar("Prepared")


def ahead(
    prepare: Callable[[Item], Prepared], items: Iterable[Item]
) -> Iterator[tuple[Item, Callable[[], Prepared]]]:
    """Calls `prepare` for each item in a thread, one item before its turn.

    Reading an image and searching boxes in it takes a processor while the network is on a GPU, and
    is done by libraries that let other threads run.

    Args:
        prepare: what is to be done for an item; never called twice at a time.
        items: the items; they are taken in that thread, too.

    Yields:
        `(item, result)` in the order of the items: `result()` is what `prepare` returned, or raises
        what it raised.

    Example:

    >>> [(item, result()) for item, result in ahead(abs, [-1, 2])]
    [(-1, 1), (2, 2)]
    """
    return made_ahead((item, _outcome(prepare, item)) for item in items)


def made_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Takes items in a thread, each one before its turn.

    Args:
        items: the items, which cost time to make; what they raise comes when it is their turn.

    Yields:
        The items, in order.

    Example:

    >>> list(made_ahead(number**2 for number in range(4)))
    [0, 1, 4, 9]
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
    source = iter(items)

    def take() -> list[Item]:
        return list(itertools.islice(source, 1))

    try:
        waiting = pool.submit(take)
        while taken := waiting.result():
            waiting = pool.submit(take)
            yield from taken
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def reduce_behind(
    function: Callable[[Folded, Item], Folded], items: Iterable[Item], start: Folded
) -> Folded:
    """Folds items as `functools.reduce`; the next is made while the one before is folded in.

    `function` runs in a thread, one call at a time, and items are made in the thread that calls: a
    network computes the scores of a batch while those of the batch before are combined. No more
    than two items are held.

    Args:
        function: takes what was found so far and the next item, and returns both as one.
        items: the items, which cost time to make.
        start: what is returned where there are no items.

    Returns:
        `functools.reduce(function, items, start)`. What `function` or `items` raise is raised.

    Example:

    >>> reduce_behind(lambda found, item: found + item, (number**2 for number in range(4)), 0)
    14
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="behind") as pool:
        waiting: Future[Folded] | None = None
        for item in items:
            found = start if waiting is None else waiting.result()
            waiting = pool.submit(function, found, item)
        return start if waiting is None else waiting.result()


def _outcome(prepare: Callable[[Item], Prepared], item: Item) -> Callable[[], Prepared]:
    outcome: Future[Prepared] = Future()
    try:
        outcome.set_result(prepare(item))
    except Exception as error:
        outcome.set_exception(error)
    return outcome.result
