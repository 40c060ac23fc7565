"""What a benchmark finds: our time, a peer's or a floor's in the same run, and their ratio."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: what is measured.
        ours: our median.
        peer: the median of what it is compared with, in the same run and unit; None for a figure
            that stands for itself.
        peer_name: what it is compared with.
        unit: of both.
        goal: what the ratio ours / peer should be, such as "<= 0.75"; of `ours`, without a peer.
        note: a difference in the answers, or a choice, that the reader must know of.
    """

    name: str
    ours: float
    peer: float | None = None
    peer_name: str = ""
    unit: str = "s"
    goal: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return None if self.peer is None else self.ours / self.peer

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if not self.goal:
            return None
        relation, bound = self.goal.split()
        value = self.ours if self.ratio is None else self.ratio
        return value <= float(bound) if relation == "<=" else value >= float(bound)


def interleaved(
    functions: Mapping[str, Callable[[], Any]], rounds: int = 7, warm: int = 2, settle: int = 0
) -> dict[str, float]:
    """Returns the median time of every function in seconds.

    A shared machine changes its speed over seconds: in every round each function is timed once, so
    that a slow spell meets all of them.

    Args:
        functions: what is measured, by name.
        rounds: how often each is timed.
        warm: how often each is called before the first round.
        settle: how often a function is called in every round before it is timed. What takes
            milliseconds otherwise pays for the one before: PyTorch's threads go on waiting busily.
    """
    for _ in range(warm):
        for function in functions.values():
            function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            for _ in range(settle):
                function()
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}
