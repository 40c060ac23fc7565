"""The few SVG elements that the charts are made of, and round numbers for their axes.

The elements are for a page of HTML, which decides between light and dark by the CSS variables
`--ink`, `--faint`, `--series-1`, ...; their fallbacks are for light. Text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

# Differ in lightness as well as in hue.
SERIES = ("#0f6e84", "#d1495b", "#c98a1b", "#5b6abf", "#4f8a3c", "#8d5a97")


def document(parts: Sequence[str], width: int, height: float, label: str) -> str:
    """Wraps elements into an `<svg>` with a description for screen readers."""
    return (
        f'<svg viewBox="0 0 {width} {height:g}" role="img" '
        f'aria-label="{escape(label)}" font-family="system-ui, sans-serif" font-size="13">'
        f"{''.join(parts)}</svg>"
    )


def text(content: str, x: float, y: float, anchor: str = "start", colour: str = "") -> str:
    """A line of text; `anchor` is `start`, `middle` or `end`."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'style="fill:{colour or ink()}">{escape(content)}</text>'
    )


def rule(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """A straight hairline."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" style="stroke:{colour}"/>'
    )


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" rx="1.5" '
        f'style="fill:{colour}"/>'
    )


def curve(points: Sequence[tuple[float, float]], colour: str) -> str:
    """A line through points; one that is not finite interrupts it. A lone point becomes a dot."""
    commands, pen = [], "M"
    for x, y in points:
        if math.isfinite(x + y):
            commands.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    style = "fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round"
    if len(commands) == 1:
        commands.append("h0.01")
        style = style.replace("width:2", "width:6")
    return f'<path d="{" ".join(commands)}" style="{style};stroke:{colour}"/>'


def ink() -> str:
    """The colour of text."""
    return "var(--ink, #26282e)"


def faint() -> str:
    """The colour of grid lines."""
    return "var(--faint, #dcd8d0)"


def series_colour(index: int) -> str:
    """The colour of the series `index` from 0; they repeat after the sixth."""
    index %= len(SERIES)
    return f"var(--series-{index + 1}, {SERIES[index]})"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Returns about `count` round numbers, 1, 2 or 5 times a power of ten apart, around a range.

    Example:

    >>> ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor * count >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, max(last, first + 1) + 1)]
