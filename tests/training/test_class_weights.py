"""Median frequency balancing, against loops and against what SegNet's release has for CamVid."""

import numpy as np
import pytest

from tests.helpers import shared_data
from tests.reference.losses import median_frequency as by_loops
from tfdeconv.data.drawn import CLASS_NAMES
from tfdeconv.data.maps import read_labels
from tfdeconv.data.voc import read_split
from tfdeconv.training.class_weights import count_classes, median_frequency

# `class_weighting` of segnet_train.prototxt, sky to bicyclist.
SEGNET = (0.2595, 0.1826, 4.5640, 0.1417, 0.9051, 0.3826, 9.6446, 1.8418, 0.6823, 6.2478, 7.3614)


def test_equals_loops_over_a_data_set(drawn):
    split = read_split(drawn, "train")
    maps = [read_labels(split, image_id, None) for image_id in split.ids]
    counts = count_classes(split)
    assert counts.shape == (12, len(CLASS_NAMES)) and counts.dtype == np.int64
    assert counts.sum() == sum((labels != 255).sum() for labels in maps)
    assert median_frequency(counts) == pytest.approx(by_loops(maps, len(CLASS_NAMES)))


def test_a_class_without_pixels_weighs_one_and_moves_no_median():
    # Shares: 60 of 100, 40 of 100, and 5 of the 50 of its own image.
    counts = np.array([[25, 20, 0, 5], [35, 20, 0, 0], [0, 0, 0, 0]])
    shares = np.array([60 / 105, 40 / 105, 5 / 50])
    expected = shares[1] / shares
    assert median_frequency(counts) == pytest.approx([expected[0], expected[1], 1.0, expected[2]])


@pytest.mark.parametrize(
    "counts", [np.zeros((2, 3)), np.zeros((0, 3)), np.array([1, 2]), [[1, -1]]]
)
def test_what_are_no_counts_is_refused(counts):
    with pytest.raises(ValueError, match=r"`counts` must be \(images, classes\) numbers of pixels"):
        median_frequency(counts)


def test_camvid_has_the_weights_of_segnet():
    split = read_split(shared_data("camvid"), "train")
    weights = dict(zip(split.class_names, median_frequency(count_classes(split)), strict=True))
    published = dict(zip(split.class_names, SEGNET, strict=True))
    # SegNet's maps have fewer pixels of signs: 9.64 there, 3.85 here. Its median, of which no class
    # has the weight 1, is another one too, which is a factor on all weights.
    del published["sign_symbol"]
    for name, weight in published.items():
        assert weights[name] == pytest.approx(weight, rel=0.2), name
