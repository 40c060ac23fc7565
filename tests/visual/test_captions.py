"""Captions above pictures and notes below."""

import numpy as np

from tfdeconv.visual.captions import captioned, with_notes


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
