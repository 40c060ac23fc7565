"""The order of training: passes, visits, blocks and resuming."""

import numpy as np
import pytest

from tfdeconv.data.windows import MAX_VISIT, Windows, balance, plan_schedule


def example(per_image, label=1):
    """Windows of images with so many windows each; `object_id` numbers all of them."""
    image = np.repeat(np.arange(len(per_image)), per_image).astype(np.int32)
    number = np.arange(len(image), dtype=np.int32)
    box = np.repeat(number[:, None], 4, axis=1)
    return Windows(image, box, number, np.full(len(image), label, np.int32))


def consumed(plan, block):
    """The windows in the order of consumption."""
    start = np.arange(len(plan.order)) // block * block
    return plan.windows[start + plan.order]


def test_a_pass_holds_every_window_once_and_each_is_in_an_order_of_its_own():
    windows = example([3, 1, 4, 1, 5])
    plan = plan_schedule(windows, rows=3 * 14, block=7, seed=0)
    passes = plan.windows.reshape(3, 14)
    for order in passes:
        assert sorted(order) == list(range(14))
    assert passes[0].tolist() != passes[1].tolist()


def test_an_image_is_visited_once_a_pass():
    windows = example([3, 1, 4, 1, 5])
    plan = plan_schedule(windows, rows=14, block=14, seed=0)
    visited = [windows.image[plan.windows[first:last]] for first, last in plan.visits]
    assert sorted(images[0] for images in visited) == [0, 1, 2, 3, 4]
    assert all((images == images[0]).all() for images in visited)


def test_an_image_with_hundreds_of_windows_is_visited_in_parts():
    plan = plan_schedule(example([100] * 8), rows=800, block=800, seed=0)
    lengths = np.diff(plan.visits, axis=1)[:, 0]
    # Visits of one image that follow each other by chance are one.
    assert len(lengths) > 30 and (lengths <= 4 * MAX_VISIT).all()
    assert np.median(lengths) == MAX_VISIT


def test_many_copies_of_a_window_are_spread_over_the_pass():
    windows = example([1] * 40, label=1)
    rare = Windows(
        *(column.copy() for column in (windows.image, windows.box, windows.object_id)),
        np.where(windows.image == 7, 2, 1).astype(np.int32),
    )
    balanced = balance(rare)
    assert (balanced.image == 7).sum() == 10
    plan = plan_schedule(balanced, rows=len(balanced), block=len(balanced), seed=0)
    visits = [
        last - first for first, last in plan.visits if balanced.image[plan.windows[first]] == 7
    ]
    assert sorted(visits) == [2, 4, 4]


def test_a_block_is_shuffled_within_itself():
    windows = example([2] * 20)
    plan = plan_schedule(windows, rows=40, block=10, seed=0)
    order = consumed(plan, 10)
    for block in range(4):
        produced = plan.windows[10 * block : 10 * block + 10]
        assert sorted(order[10 * block : 10 * block + 10]) == sorted(produced)
        assert order[10 * block : 10 * block + 10].tolist() != produced.tolist()
    for first, last in plan.visits:
        assert first // 10 == (last - 1) // 10


@pytest.mark.parametrize("first_block", [1, 2, 5])
def test_a_plan_that_begins_later_is_the_end_of_the_whole(first_block):
    windows = example([3, 1, 4, 1, 5])
    whole = plan_schedule(windows, rows=60, block=9, seed=4)
    later = plan_schedule(windows, rows=60, block=9, seed=4, first_block=first_block)
    assert later.rows.tolist() == whole.rows[9 * first_block :].tolist()
    assert consumed(later, 9).tolist() == consumed(whole, 9)[9 * first_block :].tolist()


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    windows = example([3, 1, 4, 1, 5])
    long, short = (plan_schedule(windows, rows, 9, seed=4) for rows in (60, 22))
    assert consumed(short, 9).tolist() == consumed(long, 9)[:22].tolist()
    assert len(short.windows) == 22


def test_every_row_has_random_numbers_of_its_own():
    plan = plan_schedule(example([2] * 5), rows=35, block=9, seed=0)
    assert len(set(plan.rows)) == 35


def test_the_seed_decides():
    windows = example([3, 1, 4, 1, 5])
    first, again, other = (plan_schedule(windows, 42, 7, seed) for seed in (0, 0, 1))
    assert first.windows.tolist() == again.windows.tolist() != other.windows.tolist()
    assert first.order.tolist() == again.order.tolist() != other.order.tolist()


def test_nothing_to_plan():
    with pytest.raises(ValueError, match="0 windows"):
        plan_schedule(example([]), rows=5, block=5, seed=0)
    with pytest.raises(ValueError, match="rows=10, first_block=2"):
        plan_schedule(example([1]), rows=10, block=5, seed=0, first_block=2)
