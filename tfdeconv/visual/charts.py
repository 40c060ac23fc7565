"""Small charts as inline SVG: no script and no external file.

A chart names its lines and bars directly and describes itself to screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tfdeconv.visual import svg

Points = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT = 460, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 72, 28, 40
_BAR_LEFT, _BAR_FULL, _THICK = 100, 316, 13


def line_chart(
    series: Mapping[str, Points],
    x_label: str,
    y_label: str,
    y_limits: tuple[float, float] | None = None,
) -> str:
    """Draws lines with their names at their right ends.

    Args:
        series: Name -> points `(x, y)` in order of x. Points that are not finite interrupt a line.
        x_label: What x is, e.g. `"step"`.
        y_label: What y is, e.g. `"mean IoU"`.
        y_limits: Lowest and highest y of the axis; from the points when None.

    Returns:
        The `<svg>` element.

    Raises:
        ValueError: when there is no finite point.

    Example:

    >>> line_chart({"stage 1": [(0, 2.0), (100, 0.5)]}, "step", "loss")[:4]
    '<svg'
    """
    finite = {
        name: [(x, y) for x, y in points if math.isfinite(x + y)] for name, points in series.items()
    }
    every = [point for points in finite.values() for point in points]
    if not every:
        raise ValueError(f"`series` must hold a finite point. Received: series={dict(series)}")
    xs, ys = zip(*every, strict=True)
    x_ticks = svg.ticks(min(xs), max(xs))
    y_ticks = svg.ticks(*(y_limits or (min(ys), max(ys))))
    right = _WIDTH - _RIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (right - _LEFT),
            _HEIGHT - _BOTTOM - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * _plot_height(),
        )

    parts = [svg.text(y_label, 0, 13), svg.text(x_label, right, _HEIGHT - 4, "end")]
    for y in y_ticks:
        _, at = place(x_ticks[0], y)
        parts += [svg.rule(_LEFT, at, right, at, svg.faint())]
        parts += [svg.text(_number(y), _LEFT - 8, at + 4, "end")]
    for x in x_ticks:
        at, base = place(x, y_ticks[0])
        parts += [svg.text(_number(x), at, base + 17, "middle")]
    for index, points in enumerate(series.values()):
        parts.append(svg.curve([place(x, y) for x, y in points], svg.series_colour(index)))
    ends = {name: place(*points[-1]) for name, points in finite.items() if points}
    parts += _end_labels(ends, list(series))
    return svg.document(parts, _WIDTH, _HEIGHT, f"{y_label} over {x_label}: {', '.join(series)}")


def bar_chart(names: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> str:
    """Draws horizontal bars from 0 to 1, one a series under every name, with their values.

    Args:
        names: The classes, from top to bottom.
        series: Name -> one value in [0, 1] for every class; NaN (class not seen) gives a dash.
        label: What the values are, e.g. `"IoU"`.

    Returns:
        The `<svg>` element.

    Raises:
        ValueError: when there is no name or no series, or a series has another length.

    Example:

    >>> bar_chart(["leaf"], {"stage 1": [0.5]}, "IoU")[:4]
    '<svg'
    """
    lengths = {name: len(values) for name, values in series.items()}
    if not names or set(lengths.values()) != {len(names)}:
        raise ValueError(
            "`series` must hold a value for every name. "
            f"Received: {len(names)} names, values={lengths}"
        )
    pitch, top = len(series) * (_THICK + 2) + 10, 28
    parts = [svg.text(label, 0, 12)]
    for index, name in enumerate(series):
        x = _BAR_LEFT + 120 * index
        parts += [svg.bar(x, 2, 11, 11, svg.series_colour(index)), svg.text(name, x + 17, 12)]
    for row, name in enumerate(names):
        y = top + row * pitch
        middle = y + (pitch - 10) / 2 + 3
        parts.append(svg.text(name, _BAR_LEFT - 10, middle, "end"))
        for index, values in enumerate(series.values()):
            parts += _bar(values[row], y + index * (_THICK + 2), index)
    height = top + len(names) * pitch - 4
    return svg.document(parts, _WIDTH, height, f"{label} of every class: {', '.join(series)}")


def _bar(value: float, y: float, index: int) -> list[str]:
    length = _BAR_FULL * value if math.isfinite(value) else 0
    written = f"{value:.2f}" if math.isfinite(value) else "\N{EN DASH}"
    return [
        svg.bar(_BAR_LEFT, y, max(length, 1), _THICK, svg.series_colour(index)),
        svg.text(written, _BAR_LEFT + length + 6, y + _THICK - 2),
    ]


def _end_labels(ends: Mapping[str, tuple[float, float]], names: list[str]) -> list[str]:
    """The names of lines at their ends, moved down where they would overlap."""
    parts, lowest = [], 0.0
    for name, (x, y) in sorted(ends.items(), key=lambda end: end[1][1]):
        lowest = max(y + 4, lowest + 15)
        parts.append(svg.text(name, x + 8, lowest, colour=svg.series_colour(names.index(name))))
    return parts


def _plot_height() -> int:
    return _HEIGHT - _TOP - _BOTTOM


def _number(value: float) -> str:
    return f"{value:,.10g}"
