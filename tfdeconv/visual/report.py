"""One self-contained HTML page: text, figures, tables and plots, added from top to bottom.

Images become `data:` URIs and plots SVG elements, and the page holds its styles, so that the file
can be mailed. Every text is escaped.
"""

from __future__ import annotations

import base64
import math
import numbers
import os
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tfdeconv import files
from tfdeconv.images import encode_jpeg, encode_png
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.visual.pictures import class_colours
from tfdeconv.visual.plots import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float | None

_BEST, _LEAST, _STEP = 92, 8, 12
_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --ink: #26282e; --soft: #6a6c74; --faint: #e3dfd6;
  --accent: #0f6e84;
  --series-1: #0f6e84; --series-2: #d1495b; --series-3: #b67a10; --series-4: #5b6abf;
  --series-5: #4f8a3c; --series-6: #8d5a97;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --ink: #e8e5de; --soft: #9c9ea6; --faint: #34373e;
    --accent: #6cc5d9;
    --series-1: #6cc5d9; --series-2: #f0808c; --series-3: #e8b45a; --series-4: #9dabf5;
    --series-5: #93c97e; --series-6: #cf9fd8;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 4.5rem 1.5rem 5rem; }
h1, h2 {
  font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Charter, Georgia, serif;
  font-weight: 600; line-height: 1.15; letter-spacing: -0.01em; text-wrap: balance;
}
h1 { font-size: clamp(2rem, 5vw, 3rem); margin: 0 0 1.25rem; }
h2 { font-size: 1.6rem; margin: 4rem 0 0.75rem; }
p { max-width: 40rem; margin: 0 0 1rem; text-wrap: pretty; }
.lead { font-size: 1.25rem; line-height: 1.5; max-width: 44rem; }
.note { color: var(--soft); font-size: 0.875rem; }
.key {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: 1.25rem 1.5rem; margin: 2.5rem 0; padding: 1.25rem 0; border-block: 1px solid var(--faint);
}
.key dd {
  margin: 0; font-size: 1.9rem; line-height: 1.2; font-weight: 600; color: var(--accent);
  font-variant-numeric: tabular-nums; letter-spacing: -0.02em;
}
.key dt { color: var(--soft); font-size: 0.875rem; line-height: 1.35; }
.key div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--soft); font-size: 0.8125rem; line-height: 1.4; margin-top: 0.35rem; }
img { display: block; width: 100%; height: auto; border-radius: 3px; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem;
  margin: 1.5rem 0; align-items: start;
}
.panels { margin: 1.5rem 0; display: grid; gap: 0.6rem; }
.panels .row { display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; gap: 0.6rem; }
.panels figure { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.panels figcaption { margin: 0 0 0.3rem; }
.panels .row + .row figcaption { display: none; }
.panels img { max-height: 20.5rem; object-fit: contain; object-position: left top; }
.plots {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
  gap: 2.5rem; margin: 1.5rem 0;
}
svg { display: block; width: 100%; height: auto; max-width: 34rem; }
svg text { font-family: system-ui, sans-serif !important; }
.legend { display: flex; flex-wrap: wrap; gap: 0.35rem 1.1rem; padding: 0; margin: 1.25rem 0; }
.legend li { display: flex; align-items: center; gap: 0.45rem; list-style: none; }
.legend li { font-size: 0.875rem; line-height: 1.4; }
.legend i {
  width: 0.9rem; height: 0.9rem; border-radius: 3px; background: var(--colour);
  box-shadow: inset 0 0 0 1px rgb(128 128 128 / 0.35);
}
.table { overflow-x: auto; margin: 1.5rem 0; }
.with-plot { display: grid; grid-template-columns: auto minmax(20rem, 1fr); gap: 3rem; }
.with-plot { align-items: start; margin: 1.5rem 0; }
.with-plot .table { margin: 0; }
table {
  border-collapse: collapse; font-size: 0.9375rem; line-height: 1.35; min-width: min(26rem, 100%);
}
th, td { padding: 0.4rem 1.5rem 0.4rem 0; text-align: left; border-bottom: 1px solid var(--faint); }
td { font-variant-numeric: tabular-nums; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
thead th { border-bottom-color: var(--soft); vertical-align: bottom; }
.number { text-align: right; padding-right: 0.25rem; padding-left: 1.25rem; }
tfoot th, tfoot td { font-weight: 600; border-top: 1px solid var(--soft); border-bottom: 0; }
@media (max-width: 52rem) {
  .with-plot { grid-template-columns: 1fr; gap: 2rem; }
}
@media (max-width: 36rem) {
  main { padding: 2.5rem 1.1rem 3rem; }
  body { font-size: 1rem; }
  .lead { font-size: 1.125rem; }
  h2 { margin-top: 3rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  .panels { gap: 1.5rem; }
  .panels .row { grid-auto-flow: row; grid-template-columns: 1fr 1fr; }
  .panels .row + .row figcaption { display: block; }
  .panels figure:only-child { grid-column: 1 / -1; }
  th, td { padding-right: 0.75rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --faint: #ccc; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2 { margin-top: 1.5rem; break-after: avoid; }
  .row, figure, tr, .key, svg { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
""".strip()


class Report:
    """A page under construction.

    Args:
        title: The page's heading.
        lead: What was done, in a sentence or two.
        bytes_per_pixel: The largest size of an image in the page (`data_uri`).

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
        self._parts += [f"<p>{escape(text)}</p>" for text in paragraphs]

    def add_note(self, text: str) -> None:
        """Adds small print, e.g. the machine and the versions."""
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
            titles: The title of each column.
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
        plot: Figure | None = None,
    ) -> None:
        """Adds a table; its first column names the rows.

        Args:
            header: The columns' names.
            rows: Cells. Fractions have three digits, None and NaN are a dash; columns of numbers
                alone are aligned to the right.
            total: A last row set apart, such as the mean.
            plot: A figure of `plots.py` to the right of the table.

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
        parts = [f"<thead>{_row(header, numeric, 'col')}</thead>"]
        parts.append(f"<tbody>{''.join(_row(row, numeric) for row in rows)}</tbody>")
        if total is not None:
            parts.append(f"<tfoot>{_row(total, numeric)}</tfoot>")
        table = f'<div class="table"><table>{"".join(parts)}</table></div>'
        if plot is not None:
            table = f'<div class="with-plot">{table}<figure>{as_svg(plot)}</figure></div>'
        self._parts.append(table)

    def html(self) -> str:
        """Returns the page."""
        body = "\n".join(self._parts)
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self._title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
            f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the page to `path`, or nothing if it fails."""
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


def data_uri(image: np.ndarray, bytes_per_pixel: float | None = None) -> str:
    """Encodes an image for a page.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        bytes_per_pixel: The largest size; the quality of a JPEG is lowered for it, down to 8. None
            for the best quality.

    Returns:
        A `data:` URI, of a PNG where that is smaller than the JPEG, as for label maps.

    Example:

    >>> data_uri(np.zeros((2, 2, 3), np.uint8))[:22]
    'data:image/png;base64,'
    """
    png, jpeg, quality = encode_png(image), encode_jpeg(image, _BEST), _BEST
    if bytes_per_pixel is not None:
        most = bytes_per_pixel * image.shape[0] * image.shape[1]
        while min(len(png), len(jpeg)) > most and quality > _LEAST:
            quality -= _STEP
            jpeg = encode_jpeg(image, quality)
    kind, data = ("png", png) if len(png) <= len(jpeg) else ("jpeg", jpeg)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
