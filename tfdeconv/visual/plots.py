"""Plots with matplotlib, as figures and as the SVG elements of a page.

In a page of HTML colours are CSS variables, `--ink`, `--faint`, `--series-1`, ..., for light and
dark pages. Matplotlib is imported when it is first needed, without `pyplot`, and no setting of the
process stays changed.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = Sequence[tuple[float, float]]

INK, FAINT = "#26282e", "#dcd8d0"
# Differ in lightness as well as in hue.
SERIES = ("#0f6e84", "#d1495b", "#c98a1b", "#5b6abf", "#4f8a3c", "#8d5a97")
_WIDTH, _HEIGHT = 5.6, 3.0
# Lines of few points show each of them.
_FEW_POINTS = 30
_BAR, _GROUP = 0.2, 0.12
_ERROR = "error (1 - mean IoU)"
_STYLE: dict[str, Any] = {
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": FAINT,
    "legend.frameon": False,
    "svg.fonttype": "none",
    # With it the same plot is the same file.
    "svg.hashsalt": "tfdeconv",
    "text.color": INK,
    # Names may hold dollar signs.
    "text.parse_math": False,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


def line_plot(
    series: Mapping[str, Points],
    x_label: str,
    y_label: str,
    y_limits: tuple[float, float] | None = None,
) -> Figure:
    """Draws lines.

    Args:
        series: Name -> points `(x, y)` in order of x. Points that are not finite interrupt a line.
        x_label: What x is, e.g. `"step"`.
        y_label: What y is, e.g. `"mean IoU"`.
        y_limits: Lowest and highest y of the axis; from the points when None.

    Returns:
        The figure; its label describes it to screen readers.

    Raises:
        ValueError: when there is no finite point.

    Example:

    >>> line_plot({"stage 1": [(0, 2.0), (100, 0.5)]}, "step", "loss").get_label()
    'loss over step: stage 1'
    """
    with _style():
        figure, (axes,) = _figure([_HEIGHT])
        _draw_lines(axes, series, x_label, y_label, y_limits)
        figure.set_label(f"{y_label} over {x_label}: {', '.join(series)}")
    return figure


def bar_plot(names: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> Figure:
    """Draws horizontal bars from 0 to 1, one a series for every name, with their values.

    Args:
        names: The classes, from top to bottom.
        series: Name -> one value in [0, 1] for every class; NaN (class not seen) gives a dash.
        label: What the values are, e.g. `"IoU"`.

    Returns:
        The figure; its label describes it to screen readers.

    Raises:
        ValueError: when there is no name or no series, or a series has another length.

    Example:

    >>> bar_plot(["leaf"], {"stage 1": [0.5]}, "IoU").get_label()
    'IoU of every class: stage 1'
    """
    with _style():
        figure, (axes,) = _figure([_bars_height(len(names), len(series))])
        _draw_bars(axes, names, series, label)
        figure.set_label(f"{label} of every class: {', '.join(series)}")
    return figure


def lesion_plot(
    title: str, intact: float, single: Mapping[str, float], sets: Mapping[int, Sequence[float]]
) -> Figure:
    """Draws a network's error against the number of deleted blocks, and without each single block.

    Args:
        title: One line, e.g. the network and the data.
        intact: Error of the full network, in [0, 1] as all errors.
        single: Block -> error without it, in the order of the network; at least one.
        sets: Number of blocks from 2 -> errors of the sets of so many.

    Returns:
        The figure, two plots one below the other.

    Raises:
        ValueError: when `single` is empty.

    Example:

    >>> len(lesion_plot("unet", 0.3, {"a": 0.4, "b": 0.3}, {2: [0.9]}).axes)
    2

    Reference:
        Veit, Wilber, Belongie: Residual Networks Behave Like Ensembles of Relatively Shallow
        Networks, NIPS 2016, figures 3 (one block) and 5a (sets of blocks).
    """
    if not single:
        raise ValueError(f"`single` must hold a block. Received: single={dict(single)}")
    errors = {0: [intact], 1: list(single.values()), **sets}
    lines = {
        name: [(float(count), float(measure(found))) for count, found in errors.items()]
        for name, measure in (("highest", np.max), ("mean", np.mean), ("lowest", np.min))
    }
    bars = {"without one block": [intact, *single.values()]}
    with _style():
        figure, (above, below) = _figure([_HEIGHT, _bars_height(1 + len(single), 1)])
        _draw_lines(above, lines, "blocks deleted, at random", _ERROR, y_limits=(0, 1))
        above.locator_params(axis="x", integer=True)
        _draw_bars(below, ["none", *single], bars, _ERROR)
        figure.suptitle(title, x=0.02, ha="left", parse_math=False, color=INK, fontsize=11)
        figure.set_label(f"{title}: {_ERROR}, over blocks deleted and without every single block")
    return figure


def as_svg(figure: Figure) -> str:
    """Writes a figure as an SVG element for a page of HTML.

    Args:
        figure: Of this module.

    Returns:
        The `<svg>` element, without scripts and external files, with its label for screen readers.

    Example:

    >>> as_svg(bar_plot(["leaf"], {"stage 1": [0.5]}, "IoU"))[:34]
    '<svg role="img" aria-label="IoU of'
    """
    element = re.sub(r' xmlns(:xlink)?="[^"]*"|(?<=<g) id="[^"]*"', "", _svg(figure))
    element = element.replace("xlink:href", "href")
    # It would apply to the full page.
    element = re.sub(r"<style.*?</style>", "", element, flags=re.DOTALL)
    variables = {INK: "ink", FAINT: "faint"}
    variables |= {colour: f"series-{index + 1}" for index, colour in enumerate(SERIES)}
    for colour, name in variables.items():
        element = element.replace(colour, f"var(--{name}, {colour})")
    return element


def as_document(figure: Figure) -> str:
    """Returns a figure as a complete SVG document, on white."""
    figure.set_facecolor("#ffffff")
    return _svg(figure)


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    for artist in figure.findobj():
        # Nothing leaves its axes, and a page refers to nothing by `url()`.
        artist.set_clip_on(False)
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with _style(), warnings.catch_warnings():
        # The font of the browser may have the letters that matplotlib's own has not.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(file, format="svg", metadata=metadata)
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :].rstrip()
    label = escape(str(figure.get_label()))
    return drawn.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _draw_lines(
    axes: Axes,
    series: Mapping[str, Points],
    x_label: str,
    y_label: str,
    y_limits: tuple[float, float] | None = None,
) -> None:
    points = {name: np.array(found, float).reshape(-1, 2) for name, found in series.items()}
    if not any(np.isfinite(found).all(axis=1).any() for found in points.values()):
        raise ValueError(f"`series` must hold a finite point. Received: series={dict(series)}")
    for index, (name, found) in enumerate(points.items()):
        found[~np.isfinite(found).all(axis=1)] = np.nan
        marker = "o" if len(found) <= _FEW_POINTS else ""
        colour = SERIES[index % len(SERIES)]
        axes.plot(*found.T, color=colour, label=name, marker=marker, markersize=3.5, lw=1.8)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(axis="x", visible=False)
    axes.tick_params(length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    if y_limits is not None:
        axes.set_ylim(*y_limits)
    _name_series(axes, len(series))


def _draw_bars(
    axes: Axes, names: Sequence[str], series: Mapping[str, Sequence[float]], label: str
) -> None:
    lengths = {name: len(values) for name, values in series.items()}
    if not names or set(lengths.values()) != {len(names)}:
        raise ValueError(
            "`series` must hold a value for every name. "
            f"Received: {len(names)} names, values={lengths}"
        )
    pitch = len(series) * _BAR + _GROUP
    for index, (name, values) in enumerate(series.items()):
        places = pitch * np.arange(len(names)) + index * _BAR
        lengths_ = np.nan_to_num(np.array(values, float))
        colour = SERIES[index % len(SERIES)]
        axes.barh(places, lengths_, 0.85 * _BAR, color=colour, label=name)
        for place, length, value in zip(places, lengths_, values, strict=True):
            written = f"{value:.2f}" if math.isfinite(value) else "\N{EN DASH}"
            axes.text(length + 0.015, place, written, va="center", fontsize=8.5)
    middle = (len(series) - 1) * _BAR / 2
    axes.set_yticks(pitch * np.arange(len(names)) + middle, names)
    axes.set_ylim(pitch * len(names) - _BAR / 2 - _GROUP / 2, -_BAR / 2 - _GROUP)
    # Room for the number at the end of the longest bar.
    axes.set_xlim(0, 1.12)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    _name_series(axes, len(series))


def _bars_height(names: int, series: int) -> float:
    """Returns the height of bars in inches, with their labels."""
    return names * (series * _BAR + _GROUP) + 0.95


@contextlib.contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def _figure(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained", facecolor="none")
    axes = figure.subplots(len(heights), squeeze=False, height_ratios=list(heights))[:, 0]
    for each in axes:
        each.set_facecolor("none")
    return figure, list(axes)


def _name_series(axes: Axes, count: int) -> None:
    # Above the plot, where no line can cross the names.
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=count, borderaxespad=0.2)
