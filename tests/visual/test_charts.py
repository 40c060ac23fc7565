"""Charts are well-formed XML, draw what they are given and escape it."""

import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from tfdeconv.visual.charts import bar_chart, line_chart
from tfdeconv.visual.svg import curve, ticks


def texts(chart):
    return [element.text for element in ElementTree.fromstring(chart).iter("text")]


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 1500, [0, 500, 1000, 1500]),
        (0.21, 0.69, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        (-3, 4, [-4, -2, 0, 2, 4]),
        (0, 0, [0, 0.2]),
        (5, 5, [5, 6]),
    ],
)
def test_ticks_are_round_and_enclose_the_range(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_line_chart_names_axes_and_lines():
    chart = line_chart(
        {"stage 1": [(0, 2.0), (100, 1.0)], "stage 2": [(0, 1.0), (100, 0.0)]}, "step", "loss"
    )
    assert {"step", "loss", "stage 1", "stage 2", "100", "0.5", "2"} <= set(texts(chart))
    root = ElementTree.fromstring(chart)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "loss over step: stage 1, stage 2"
    first, second = (path.get("d") for path in root.iter("path"))
    # From the top left to the middle right, and from there to the bottom right.
    assert first == "M42.0 28.0 L388.0 114.0"
    assert second == "M42.0 114.0 L388.0 200.0"


def test_names_at_one_height_do_not_overlap():
    chart = line_chart({name: [(0, 0), (1, 1)] for name in "abc"}, "x", "y")
    heights = sorted(
        float(element.get("y"))
        for element in ElementTree.fromstring(chart).iter("text")
        if element.text in "abc"
    )
    assert min(b - a for a, b in pairwise(heights)) >= 15


def test_given_limits_set_the_axis():
    chart = line_chart({"a": [(0, 0.4), (1, 0.5)]}, "step", "mean IoU", y_limits=(0, 1))
    assert {"0", "1"} <= set(texts(chart))


def test_a_gap_interrupts_a_line_and_a_lone_point_is_a_dot():
    assert curve([(0, 0), (1, 1), (2, math.nan), (3, 3)], "red").count("M") == 2
    assert "h0.01" in curve([(1, 1)], "red")


def test_a_chart_of_nothing_is_refused():
    with pytest.raises(ValueError, match="finite point"):
        line_chart({"a": [(0, math.nan)]}, "x", "y")
    with pytest.raises(ValueError, match="Received: 2 names"):
        bar_chart(["a", "b"], {"s": [0.5]}, "IoU")
    with pytest.raises(ValueError, match="Received: 1 names"):
        bar_chart(["a"], {}, "IoU")


def test_bars_are_as_long_as_their_values():
    chart = bar_chart(["leaf", "fish"], {"stage 1": [0.5, 1.0]}, "IoU")
    widths = [float(rect.get("width")) for rect in ElementTree.fromstring(chart).iter("rect")]
    assert widths == [11, 158, 316]
    assert {"leaf", "fish", "0.50", "1.00", "stage 1", "IoU"} <= set(texts(chart))


def test_a_class_that_was_never_seen_has_a_dash():
    assert "\N{EN DASH}" in texts(bar_chart(["leaf"], {"stage 1": [math.nan]}, "IoU"))


@pytest.mark.parametrize("hostile", ["<b>&\"'</b>", "</svg><script>"])
def test_text_is_escaped(hostile):
    for chart in (
        line_chart({hostile: [(0, 1), (1, 2)]}, hostile, hostile),
        bar_chart([hostile], {hostile: [0.5]}, hostile),
    ):
        assert hostile in texts(chart)
        assert hostile not in chart and "<script" not in chart and "http" not in chart
