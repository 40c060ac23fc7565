"""A network's error without some of its residual blocks.

Reference:
    Veit, Wilber, Belongie: Residual Networks Behave Like Ensembles of Relatively Shallow Networks,
    NIPS 2016, figures 3 (one block) and 5a (several).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfdeconv.visual import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ERROR = "error (1 - mean IoU)"
_LINES_HEIGHT = 3.2


def draw_lesions(
    title: str, intact: float, single: Mapping[str, float], several: Mapping[int, Sequence[float]]
) -> Figure:
    """Draws the error against the number of blocks deleted, and that without each single block.

    Args:
        title: One line, e.g. the network and the data.
        intact: Error of the whole network, in [0, 1] as all errors.
        single: Block -> error without it, in the order of the network; at least one.
        several: Number of blocks from 2 -> errors of the sets of so many.

    Returns:
        The figure, two plots one below the other.

    Raises:
        ValueError: when `single` is empty.

    Example:

    >>> len(draw_lesions("unet", 0.3, {"a": 0.4, "b": 0.3}, {2: [0.9]}).axes)
    2
    """
    if not single:
        raise ValueError(f"`single` must hold a block. Received: single={dict(single)}")
    errors = {0: [intact], 1: list(single.values()), **several}
    lines = {
        name: [(float(count), float(measure(found))) for count, found in errors.items()]
        for name, measure in (("highest", np.max), ("mean", np.mean), ("lowest", np.min))
    }
    bars = {"without one block": [intact, *single.values()]}
    heights = [_LINES_HEIGHT, plots.bars_height(1 + len(single), 1)]
    figure, (above, below) = plots.stacked(heights)
    plots.draw_lines(above, lines, "blocks deleted, at random", _ERROR, y_limits=(0, 1))
    above.locator_params(axis="x", integer=True)
    plots.draw_bars(below, ["none", *single], bars, _ERROR)
    figure.suptitle(title, x=0.02, ha="left", parse_math=False, color=plots.INK, fontsize=11)
    figure.set_label(f"{title}: {_ERROR}, over blocks deleted and without every single block")
    return figure
