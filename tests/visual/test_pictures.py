"""Overlays, captions and sheets on arrays that the eye can check."""

import numpy as np
import pytest

from tfdeconv.visual.pictures import (
    captioned,
    class_colours,
    colorize,
    colour_map,
    fitted,
    legend,
    overlay,
    panels,
    size_within,
    with_notes,
)

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


@pytest.mark.parametrize("rows", [[], [[]], [[1], [1, 2]]])
def test_panels_refuse_ragged_rows(rows):
    rows = [[np.zeros((1, 1, 3), np.uint8) for _ in row] for row in rows]
    with pytest.raises(ValueError, match="same number of images"):
        panels(rows)


def test_the_picture_stands_below_its_caption():
    picture = np.full((10, 120, 3), 7, np.uint8)
    cell = captioned(picture, "unpool3", "8 x 8")
    assert cell.shape == (52, 120, 3) and (cell[42:] == 7).all()
    title, note = cell[:20], cell[20:42]
    assert (title < 128).any() and (note < 200).any() and not (note < 60).any()


def test_a_line_that_is_too_long_shrinks_to_fit():
    picture = np.full((4, 60, 3), 255, np.uint8)
    dark = (captioned(picture, "a very long name of a layer") < 160).any((0, 2))
    assert dark.any() and not dark[-1]


def test_notes_stand_below():
    sheet = np.full((5, 200, 3), 9, np.uint8)
    noted = with_notes(sheet, ["one", "two"])
    assert noted.shape == (5 + 2 * 18 + 8, 200, 3) and (noted[:5] == 9).all()
    assert (noted[5:23] < 200).any() and (noted[23:41] < 200).any()


def test_panels_have_the_proportions_of_the_image_and_maps_keep_theirs():
    assert size_within(np.zeros((375, 500, 3)), 224) == (168, 224)
    square = fitted(np.zeros((4, 4, 3), np.uint8), (168, 224))
    assert (square[:, 28:196] == 0).all() and (square[:, :28] == 255).all()


def test_colours_go_from_zero_to_the_largest_value():
    black, light = [0, 0, 4], [252, 255, 164]
    assert colour_map(np.array([[0, 4]], np.float32))[0].tolist() == [black, light]
    assert colour_map(np.array([[-4, 4]], np.float32))[0].tolist() == [black, light]
    assert colour_map(np.zeros((2, 2), np.float32)).reshape(-1, 3).tolist() == [black] * 4
    assert colour_map(np.array([[3, 4]], np.float32))[0, 0].tolist() != black
    assert colour_map(np.array([[2]], np.float32), 4.0)[0, 0].tolist() not in (black, light)
