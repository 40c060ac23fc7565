"""The page of the walk-through: its sections, its weight, and that it is whole by itself."""

import re

import numpy as np
import pytest

from tests.visual.test_report import Balance
from tfdeconv.metrics import confusion_matrix, mean_iou
from tfdeconv.visual.pictures import resized
from tfdeconv.visual.report import data_uri
from tfdeconv.visual.walkthrough import (
    Proposed,
    Sample,
    Walk,
    errors,
    marked,
    scaled,
    walkthrough_page,
)

NAMES = ("ground", "<tree>", "sky")
MEGABYTE = 10**6


def walk(height=40, width=60, regions=51, truth=True, **fields) -> Walk:
    """A walk through noise, which no JPEG makes small."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (height, width)).astype(np.uint8)
    steps = [count for count in (1, 5, 10, 25) if count < regions] + [regions]
    boxes = np.sort(rng.integers(0, min(height, width), (regions, 2, 2)), axis=1).reshape(-1, 4)
    sample = Sample(boxes[0], rng.integers(0, 256, (64, 64, 3)), rng.normal(size=(64, 64, 3)))
    proposed = Proposed(
        rng.random((height, width)).astype(np.float32),
        boxes,
        boxes,
        [sample] * 5,
        {mode: dict.fromkeys(steps, labels) for mode in ("max", "mean")},
    )
    probabilities = rng.dirichlet((1, 1, 1), (height, width)).astype(np.float32)
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    found = Walk(
        "<b>.jpg", "net", image, labels[::-1] if truth else None, NAMES, None, proposed,
        probabilities, labels, np.roll(labels, 1), {"the CRF": 1.25},
    )  # fmt: skip
    return found._replace(**fields)


@pytest.fixture(scope="module")
def page() -> str:
    return walkthrough_page(walk()).html()


def test_the_page_has_every_step_in_order(page) -> None:
    headings = re.findall(r"<h2>(\d)\. ([^<]+)</h2>", page)
    assert [int(number) for number, _ in headings] == [1, 2, 3, 4, 5, 6, 7]
    assert [words.split()[0] for _, words in headings] == [
        "Photograph", "Proposals", "Single", "Aggregation", "Probabilities", "CRF", "Result",
    ]  # fmt: skip
    found = walk()
    iou = mean_iou(confusion_matrix(found.truth, found.labels, 3))
    for text in (
        *("51 regions", f"max, 25: IoU {iou:.2f}", f"mean, 51: IoU {iou:.2f}"),
        *("wrong after", "1.25 s"),
    ):
        assert text in page


def test_the_page_is_whole_by_itself(page) -> None:
    parser = Balance()
    parser.feed(page)
    assert parser.open == [] and "<b>.jpg" not in page and "<tree>" not in page
    assert "http" not in page and not re.search(r"<script|<link|@import|url\(|<iframe", page)
    sources = re.findall(r'src="([^"]{0,20})', page)
    assert len(sources) == 51 and all(source.startswith("data:image/") for source in sources)
    assert "prefers-color-scheme: dark" in page


def test_a_network_for_whole_images_has_the_steps_that_there_are() -> None:
    network_input = np.full((32, 48, 3), 99.6, np.float32)
    html = walkthrough_page(walk(truth=False, network_input=network_input, proposed=None)).html()
    headings = re.findall(r"<h2>\d\. ([^<]+)</h2>", html)
    assert [words.split()[-1] for words in headings] == [
        "Photograph", "input", "Probabilities", "CRF", "Result",
    ]  # fmt: skip
    assert "48 x 32 pixels" in html and "wrong" not in html and "IoU" not in html


@pytest.mark.parametrize("size", [(30, 900), (420, 560)])
def test_no_photograph_makes_a_heavy_page(size) -> None:
    assert len(walkthrough_page(walk(*size, regions=301)).html()) < 3 * MEGABYTE


def test_a_heavy_image_loses_quality_and_a_light_one_none() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    free, bounded = len(data_uri(noise)), len(data_uri(noise, 0.3))
    assert bounded < 4 / 3 * 0.3 * 200 * 300 + 30 < free
    flat = np.zeros((200, 300, 3), np.uint8)
    assert data_uri(flat, 0.3) == data_uri(flat) and data_uri(flat).startswith("data:image/png")


def test_pictures_have_one_area_and_small_ones_are_not_blown_up() -> None:
    assert scaled(np.zeros((3000, 4000, 3), np.uint8)).shape == (420, 560, 3)
    assert scaled(np.zeros((5, 6, 3), np.uint8)).shape == (20, 24, 3)
    assert scaled(np.zeros((10, 9000, 3), np.uint8)).shape == (1, 1200, 3)
    labels = scaled(np.array([[0, 7]], np.uint8))
    assert labels.dtype == np.uint8 and set(np.unique(labels)) == {0, 7}
    assert resized(labels, (3, 5)).shape == (3, 5)


def test_errors_are_red_where_they_count() -> None:
    photograph = np.full((1, 3, 3), 100, np.uint8)
    drawn = errors(photograph, np.array([[1, 1, 1]], "u1"), np.array([[1, 2, 255]], "u1"))
    assert drawn.tolist() == [[[40, 40, 40], [255, 94, 77], [255, 255, 255]]]
    assert marked(photograph, np.zeros((1, 3), bool)).tolist() == [[[40, 40, 40]] * 3]
