"""Sheets of regions: their order, their boxes, heatmaps and the legend."""

import numpy as np
import pytest

from tfdeconv.visual.regions import (
    Heatmap,
    Row,
    by_size,
    draw_aggregation,
    draw_heatmaps,
    heat_over,
    panel_counts,
)

NAMES = ("ground", "tree", "sky")
NEW = (255, 221, 51)


def test_regions_go_from_large_to_small_and_equal_ones_keep_their_order():
    regions = np.array([[0, 0, 2, 2], [1, 1, 9, 9], [5, 5, 7, 7], [0, 0, 3, 3]])
    assert by_size(regions).tolist() == [regions[k].tolist() for k in (1, 3, 0, 2)]


@pytest.mark.parametrize(
    ("available", "counts"),
    [
        (1, [1]),
        (2, [1, 2]),
        (5, [1, 5]),
        (11, [1, 5, 11]),
        (12, [1, 5, 10, 12]),
        (51, [1, 5, 10, 20, 51]),
        (300, [1, 5, 10, 20, 50, 300]),
    ],
)
def test_panels_are_few_and_the_last_shows_all(available, counts):
    assert panel_counts(available) == counts


def sheet_of(labels, names=NAMES):
    # An image of 300x150 pixels is drawn as it is.
    image = np.full((300, 150, 3), 200, np.uint8)
    regions = np.array([[-30, -105, 330, 255], [10, 20, 60, 70], [100, 50, 140, 90]])
    return draw_aggregation(image, regions, labels, names)


def test_new_boxes_are_yellow_and_old_ones_are_not():
    blank = np.zeros((300, 150), np.uint8)
    sheet = sheet_of({1: blank, 3: blank})
    first, second = sheet[50:350, 8:158], sheet[50:350, 166:316]
    yellow = (first == NEW).all(-1)
    # The whole image's region leaves the image: it becomes a frame.
    assert yellow.sum() == 2 * 300 + 2 * 150 - 4 and yellow[0].all() and yellow[:, -1].all()
    yellow = (second == NEW).all(-1)
    assert yellow.sum() == 2 * 50 + 2 * 50 - 4 + 2 * 40 + 2 * 40 - 4
    assert yellow[10, 20] and yellow[59, 69] and yellow[100, 50] and not yellow[0, 0]


def test_labels_are_below_and_named_beside():
    labels = np.zeros((300, 150), np.uint8)
    labels[100:200, 50:100] = 2
    sheet = sheet_of({1: labels})
    shown = sheet[358:658, 8:158]
    assert (shown[:100] == 200).all() and (shown[101:199, 51:99] != 200).any(-1).all()
    plain = sheet_of({1: labels}, names=None)
    assert sheet.shape[0] == plain.shape[0] and sheet.shape[1] > plain.shape[1]
    assert (sheet[:, : plain.shape[1]] == plain).all()


def test_background_alone_needs_no_legend():
    blank = np.zeros((300, 150), np.uint8)
    assert sheet_of({1: blank}).shape == sheet_of({1: blank}, names=None).shape


@pytest.mark.parametrize("size", [(1, 1), (7, 900), (40, 3)])
def test_images_of_any_size_are_fitted(size):
    image, labels = np.zeros((*size, 3), np.uint8), np.ones(size, np.uint8)
    regions = np.array([[-2, -2, size[0] + 2, size[1] + 2]])
    sheet = draw_aggregation(image, regions, {1: labels}, NAMES)
    height = max(1, round(300 * size[0] / max(size)))
    assert sheet.dtype == np.uint8 and sheet.shape[0] == 8 + 42 + height + 8 + height + 8 + 26


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match=r"must hold a label map\. Received: labels=\{\}"):
        sheet_of({})


def test_heat_is_dark_where_there_is_none_and_bright_at_its_highest() -> None:
    image = np.full((2, 3, 3), 120, np.uint8)
    heat = np.array([[0.0, 0.5, 1.0]] * 2, np.float32)
    shown = heat_over(image, heat)
    assert shown.shape == (2, 3, 3) and shown.dtype == np.uint8
    assert (np.diff(shown.astype(int).sum(-1)) > 0).all()
    # 0.4 of the gray, and 0.6 of the colour map's black.
    assert shown[0, 0].tolist() == [48, 48, 50]


def test_a_sheet_of_two_rows() -> None:
    image = np.full((60, 120, 3), 90, np.uint8)
    truth, found = np.array([[10, 20, 40, 80]]), np.array([20, 30, 50, 110])
    seen = [Heatmap("average", "IoU 0.5", np.zeros((60, 120), np.float32), found)] * 2
    sheet = draw_heatmaps([Row(image, "fish", truth, seen)] * 2, ["a note"])
    # Panels of 240 x 120 under captions of 42, three columns, two rows and a line of notes.
    assert sheet.shape == (8 + 2 * (162 + 8) + 18 + 8, 8 + 3 * (240 + 8), 3)
    left, top = 8, 8 + 42
    assert sheet[top + 20, left + 100].tolist() == [255, 255, 255]
    assert sheet[top + 40, left + 100].tolist() == [90, 90, 90]
    middle = sheet[top : top + 120, left + 248 : left + 248 + 240]
    assert middle[20, 100].tolist() == [255, 255, 255]
    assert middle[40, 100].tolist() == middle[99, 219].tolist() == [64, 224, 255]
