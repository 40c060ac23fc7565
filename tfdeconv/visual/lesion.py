"""A network's error without some of its residual blocks, as one SVG file.

Reference:
    Veit, Wilber, Belongie: Residual Networks Behave Like Ensembles of Relatively Shallow Networks,
    NIPS 2016, figures 3 (one block) and 5a (several).
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from tfdeconv.visual import svg
from tfdeconv.visual.charts import bar_chart, line_chart

_WIDTH, _MARGIN, _HEAD = 460, 20, 34
_ERROR = "error: 1 - mean IoU"


def draw_lesions(
    title: str, intact: float, single: Mapping[str, float], several: Mapping[int, Sequence[float]]
) -> str:
    """Draws the error against the number of blocks deleted, and that without each single block.

    Args:
        title: One line, e.g. the network and the data.
        intact: Error of the whole network, in [0, 1] as all errors.
        single: Block -> error without it, in the order of the network; at least one.
        several: Number of blocks from 2 -> errors of the sets of so many.

    Returns:
        An SVG document that stands for itself: white paper, no script, no external file.

    Raises:
        ValueError: when `single` is empty.

    Example:

    >>> draw_lesions("unet", 0.3, {"a": 0.4, "b": 0.3}, {2: [0.9]})[:4]
    '<svg'
    """
    if not single:
        raise ValueError(f"`single` must hold a block. Received: single={dict(single)}")
    errors = {0: [intact], 1: list(single.values()), **several}
    lines = {
        name: [(float(count), float(measure(found))) for count, found in errors.items()]
        for name, measure in (("highest", np.max), ("mean", np.mean), ("lowest", np.min))
    }
    charts = [
        line_chart(lines, "blocks deleted, at random", _ERROR, y_limits=(0, 1)),
        bar_chart(["none", *single], {"without one block": [intact, *single.values()]}, "error"),
    ]
    parts, top = [svg.bar(0, 0, _WIDTH + 2 * _MARGIN, 10_000, "#ffffff")], float(_HEAD)
    parts.append(svg.text(title, _MARGIN, 22))
    for chart in charts:
        placed, height = _placed(chart, top)
        parts.append(placed)
        top += height + _MARGIN
    described = f"{title}: {_ERROR}, over blocks deleted and without every single block"
    document = svg.document(parts, _WIDTH + 2 * _MARGIN, top, described)
    # A file of its own must say what it is; inside a page of HTML that is known.
    return document.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def _placed(chart: str, top: float) -> tuple[str, float]:
    """Puts a chart into another one; what it tells screen readers is told by the whole."""
    height = float(re.search(r'viewBox="0 0 \d+ ([\d.]+)"', chart)[1])  # type: ignore[index]
    chart = re.sub(r' role="img" aria-label="[^"]*"', "", chart, count=1)
    place = f'<svg x="{_MARGIN}" y="{top:g}" width="{_WIDTH}" height="{height:g}" '
    return chart.replace("<svg ", place, 1), height
