"""The next item is prepared while the present one is worked on, in order, errors included."""

import functools
import threading

import pytest

from tfdeconv.segmentation.ahead import ahead, made_ahead, reduce_behind


def test_in_order_and_one_before_its_turn():
    prepared = []
    second = threading.Event()

    def prepare(item):
        prepared.append(item)
        if item == 1:
            second.set()
        return -item

    results = ahead(prepare, range(5))
    item, result = next(results)
    assert (item, result()) == (0, 0)
    assert second.wait(10), "the second was not prepared while the first was worked on"
    assert prepared == [0, 1]
    assert [(item, result()) for item, result in results] == [(1, -1), (2, -2), (3, -3), (4, -4)]


def test_an_error_comes_when_it_is_the_items_turn():
    results = ahead(lambda item: 1 // item, [1, 0, 1])
    values = []
    for _, result in results:
        try:
            values.append(result())
        except ZeroDivisionError:
            values.append(None)
    assert values == [1, None, 1]


def test_nothing_and_an_early_end():
    assert list(ahead(abs, [])) == []
    results = ahead(abs, range(100))
    next(results)
    results.close()
    with pytest.raises(StopIteration):
        next(results)


def test_made_ahead_takes_the_next_and_raises_in_turn():
    third = threading.Event()

    def items():
        yield from (1, 2)
        third.set()
        raise OSError("no more")

    made = made_ahead(items())
    assert next(made) == 1 and not third.is_set()
    assert next(made) == 2
    assert third.wait(10), "the third was not asked for while the second was worked on"
    with pytest.raises(OSError, match="no more"):
        next(made)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_reduce_behind_is_reduce(count):
    def function(found, item):
        return f"({found} {item})"

    expected = functools.reduce(function, range(count), "start")
    assert reduce_behind(function, iter(range(count)), "start") == expected


def test_reduce_behind_makes_one_item_while_it_works_and_no_more():
    made = []
    second = threading.Event()

    def items():
        for item in range(4):
            made.append(item)
            if item == 1:
                second.set()
            yield item

    def function(found, item):
        assert second.wait(10), "the second was not made while the first was worked on"
        assert len(made) <= item + 2
        return found + item

    assert reduce_behind(function, items(), 0) == 6


def test_reduce_behind_raises_what_items_and_function_raise():
    def items():
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        reduce_behind(lambda found, item: found + item, items(), 0)
    with pytest.raises(ZeroDivisionError):
        reduce_behind(lambda found, item: found // item, [1, 0, 1], 1)
