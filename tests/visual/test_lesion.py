"""The plot of deleted blocks: every number on its place."""

import numpy as np
import pytest

from tfdeconv.visual.lesion import draw_lesions
from tfdeconv.visual.plots import as_document


def test_both_plots() -> None:
    figure = draw_lesions("net <1>", 0.2, {"conv2_2": 0.5, "conv2_3": 0.25}, {2: [0.7, 0.9]})
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
    figure = draw_lesions("n", 0.1, {str(i): 0.1 for i in range(30)}, {})
    figure.draw_without_rendering()
    above, below = (axes.get_tightbbox() for axes in figure.axes)
    assert above.y0 >= below.y1 and figure.bbox.y0 <= below.y0 + 1
    title = figure.texts[0] if figure.texts else figure._suptitle
    assert title.get_window_extent().y0 >= above.y1 - 1


def test_a_plot_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="`single` must hold a block"):
        draw_lesions("n", 0.1, {}, {})
