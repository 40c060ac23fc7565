"""The chart of deleted blocks: one file that stands for itself, with every number on its place."""

from xml.etree import ElementTree

import pytest

from tfdeconv.visual.lesion import draw_lesions

SVG = "{http://www.w3.org/2000/svg}"


def test_one_document_with_both_charts() -> None:
    chart = draw_lesions("net <1>", 0.2, {"conv2_2": 0.5, "conv2_3": 0.25}, {2: [0.7, 0.9]})
    root = ElementTree.fromstring(chart)
    assert root.tag == f"{SVG}svg" and "net <1>" in root.get("aria-label")
    assert len(list(root.iter(f"{SVG}svg"))) == 3
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {"net <1>", "none", "conv2_2", "conv2_3", "0.20", "0.50", "0.25"} <= texts
    assert {"lowest", "mean", "highest", "blocks deleted, at random", "without one block"} <= texts
    paths = [element.get("d") for element in root.iter(f"{SVG}path")]
    # From 0 blocks at 0.2 over one at 0.5, 0.375, 0.25 to two at 0.9, 0.8, 0.7: 172 pixels high.
    heights = [[float(point.split()[1]) for point in path[1:].split(" L")] for path in paths]
    expected = [(0.2, 0.5, 0.9), (0.2, 0.375, 0.8), (0.2, 0.25, 0.7)]
    for found, errors in zip(heights, expected, strict=True):
        assert found == pytest.approx([200 - 172 * error for error in errors], abs=0.06)


def test_parts_do_not_overlap() -> None:
    root = ElementTree.fromstring(draw_lesions("n", 0.1, {str(i): 0.1 for i in range(30)}, {}))
    first, second = (one for one in root.iter(f"{SVG}svg") if one is not root)
    assert float(second.get("y")) >= float(first.get("y")) + float(first.get("height"))
    height = float(root.get("viewBox").split()[3])
    assert height >= float(second.get("y")) + float(second.get("height"))


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="`single` must hold a block"):
        draw_lesions("n", 0.1, {}, {})
