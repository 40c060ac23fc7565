"""Overlays and sheets on arrays that the eye can check."""

import numpy as np
import pytest

from tfdeconv.visual.overlay import class_colours, colorize, legend, overlay, panels

ONE, TWO = (238, 102, 119), (51, 187, 238)
VOID = (222, 220, 212)


def test_colours_differ_between_all_labels():
    colours = class_colours()
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert tuple(colours[1]) == ONE and tuple(colours[2]) == TWO and tuple(colours[255]) == VOID
    used = colours[[*range(22), 255]].astype(int)
    apart = np.abs(used[:, None] - used[None]).sum(-1) + 1000 * np.eye(len(used))
    assert apart.min() > 40


def test_colorize():
    shown = colorize(np.array([[1, 255], [0, 2]], np.uint8))
    assert [[tuple(pixel) for pixel in row] for row in shown.tolist()] == [
        [ONE, VOID],
        [(45, 48, 56), TWO],
    ]


def test_overlay_tints_inside_draws_the_edge_and_keeps_the_background():
    image = np.full((3, 7, 3), 100, np.uint8)
    labels = np.array([[0, 0, 1, 1, 1, 255, 255]] * 3, np.uint8)
    mixed = overlay(image, labels, alpha=0.5)
    tinted = tuple((100 + np.array(ONE)) // 2)
    row = [tuple(pixel) for pixel in mixed[1].tolist()]
    # Only the side that meets the background gets a line; the void is a line of its own.
    assert row == [(100,) * 3, (100,) * 3, ONE, tinted, tinted, (177,) * 3, (177,) * 3]
    assert (image == 100).all()


def test_two_classes_that_touch_get_a_line_each():
    labels = np.array([[1, 1, 2, 2]], np.uint8)
    mixed = overlay(np.zeros((1, 4, 3), np.uint8), labels, alpha=0.0)
    assert [tuple(pixel) for pixel in mixed[0].tolist()] == [(0,) * 3, ONE, TWO, (0,) * 3]


@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (33, 17)])
def test_sizes_are_kept(shape):
    labels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    image = np.zeros((*shape, 3), np.uint8)
    assert overlay(image, labels).shape == colorize(labels).shape == (*shape, 3)
    assert overlay(image, labels).dtype == np.uint8


def test_overlay_refuses_other_sizes_kinds_and_shares():
    image, labels = np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match=r"labels.shape=\(2, 2\)"):
        overlay(image, labels[:, :2])
    with pytest.raises(ValueError, match="dtype=int64"):
        overlay(image, labels.astype(np.int64))
    with pytest.raises(ValueError, match=r"alpha=1\.5"):
        overlay(image, labels, alpha=1.5)


def test_legend_shows_a_swatch_for_every_label():
    sheet = legend(["background", "leaf", "fish"], [2, 255])
    assert sheet.shape[0] == 2 * 22 + 8 and sheet.dtype == np.uint8
    assert tuple(sheet[14, 14]) == TWO and tuple(sheet[36, 14]) == VOID
    assert (sheet[8:22, 30:] < 128).any(), "the name must be written"
    assert legend(["a", "much longer"], [1]).shape[1] > legend(["a", "b"], [1]).shape[1]


def test_legend_refuses_labels_without_a_name():
    with pytest.raises(ValueError, match=r"below 2, or 255. Received: 2"):
        legend(["background", "leaf"], [1, 2])
    with pytest.raises(ValueError, match="at least one label"):
        legend(["background"], [])


def test_panels_centre_images_in_cells():
    dark = np.zeros((2, 4, 3), np.uint8)
    tall = np.zeros((4, 2, 3), np.uint8)
    sheet = panels([[dark, tall]])
    assert sheet.shape == (8 + 4 + 8, 8 + 4 + 8 + 4 + 8, 3)
    black = (sheet == 0).all(-1)
    assert black.sum() == 16
    assert black[9:11, 8:12].all() and black[8:12, 21:23].all()


def test_panels_write_titles_above():
    cell = np.full((10, 60, 3), 255, np.uint8)
    sheet = panels([[cell, cell]], titles=["one", "two"])
    assert (sheet[:24] < 128).any() and not (sheet[24:] < 128).any()


@pytest.mark.parametrize("rows, titles", [([], ()), ([[]], ()), ([[1], [1, 2]], ()), ([[1]], "ab")])
def test_panels_refuse_ragged_rows(rows, titles):
    rows = [[np.zeros((1, 1, 3), np.uint8) for _ in row] for row in rows]
    with pytest.raises(ValueError, match="same number of images"):
        panels(rows, titles)
