"""The order in which training sees its windows: a pure function of the seed, planned with NumPy.

Training sees the windows in passes, each in an order of its own. So that an image is decoded once
for its windows, they are *produced* image by image, in visits; a block of consecutive rows is then
shuffled before it is *consumed*. Any step of training can be planned without those before it, which
is what makes a resumed run equal to an uninterrupted one.
"""

from dataclasses import dataclass

import numpy as np

from tfdeconv.data.windows import Windows

# An image with many windows is visited several times in a pass, and so are the copies of a window:
# blocks, and with them batches, would hold too few images otherwise.
MAX_VISIT, MAX_COPIES = 16, 4
_PASS, _BLOCK = 0, 1


@dataclass(frozen=True)
class Schedule:
    """What to produce and in which order to consume it.

    Attributes:
        windows: `(rows,)` int64, the windows in the order of production.
        rows: `(rows,)` int64, the place of each in the whole stream, from which its random numbers
            are drawn.
        visits: `(v, 2)` int64, first row and row behind the last of each visit.
        order: `(rows,)` int64, for each row that is consumed, its place in its block.
    """

    windows: np.ndarray
    rows: np.ndarray
    visits: np.ndarray
    order: np.ndarray


def plan(windows: Windows, rows: int, block: int, seed: int, first_block: int = 0) -> Schedule:
    """Plans the rows `first_block * block` to `rows` of the stream.

    Args:
        windows: What to choose from; copies of a window (see `windows.balance`) are visited apart.
        rows: How many rows the whole stream has.
        block: Rows that are shuffled together.
        seed: Of the whole order; the plan of a row depends on nothing else.
        first_block: Where to begin.

    Returns:
        The `Schedule`. The last block may be smaller: only what is consumed is produced.

    Raises:
        ValueError: when there are no windows or no rows to plan.
    """
    if not len(windows) or rows <= first_block * block:
        raise ValueError(
            "`windows` and the rows to plan must not be empty. Received: "
            f"{len(windows)} windows, rows={rows}, first_block={first_block} of {block} rows"
        )
    stream = _Stream(windows, seed)
    parts = []
    for number in range(first_block, -(-rows // block)):
        start = number * block
        order = np.random.default_rng((seed, _BLOCK, number)).permutation(block)
        order = order[: min(block, rows - start)]
        kept = np.sort(order)
        parts.append(
            (stream.take(start, start + block)[kept], start + kept, np.searchsorted(kept, order))
        )
    produced, places, order = (
        np.concatenate([np.zeros(0, np.int64), *part]) for part in zip(*parts, strict=True)
    )
    return Schedule(produced, places, _visits(windows.image[produced], places // block), order)


class _Stream:
    """The passes one after another; the last pass that was planned is kept."""

    def __init__(self, windows: Windows, seed: int):
        self._windows, self._seed = windows, seed
        self._copies = _count_copies(windows)
        self._number, self._order = -1, np.zeros(0, np.int64)

    def take(self, start: int, stop: int) -> np.ndarray:
        size, parts = len(self._windows), []
        while start < stop:
            number, offset = divmod(start, size)
            if number != self._number:
                self._number, self._order = number, self._plan_pass(number)
            parts.append(self._order[offset : offset + stop - start])
            start += len(parts[-1])
        return np.concatenate(parts)

    def _plan_pass(self, number: int) -> np.ndarray:
        generator = np.random.default_rng((self._seed, _PASS, number))
        order = generator.permutation(len(self._windows))
        # Windows of one image and one round of copies become neighbours, in random order.
        rounds = self._copies // MAX_COPIES
        group = (self._windows.image * (rounds.max() + 1) + rounds)[order]
        by_group = np.argsort(group, kind="stable")
        order, group = order[by_group], group[by_group]
        place = np.arange(len(order)) - np.searchsorted(group, group)
        visit = np.cumsum((place % MAX_VISIT) == 0) - 1
        return order[np.argsort(generator.permutation(visit[-1] + 1)[visit], kind="stable")]


def _count_copies(windows: Windows) -> np.ndarray:
    """Numbers equal windows, which stand beside each other: 0 for the first of them."""
    rows = np.column_stack([windows.image, windows.box, windows.object_id])
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return np.arange(len(rows)) - np.flatnonzero(first)[np.cumsum(first) - 1]


def _visits(images: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Cuts rows into runs of one image; none reaches over the end of a block."""
    change = (images[1:] != images[:-1]) | (blocks[1:] != blocks[:-1])
    starts = np.concatenate([[0], np.flatnonzero(change) + 1])
    return np.stack([starts, np.append(starts[1:], len(images))], axis=1)
