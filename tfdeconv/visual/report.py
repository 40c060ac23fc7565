"""One self-contained HTML page: text, figures, tables and plots, added from top to bottom.

Images become `data:` URIs, plots SVG elements, and styles stand in the page, so that the file can
be mailed. Every text is escaped.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tfdeconv import files
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.visual.inline import data_uri
from tfdeconv.visual.overlay import class_colours
from tfdeconv.visual.plots import as_svg
from tfdeconv.visual.stylesheet import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float | None


class Report:
    """A page under construction.

    Args:
        title: The page's heading.
        lead: What was done, in a sentence or two.
        bytes_per_pixel: The most that an image may weigh (`tfdeconv.visual.inline`).

    Example:

    >>> report = Report("Two stages", "A small network learned eight classes.")
    >>> report.add_key_figures([("0.71", "mean IoU after stage 2")])
    >>> report.add_table(["class", "IoU"], [["leaf", 0.8], ["fish", 0.7]], total=["mean", 0.75])
    >>> report.html().count("<tr>")
    4
    """

    def __init__(self, title: str, lead: str = "", bytes_per_pixel: float | None = None) -> None:
        self._title, self._bytes_per_pixel = title, bytes_per_pixel
        self._parts = [f"<h1>{escape(title)}</h1>"]
        if lead:
            self._parts.append(f'<p class="lead">{escape(lead)}</p>')

    def add_section(self, heading: str, *paragraphs: str) -> None:
        """Begins a section with a heading and any number of paragraphs."""
        self._parts.append(f"<h2>{escape(heading)}</h2>")
        self.add_text(*paragraphs)

    def add_text(self, *paragraphs: str) -> None:
        """Adds paragraphs."""
        self._parts += [f"<p>{escape(text)}</p>" for text in paragraphs]

    def add_note(self, text: str) -> None:
        """Adds small print, such as the machine and the versions."""
        self._parts.append(f'<p class="note">{escape(text)}</p>')

    def add_key_figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """Adds a strip of `(value, what it is)`."""
        items = [
            f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
            for value, label in figures
        ]
        self._parts.append(f'<dl class="key">{"".join(items)}</dl>')

    def add_figures(self, figures: Sequence[tuple[str, np.ndarray]]) -> None:
        """Adds `(caption, image)`, side by side as far as the page is wide.

        Images are `(height, width, 3)` uint8 RGB.
        """
        body = "".join(self._figure(caption, image) for caption, image in figures)
        self._parts.append(f'<div class="figures">{body}</div>')

    def add_panels(self, titles: Sequence[str], rows: Sequence[Sequence[np.ndarray]]) -> None:
        """Adds rows of images that belong together, e.g. photograph, truth and predictions.

        Args:
            titles: What stands in each column.
            rows: Rows of `(height, width, 3)` uint8 RGB images, one for every title.

        Raises:
            ValueError: when a row has another number of images than there are titles.
        """
        lines = []
        for row in rows:
            if len(row) != len(titles):
                raise ValueError(
                    f"A row of panels must have {len(titles)} images, one for every title. "
                    f"Received: {len(row)} images"
                )
            pairs = zip(titles, row, strict=True)
            body = "".join(self._figure(title, image) for title, image in pairs)
            lines.append(f'<div class="row">{body}</div>')
        self._parts.append(f'<div class="panels">{"".join(lines)}</div>')

    def add_legend(self, class_names: Sequence[str], ids: Sequence[int] | None = None) -> None:
        """Adds the colours of `ids` (all classes and the ignored label when None) with names."""
        ids = [*range(len(class_names)), IGNORE_LABEL] if ids is None else ids
        colours = class_colours()
        items = [
            f'<li><i style="--colour:rgb{tuple(colours[label].tolist())}"></i>'
            f"{escape('ignored' if label == IGNORE_LABEL else class_names[label])}</li>"
            for label in ids
        ]
        self._parts.append(f'<ul class="legend">{"".join(items)}</ul>')

    def add_plots(self, *plots: Figure) -> None:
        """Adds figures of `plots.py`, side by side where the page is wide enough."""
        body = "".join(f"<figure>{as_svg(plot)}</figure>" for plot in plots)
        self._parts.append(f'<div class="plots">{body}</div>')

    def add_table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        total: Sequence[Cell] | None = None,
        caption: str = "",
        plot: Figure | None = None,
    ) -> None:
        """Adds a table; its first column names the rows.

        Args:
            header: The columns' names.
            rows: Cells. Fractions are shown with three digits, None and NaN as a dash; columns
                that hold only numbers stand to the right.
            total: A last row set apart, such as the mean.
            caption: A line above the table.
            plot: A figure of `plots.py` to stand beside it.

        Raises:
            ValueError: when a row has another number of cells than the header.
        """
        body = [*rows, *([total] if total is not None else [])]
        if any(len(row) != len(header) for row in body):
            raise ValueError(
                f"A row must have {len(header)} cells, as the header. "
                f"Received: {[len(row) for row in body]}"
            )
        numeric = [all(not isinstance(row[k], str) for row in body) for k in range(len(header))]
        parts = [f"<caption>{escape(caption)}</caption>"] if caption else []
        parts.append(f"<thead>{_row(header, numeric, 'col')}</thead>")
        parts.append(f"<tbody>{''.join(_row(row, numeric) for row in rows)}</tbody>")
        if total is not None:
            parts.append(f"<tfoot>{_row(total, numeric)}</tfoot>")
        table = f'<div class="table"><table>{"".join(parts)}</table></div>'
        if plot is not None:
            table = f'<div class="beside">{table}<figure>{as_svg(plot)}</figure></div>'
        self._parts.append(table)

    def html(self) -> str:
        """Returns the page."""
        body = "\n".join(self._parts)
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self._title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n"
            f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the page to `path`, whole or not at all."""
        files.write_text(path, self.html())

    def _figure(self, caption: str, image: np.ndarray) -> str:
        height, width = image.shape[:2]
        return (
            f'<figure><img src="{data_uri(image, self._bytes_per_pixel)}" alt="{escape(caption)}" '
            f'width="{width}" height="{height}"><figcaption>{escape(caption)}</figcaption></figure>'
        )


def _row(cells: Sequence[Cell], numeric: Sequence[bool], scope: str = "") -> str:
    parts = []
    for column, (cell, right) in enumerate(zip(cells, numeric, strict=True)):
        name = "th" if scope or column == 0 else "td"
        place = f' scope="{scope or "row"}"' if name == "th" else ""
        style = ' class="number"' if right else ""
        parts.append(f"<{name}{place}{style}>{escape(_show(cell))}</{name}>")
    return f"<tr>{''.join(parts)}</tr>"


def _show(cell: Cell) -> str:
    real = isinstance(cell, numbers.Real) and not isinstance(cell, numbers.Integral)
    if cell is None or (real and math.isnan(float(cell))):
        return "\N{EN DASH}"
    return f"{cell:.3f}" if real else str(cell)
