"""Many images: labels as one by one, one image ahead, errors in turn."""

import functools
from collections.abc import Iterator

import keras
import numpy as np
import pytest

from tests.segmentation.networks import CountsTraces, noise, open_network, painted
from tfdeconv.errors import UserError
from tfdeconv.segmentation.segmenter import Segmenter

# Odd, narrow, and two smaller than the network, which sees 16 pixels.
SIZES = ((21, 26), (9, 40), (33, 5), (15, 11), (47, 30), (1, 3), (20, 20), (31, 64), (12, 50))
IMAGES = [painted(*size)[0] if min(size) > 9 else noise(*size) for size in SIZES]


@functools.cache
def textured_network(size: int = 16) -> keras.Model:
    """A network of some arithmetic, whose last bits could depend on the size of the batch."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(24, 3, padding="same", activation="relu")(CountsTraces()(inputs))
    return keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(x))


CASES = {
    "no boxes, a network that sees whole images": {
        "boxes": 0,
        "ensemble": open_network(),
        "ensemble_mode": "product",
    },
    "4 boxes": {"boxes": 4, "flip": True},
    "windows": {"window": 16},
}


@pytest.fixture(scope="module")
def without_boxes() -> Segmenter:
    return Segmenter(textured_network(), boxes=0, batch_size=8)


def assert_as_one_by_one(segmenter: Segmenter, images: list[np.ndarray]) -> None:
    found = list(segmenter.segment_all(iter(images)))
    assert len(found) == len(images)
    for image, labels in zip(images, found, strict=True):
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, segmenter.segment(image))


@pytest.mark.parametrize("case", CASES)
def test_labels_are_those_of_each_image_alone(case: str) -> None:
    options = {"proposals": "grid", "batch_size": 10, **CASES[case]}
    assert_as_one_by_one(Segmenter(textured_network(), **options), IMAGES)


def test_nothing_gives_nothing(without_boxes: Segmenter) -> None:
    assert list(without_boxes.segment_all([])) == list(without_boxes.segment_all([], [])) == []


def test_given_boxes() -> None:
    segmenter = Segmenter(textured_network(), boxes=4, proposals="grid")
    given = [np.array([[2, 3, 14, 15], [0, 0, 9, 9]]), None, np.zeros((0, 4))]
    found = segmenter.segment_all(IMAGES[:3], iter(given))
    for image, boxes, labels in zip(IMAGES[:3], given, found, strict=True):
        np.testing.assert_array_equal(labels, segmenter.segment(image, boxes))
    found = segmenter.segment_all(IMAGES[:3], given[:2])
    assert len([next(found), next(found)]) == 2
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        next(found)


def test_mistakes_come_after_the_images_before(without_boxes: Segmenter) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from IMAGES[:3]
        raise OSError("the disk is gone")

    no_image = [*IMAGES[:3], np.zeros((5, 6), np.uint8), IMAGES[3]]
    flat = [None, None, None, np.zeros(4), None]
    for images, boxes, message in (
        (failing(), None, "the disk is gone"),
        (no_image, None, "`image` must be .*uint8 RGB"),
        (IMAGES[:5], flat, r"`boxes` must be an \(n, 4\) array"),
    ):
        found, labels = without_boxes.segment_all(images, boxes), []
        with pytest.raises((OSError, ValueError), match=message):
            labels.extend(found)
        assert [one.shape for one in labels] == list(SIZES[:3])


def test_nan_comes_when_it_is_the_images_turn() -> None:
    segmenter = Segmenter(textured_network(), boxes=0)
    graph, calls = segmenter.network.graph, []

    def gives_nan(crops: np.ndarray) -> np.ndarray:
        calls.append(len(crops))
        return graph(crops) * (np.nan if len(calls) == 2 else 1)

    segmenter.network.graph = gives_nan
    found = segmenter.segment_all(IMAGES[:3])
    assert next(found).shape == SIZES[0]
    with pytest.raises(UserError, match="NaN or infinite"):
        next(found)


def test_few_images_are_held(without_boxes: Segmenter) -> None:
    taken = []
    found = without_boxes.segment_all(taken.append(one.shape) or one for one in IMAGES)
    next(found)
    # The next one, whose size may have been the same, and one before its turn.
    assert len(taken) <= 3
    taken.clear()
    segmenter = Segmenter(textured_network(), boxes=2, proposals="grid")
    next(segmenter.segment_all(taken.append(one.shape) or one for one in IMAGES))
    # One before its turn.
    assert len(taken) <= 2


@pytest.mark.parametrize("kind", ["fixed", "open", "both"])
def test_images_of_one_size_share_a_batch(kind: str) -> None:
    model = {"fixed": textured_network(), "open": open_network(8), "both": textured_network()}[kind]
    other = open_network() if kind == "both" else None
    segmenter = Segmenter(model, boxes=0, batch_size=4, ensemble=other)
    graph, calls = segmenter.network.graph, []
    segmenter.network.graph = lambda pictures: calls.append(len(pictures)) or graph(pictures)
    images = [noise(20, 30, seed) for seed in range(6)] + [noise(30, 20, 6), noise(20, 30, 7)]
    found = list(segmenter.segment_all(images))
    assert calls == [4, 2, 1, 1]
    for image, labels in zip(images, found, strict=True):
        np.testing.assert_array_equal(labels, segmenter.segment(image))


def test_batches_of_large_images_are_small() -> None:
    segmenter = Segmenter(open_network(), batch_size=16)
    graph, calls = segmenter.network.graph, []
    segmenter.network.graph = lambda pictures: calls.append(len(pictures)) or graph(pictures)
    list(segmenter.segment_all([noise(500, 600)] * 5))
    assert calls == [4, 1]


def test_nothing_is_traced_again(without_boxes: Segmenter) -> None:
    without_boxes.segment(IMAGES[0])
    CountsTraces.traces.clear()
    list(without_boxes.segment_all(IMAGES))
    assert CountsTraces.traces == []
