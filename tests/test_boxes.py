"""Boxes: areas, overlaps and squares against small literal arrays; the file of proposals."""

import json

import numpy as np
import pytest

from tfdeconv import boxes
from tfdeconv.errors import UserError


def test_area_counts_half_open_pixels_and_no_inverted_box():
    given = np.array([[0, 0, 2, 3], [-1, -1, 1, 1], [4, 4, 2, 9], [3, 3, 3, 3]])
    assert boxes.area(given).tolist() == [6, 4, 0, 0]


def test_iou_against_counted_pixels():
    generator = np.random.default_rng(0)
    corners = generator.integers(0, 12, (2, 7, 2, 2))
    a, b = np.sort(corners, axis=2).reshape(2, 7, 4)

    def pixels(box):
        top, left, bottom, right = box
        return {(y, x) for y in range(top, bottom) for x in range(left, right)}

    for i, one in enumerate(a):
        for j, other in enumerate(b):
            union = len(pixels(one) | pixels(other))
            expected = len(pixels(one) & pixels(other)) / union if union else 0.0
            assert boxes.iou(a, b)[i, j] == pytest.approx(expected)


def test_iou_of_nothing_is_empty():
    assert boxes.iou(np.zeros((0, 4)), np.ones((3, 4))).shape == (0, 3)


def test_clip():
    given = np.array([[-3, 2, 9, 4], [7, 7, 9, 9]])
    assert boxes.clip(given, 5, 6).tolist() == [[0, 2, 5, 4], [5, 6, 5, 6]]


def test_proposals_survive_the_file(tmp_path):
    some = boxes.Proposals(np.array([[0, 1, 2, 3]], np.float32), np.array([0.5], np.float32))
    none = boxes.Proposals(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    boxes.save(tmp_path / "p.npz", {"ä": none, "b": some, "c": none}, {"edges": "gradient"})
    found = boxes.load(tmp_path / "p.npz")
    assert list(found) == ["ä", "b", "c"]
    assert found["b"].boxes.tolist() == [[0, 1, 2, 3]] and found["b"].scores.tolist() == [0.5]
    assert found["c"].boxes.shape == (0, 4)
    with np.load(tmp_path / "p.npz") as arrays:
        assert json.loads(str(arrays["settings"])) == {"edges": "gradient"}


def test_no_proposals_at_all(tmp_path):
    boxes.save(tmp_path / "p.npz", {}, {})
    assert boxes.load(tmp_path / "p.npz") == {}


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut short"])
def test_a_foreign_file_is_named(tmp_path, content):
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"p\.npz.*tfdeconv propose"):
        boxes.load(tmp_path / "p.npz")
    with pytest.raises(UserError, match="missing"):
        boxes.load(tmp_path / "missing.npz")
