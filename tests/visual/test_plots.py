"""Plots show what they are given, and become SVG elements that run and fetch nothing."""

import math
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from tfdeconv.visual import plots
from tfdeconv.visual.plots import as_document, as_svg, bar_plot, lesion_plot, line_plot

STAGES = {"stage 1": [(0, 2.0), (100, 1.0)], "stage 2": [(0, 1.0), (100, 0.0)]}


def texts(figure) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(as_svg(figure)).iter("text")]


def boxes(figure, kinds) -> list:
    """Where the texts stand on the page, in pixels."""
    figure.draw_without_rendering()
    found = figure.findobj(lambda artist: isinstance(artist, kinds) and artist.get_text())
    return [text.get_window_extent() for text in found if text.get_visible()]


def test_lines_axes_and_names() -> None:
    figure = line_plot(STAGES, "step", "loss")
    (axes,) = figure.axes
    for line, points in zip(axes.lines, STAGES.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), points)
    assert {"step", "loss", "stage 1", "stage 2", "100", "0.5", "2.0"} <= set(texts(figure))
    root = ElementTree.fromstring(as_svg(figure))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "loss over step: stage 1, stage 2"


def test_given_limits_set_the_axis() -> None:
    figure = line_plot({"a": [(0, 0.4), (1, 0.5)]}, "step", "mean IoU", y_limits=(0, 1))
    assert figure.axes[0].get_ylim() == (0, 1)


def test_a_gap_interrupts_a_line_and_a_lone_point_is_seen() -> None:
    points = [(0, 1), (1, math.inf), (2, math.nan), (3, 3)]
    (line,) = line_plot({"a": points}, "x", "y").axes[0].lines
    assert np.isnan(line.get_xydata()[1:3]).all()
    np.testing.assert_array_equal(line.get_xydata()[[0, 3]], [[0, 1], [3, 3]])
    assert line.get_marker() == "o"


def test_bars_are_as_long_as_their_values() -> None:
    figure = bar_plot(["leaf", "fish"], {"a": [0.5, 1.0], "b": [math.nan, 0.25]}, "IoU")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, 1.0, 0.0, 0.25]
    written = ["0.50", "1.00", "\N{EN DASH}", "0.25"]
    assert [text.get_text() for text in axes.texts] == written
    tops = [bar.get_y() for bar in axes.patches]
    assert tops[0] < tops[2] < tops[1] < tops[3] and axes.yaxis_inverted()
    assert {"leaf", "fish", "a", "b", "IoU", *written} <= set(texts(figure))


@pytest.mark.parametrize("count", [1, 2, 21])
@pytest.mark.parametrize("series", [1, 2])
def test_no_text_lies_on_another_or_leaves_the_plot(count: int, series: int) -> None:
    names = ["a class with a long name", *(f"class {index}" for index in range(1, count))]
    values = {f"stage {index}": np.linspace(1, 0, count) for index in range(series)}
    figure = bar_plot(names, values, "IoU")
    found = boxes(figure, matplotlib.text.Text)
    for index, one in enumerate(found):
        assert figure.bbox.x0 <= one.x0 and one.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 <= one.y0 + 1 and one.y1 <= figure.bbox.y1 + 1
        assert not [other for other in found[:index] if one.overlaps(other)]


def test_plots_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="finite point"):
        line_plot({"a": [(0, math.nan)]}, "x", "y")
    with pytest.raises(ValueError, match="finite point"):
        line_plot({}, "x", "y")
    with pytest.raises(ValueError, match="Received: 2 names"):
        bar_plot(["a", "b"], {"s": [0.5]}, "IoU")
    with pytest.raises(ValueError, match="Received: 1 names"):
        bar_plot(["a"], {}, "IoU")


@pytest.mark.parametrize("hostile", ["<b>&\"'</b>", "</svg><script>", "$x_1$", "$", "猫"])
def test_names_are_shown_as_they_are(hostile: str) -> None:
    for figure in (
        line_plot({hostile: [(0, 1), (1, 2)]}, hostile, hostile),
        bar_plot([hostile], {hostile: [0.5]}, hostile),
    ):
        assert hostile in texts(figure)
        page = as_svg(figure)
        assert "<script" not in page and "<b>" not in page and "http" not in page
        assert "<style" not in page and "xlink" not in page


def test_colours_follow_the_page_and_stand_in_a_file() -> None:
    figure = line_plot(STAGES, "step", "loss")
    assert f"var(--series-2, {plots.SERIES[1]})" in as_svg(figure)
    assert f"var(--ink, {plots.INK})" in as_svg(figure)
    document = as_document(figure)
    assert "var(" not in document
    assert ElementTree.fromstring(document).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_same_plot_is_the_same_text() -> None:
    first, second = (as_svg(line_plot(STAGES, "step", "loss")) for _ in range(2))
    assert first == second


def test_nothing_of_the_process_changes_and_pyplot_stays_out() -> None:
    before = dict(matplotlib.rcParams)
    as_svg(line_plot(STAGES, "step", "loss"))
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys; from tfdeconv.visual import plots, report; "
        "assert 'matplotlib' not in sys.modules; plots.bar_plot(['a'], {'b': [0.5]}, 'IoU'); "
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_plots_of_deleted_blocks() -> None:
    figure = lesion_plot("net <1>", 0.2, {"conv2_2": 0.5, "conv2_3": 0.25}, {2: [0.7, 0.9]})
    above, below = figure.axes
    assert "net <1>" in figure.get_label() and "net &lt;1&gt;" in as_document(figure)
    # From 0 blocks at 0.2 over one at 0.5, 0.375, 0.25 to two at 0.9, 0.8, 0.7.
    expected = {"highest": (0.2, 0.5, 0.9), "mean": (0.2, 0.375, 0.8), "lowest": (0.2, 0.25, 0.7)}
    for line, (name, errors) in zip(above.lines, expected.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_allclose(line.get_xydata(), list(enumerate(errors)))
    assert above.get_ylim() == (0, 1) and above.get_xlabel() == "blocks deleted, at random"
    assert [bar.get_width() for bar in below.patches] == [0.2, 0.5, 0.25]
    assert [label.get_text() for label in below.get_yticklabels()] == ["none", "conv2_2", "conv2_3"]


def test_parts_do_not_overlap() -> None:
    figure = lesion_plot("n", 0.1, {str(i): 0.1 for i in range(30)}, {})
    figure.draw_without_rendering()
    above, below = (axes.get_tightbbox() for axes in figure.axes)
    assert above.y0 >= below.y1 and figure.bbox.y0 <= below.y0 + 1
    title = figure.texts[0] if figure.texts else figure._suptitle
    assert title.get_window_extent().y0 >= above.y1 - 1


def test_no_deleted_block_is_refused() -> None:
    with pytest.raises(ValueError, match="`single` must hold a block"):
        lesion_plot("n", 0.1, {}, {})
