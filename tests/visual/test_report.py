"""The report: one self-contained page that shows what it was given and runs nothing."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from tfdeconv.images import decode_image
from tfdeconv.visual.plots import line_plot
from tfdeconv.visual.report import Report

HOSTILE = "<script>alert('&')</script>"
VOID_TAGS = {"meta", "img"}


class Balance(HTMLParser):
    """Checks that every tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.words = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def page():
    rng = np.random.default_rng(0)
    photograph = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
    flat = np.zeros((24, 32, 3), np.uint8)
    report = Report(HOSTILE, "A lead & more.")
    report.add_key_figures([("0.71", HOSTILE)])
    report.add_section(HOSTILE, "First.", HOSTILE)
    report.add_legend(["background", HOSTILE])
    report.add_figures([(HOSTILE, photograph), ("flat", flat)])
    report.add_panels(["image", HOSTILE], [[photograph, flat], [flat, flat]])
    plot = line_plot({"a": [(0, 1), (1, 2)]}, "x", "y")
    report.add_plots(plot, plot)
    report.add_table(["class", HOSTILE], [[HOSTILE, 0.5]], ["mean", 0.5], plot)
    report.add_note(HOSTILE)
    return report.html()


def test_every_tag_is_closed_and_every_text_escaped(page):
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert "<script" not in page
    assert sum(HOSTILE in word for word in parser.words) >= 11


def test_nothing_is_fetched_from_anywhere(page):
    assert "http" not in page and "//" not in re.sub(r"base64,[^\"]+", "", page)
    sources = re.findall(r'src="([^"]+)"', page)
    assert len(sources) == 6 and all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"<link|@import|url\(|<iframe|\son\w+=", page)


def test_images_come_back_from_the_page(page):
    kinds = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', page)
    assert [kind for kind, _ in kinds] == ["jpeg", "png", "jpeg", "png", "png", "png"]
    flat = decode_image(base64.b64decode(kinds[1][1]))
    assert flat.shape == (24, 32, 3) and not flat.any()
    assert page.count('width="32" height="24"') == 6


def test_page_serves_small_screens_dark_mode_paper_and_screen_readers(page):
    for needed in (
        '<html lang="en">',
        'name="viewport"',
        "prefers-color-scheme: dark",
        "max-width: 36rem",
        "@media print",
        'alt="flat"',
        'scope="row"',
        'role="img"',
    ):
        assert needed in page


def test_cells_are_written_by_kind():
    report = Report("t")
    row = ["leaf", 0.12345, np.float32(0.5), 7, None, float("nan")]
    report.add_table(["class", "a", "b", "c", "d", "e"], [row])
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", report.html())
    assert cells == ["0.123", "0.500", "7", "\N{EN DASH}", "\N{EN DASH}"]


def test_columns_of_numbers_stand_right():
    report = Report("t")
    report.add_table(["step", "time", "n"], [["draw", "18 s", 3]], total=["all", "18 s", 3])
    page = report.html()
    assert '<td class="number">3</td>' in page and "<td>18 s</td>" in page
    assert '<th scope="col" class="number">n</th>' in page and "<tfoot>" in page


def test_rows_of_another_length_are_refused():
    report = Report("t")
    with pytest.raises(ValueError, match=r"2 cells.*Received: \[2, 1\]"):
        report.add_table(["a", "b"], [["x", 1], ["y"]])
    with pytest.raises(ValueError, match="Received: 1 images"):
        report.add_panels(["a", "b"], [[np.zeros((2, 2, 3), np.uint8)]])


def test_write_replaces_the_file_whole(tmp_path):
    report = Report("One")
    report.write(tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_text("utf-8") == report.html()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["report.html"]
