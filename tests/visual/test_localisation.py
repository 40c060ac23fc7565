"""The picture of heatmaps: their colours, and boxes where they belong."""

import numpy as np

from tfdeconv.visual.localisation import Row, Seen, draw_localisation, heat_over


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
    seen = [Seen("average", "IoU 0.5", np.zeros((60, 120), np.float32), found)] * 2
    sheet = draw_localisation([Row(image, "fish", truth, seen)] * 2, ["a note"])
    # Panels of 240 x 120 under captions of 42, three columns, two rows and a line of notes.
    assert sheet.shape == (8 + 2 * (162 + 8) + 18 + 8, 8 + 3 * (240 + 8), 3)
    left, top = 8, 8 + 42
    assert sheet[top + 20, left + 100].tolist() == [255, 255, 255]
    assert sheet[top + 40, left + 100].tolist() == [90, 90, 90]
    middle = sheet[top : top + 120, left + 248 : left + 248 + 240]
    assert middle[20, 100].tolist() == [255, 255, 255]
    assert middle[40, 100].tolist() == middle[99, 219].tolist() == [64, 224, 255]
