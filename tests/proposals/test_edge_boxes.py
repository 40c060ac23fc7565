"""Proposals of one image: drawn objects are found, and images without edges still get boxes."""

import cv2
import numpy as np
import pytest

from tests.proposals.toy_forest import toy_forest
from tfdeconv.boxes import iou
from tfdeconv.errors import UserError
from tfdeconv.images import encode_jpeg
from tfdeconv.proposals import multi_scale_grid, propose
from tfdeconv.proposals.edge_boxes import edge_boxes
from tfdeconv.proposals.edges import Edges, gradient_edges


def noise(height, width, level=110, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, 8, (height, width, 3)), 0, 255).astype(np.uint8)


def best_overlap(found, box, among):
    return iou(np.array([box]), found.boxes[:among]).max()


def drawn_objects():
    """A picture, and the boxes of what is drawn on it: a rectangle and a disc."""
    image = noise(180, 240)
    cv2.rectangle(image, (30, 40), (109, 99), (220, 60, 40), -1)
    cv2.circle(image, (180, 110), 30, (40, 200, 220), -1)
    return image, [[40, 30, 100, 110], [80, 150, 141, 211]]


@pytest.mark.parametrize("scale", [0.25, 0.5, 1, 3, 8])
def test_drawn_objects_are_among_the_first_fifty_at_every_size(scale):
    image, boxes = drawn_objects()
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = propose(image)
    for box in boxes:
        assert best_overlap(found, np.array(box) * scale, among=50) >= 0.7


def test_objects_of_few_pixels_are_found():
    image = noise(160, 200, level=40)
    centres = [(20 + 40 * row, 20 + 50 * column) for row in range(4) for column in range(4)]
    for y, x in centres:
        cv2.circle(image, (x, y), 6, (200, 200, 200), -1)
    found = propose(image)
    for y, x in centres:
        assert best_overlap(found, [y - 6, x - 6, y + 7, x + 7], among=2000) >= 0.5


def test_boxes_lie_evenly_around_what_they_hold():
    # OpenCV counts pixels from 1; taken as they are, boxes would sit half a pixel too low and right
    # and be a pixel too large.
    slack = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        image = noise(128, 512, seed=seed)
        top, left, height, width = rng.integers((10, 10, 40, 40), (30, 200, 80, 80))
        image[top : top + height, left : left + width] = 240
        drawn = np.array([[top, left, top + height, left + width]])
        found = propose(image, max_boxes=20)
        box = found.boxes[iou(drawn, found.boxes).argmax()]
        slack.append((drawn[0] - box) * (1, 1, -1, -1))
    assert np.min(slack) >= 1
    low, high = np.mean(slack, axis=0)[:2].mean(), np.mean(slack, axis=0)[2:].mean()
    assert abs(low - high) < 0.5 and max(low, high) < 2.7


def test_the_form_of_the_result():
    image, _ = drawn_objects()
    found = propose(image, max_boxes=300)
    assert found.boxes.shape == (300, 4) and found.scores.shape == (300,)
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert (np.diff(found.scores) <= 0).all() and np.isfinite(found.scores).all()
    assert (found.boxes[:, :2] >= 0).all() and (found.boxes[:, 2:] <= image.shape[:2]).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    again = propose(image, max_boxes=300)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


def test_fewer_boxes_are_the_first_of_more():
    image, _ = drawn_objects()
    few, many = propose(image, max_boxes=20), propose(image, max_boxes=200)
    np.testing.assert_array_equal(few.boxes, many.boxes[:20])


def test_boxes_of_equal_score_come_in_the_order_of_their_coordinates():
    # Two objects that are each other's mirror image have the same scores.
    image = np.full((128, 512, 3), 100, np.uint8)
    image[40:88, 60:120] = image[40:88, 392:452] = 220
    found = edge_boxes(gradient_edges(image))
    for score in np.unique(found.scores):
        tied = found.boxes[found.scores == score].tolist()
        assert tied == sorted(tied)


def compressed_gray():
    return cv2.imdecode(
        np.frombuffer(encode_jpeg(np.full((90, 70, 3), 77, np.uint8)), np.uint8), cv2.IMREAD_COLOR
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((120, 90, 3), np.uint8),
        compressed_gray(),
        noise(300, 1),
        noise(1, 1),
        noise(1, 40),
        noise(4000, 50),
    ],
    ids=lambda image: "x".join(map(str, image.shape[:2])),
)
def test_where_no_edges_lead_there_is_the_grid(image):
    found = propose(image)
    np.testing.assert_array_equal(found.boxes, multi_scale_grid(*image.shape[:2]))
    assert found.boxes[0].tolist() == [0, 0, *image.shape[:2]]
    assert not found.scores.any()
    assert len(propose(image, max_boxes=1).boxes) == 1


@pytest.mark.parametrize(
    "size", [(2, 3), (8, 8), (9, 31), (31, 9), (16, 300), (700, 12), (23, 17), (64, 64)]
)
def test_small_and_narrow_images_have_sound_boxes(size):
    for seed in range(5):
        image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
        found = propose(image)
        assert np.isfinite(found.scores).all() and (np.diff(found.scores) <= 0).all()
        assert (found.boxes[:, :2] >= 0).all() and (found.boxes[:, 2:] <= size).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        # The whole image is among the boxes unless edges gave as many as were asked for.
        assert len(found.boxes) == 2000 or [0, 0, *size] in found.boxes.tolist()


def test_a_huge_image_costs_no_more_than_its_copy():
    image = np.repeat(np.repeat(drawn_objects()[0], 16, axis=0), 16, axis=1)
    found = propose(image, max_boxes=50)
    assert best_overlap(found, [640, 480, 1600, 1760], among=50) >= 0.7


def test_a_forest_is_used_when_it_is_given(tmp_path):
    image, (rectangle, _) = drawn_objects()
    forest = toy_forest(tmp_path)
    by_forest = propose(image, forest=forest)
    assert best_overlap(by_forest, rectangle, among=2000) >= 0.5
    np.testing.assert_array_equal(
        by_forest.boxes, propose(image, edges="structured", forest=forest).boxes
    )
    by_gradient = propose(image, edges="gradient", forest=forest).boxes
    np.testing.assert_array_equal(by_gradient, propose(image).boxes)
    assert not np.array_equal(by_gradient[:50], by_forest.boxes[:50])


def test_edges_beyond_the_bound_leave_the_strongest():
    rng = np.random.default_rng(0)
    strength = rng.random((64, 64), np.float32)
    orientation = np.zeros((64, 64), np.float32)
    bound = np.sort(strength, axis=None)[-int(0.12 * strength.size)]
    kept = np.where(strength >= bound, strength, np.float32(0))
    crowded, thinned = (edge_boxes(Edges(given, orientation)) for given in (strength, kept))
    np.testing.assert_array_equal(crowded.boxes, thinned.boxes)


def test_misuse():
    image = np.zeros((4, 4, 3), np.uint8)
    for wrong in (image[..., 0], image.astype(np.float32), image[:0], image[..., :2]):
        with pytest.raises(ValueError, match=r"`image` must be .* Received: shape="):
            propose(wrong)
    with pytest.raises(ValueError, match="max_boxes=0"):
        propose(image, max_boxes=0)
    with pytest.raises(ValueError, match="edges='canny'"):
        propose(image, edges="canny")
    with pytest.raises(UserError, match="need a forest"):
        propose(image, edges="structured")
