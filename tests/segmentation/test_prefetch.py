"""The next item is prepared while the present one is worked on, in order, errors included."""

import threading

import pytest

from tfdeconv.segmentation.prefetch import prefetch


def test_in_order_and_one_before_its_turn():
    prepared = []
    second = threading.Event()

    def prepare(item):
        prepared.append(item)
        if item == 1:
            second.set()
        return -item

    results = prefetch(prepare, range(5))
    item, result = next(results)
    assert (item, result()) == (0, 0)
    assert second.wait(10), "the second was not prepared while the first was worked on"
    assert prepared == [0, 1]
    assert [(item, result()) for item, result in results] == [(1, -1), (2, -2), (3, -3), (4, -4)]


def test_an_error_comes_when_it_is_the_items_turn():
    results = prefetch(lambda item: 1 // item, [1, 0, 1])
    values = []
    for _, result in results:
        try:
            values.append(result())
        except ZeroDivisionError:
            values.append(None)
    assert values == [1, None, 1]


def test_nothing_and_an_early_end():
    assert list(prefetch(abs, [])) == []
    results = prefetch(abs, range(100))
    next(results)
    results.close()
    with pytest.raises(StopIteration):
        next(results)


def test_items_are_taken_before_their_turn_and_raise_in_turn():
    third = threading.Event()

    def items():
        yield from (1, 2)
        third.set()
        raise OSError("no more")

    results = prefetch(abs, items())
    assert next(results)[0] == 1 and not third.is_set()
    assert next(results)[0] == 2
    assert third.wait(10), "the third was not asked for while the second was worked on"
    with pytest.raises(OSError, match="no more"):
        next(results)
