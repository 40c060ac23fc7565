"""Several images at a time: labels as one by one, fewer calls, little held, errors in turn."""

import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.segmentation.networks import CountsTraces, colour_network, noise, open_network, painted
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.segmentation import several
from tfdeconv.segmentation.picture import Picture
from tfdeconv.segmentation.score_map import collected, resized
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


def darkens(probabilities: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """In the place of a CRF: background wherever its own image, and no other, has little red."""
    dark = tf.cast(image[..., :1] < 100, tf.float32)
    return probabilities + dark * [2.0, 0.0, 0.0]


CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "no boxes, a network that sees whole images": (
        10,
        {"boxes": 0, "ensemble": open_network(), "ensemble_mode": "product"},
    ),
    "1 box, mirror images, a network that sees larger regions": (
        5,
        {"boxes": 1, "flip": True, "ensemble": textured_network(24)},
    ),
    "4 boxes, as a CRF": (2, {"boxes": 4, "crf": darkens}),
    "more than a batch": (1, {"boxes": 12}),
}


@functools.cache
def segmenter_of(case: str) -> Segmenter:
    return Segmenter(textured_network(), batch_size=10, proposals="grid", **CASES[case][1])


@pytest.fixture(scope="module")
def without_boxes() -> Segmenter:
    return Segmenter(textured_network(), boxes=0, batch_size=8)


@pytest.fixture
def calls(without_boxes: Segmenter, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of regions of the calls of the network without boxes."""
    return counted(without_boxes, monkeypatch)


def counted(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    numbers, run = [], segmenter._view.run
    monkeypatch.setattr(
        segmenter._view, "run", lambda crops: numbers.append(len(crops)) or run(crops)
    )
    return numbers


def assert_as_one_by_one(segmenter: Segmenter, images: list[np.ndarray]) -> None:
    found = list(segmenter.segment_all(iter(images)))
    assert len(found) == len(images)
    for image, labels in zip(images, found, strict=True):
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, segmenter.segment(image))


@pytest.mark.parametrize("case", CASES)
def test_labels_and_scores_are_those_of_each_image_alone(case: str) -> None:
    segmenter, together = segmenter_of(case), CASES[case][0]
    assert segmenter.images_in_batch == together
    assert_as_one_by_one(segmenter, IMAGES)
    pictures = [segmenter.picture(image) for image in IMAGES[:together]]
    for image, see in zip(IMAGES, segmenter._see(pictures), strict=False):
        scores = collected(resized(see(), *image.shape[:2]))
        np.testing.assert_allclose(scores, segmenter.scores(image), rtol=0, atol=1e-5)


@pytest.mark.large
def test_with_a_crf() -> None:
    crf = DenseCRF(gaussian=(3, 3), bilateral=(20, 10, 5), iterations=2)
    assert_as_one_by_one(Segmenter(colour_network(), boxes=0, crf=crf), IMAGES)


def test_calls_of_the_network(without_boxes: Segmenter, calls: list[int]) -> None:
    list(without_boxes.segment_all(IMAGES[:8]))
    assert calls == [8]
    list(without_boxes.segment_all(IMAGES))
    assert calls == [8, 8, 1]
    assert list(without_boxes.segment_all([])) == list(without_boxes.segment_all([], [])) == []
    assert calls == [8, 8, 1]


def test_images_that_fill_batches_go_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(segmenter_of("more than a batch"), monkeypatch)
    list(segmenter_of("more than a batch").segment_all([IMAGES[7], IMAGES[4]]))
    assert calls == [7, 6, 7, 6]
    for network, options in (
        (textured_network(), {}),
        (open_network(), {"boxes": 0}),
        (textured_network(), {"boxes": 0, "window": 16}),
    ):
        assert Segmenter(network, **options).images_in_batch == 1


def test_given_boxes() -> None:
    segmenter = segmenter_of("4 boxes, as a CRF")
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


def test_what_is_wrong_with_an_image_is_its_own(without_boxes: Segmenter, monkeypatch) -> None:
    run = without_boxes._view.run

    def gives_nan(crops: np.ndarray) -> np.ndarray:
        scores = run(crops).copy()
        scores[1, 0, 0, 0] = np.nan
        return scores

    def read(index: int) -> Picture:
        if index == 2:
            raise UserError("`2.png` must be there.")
        return without_boxes.picture(IMAGES[index], beside=-index)

    monkeypatch.setattr(without_boxes._view, "run", gives_nan)
    outcomes = []
    for index, result in without_boxes.segment_ahead(read, range(4)):
        try:
            picture, labels = result()
        except UserError as error:
            outcomes.append((index, str(error)[:11]))
        else:
            assert picture.beside == -index and labels.shape == SIZES[index]
            outcomes.append((index, None))
    assert outcomes == [(0, None), (1, "The network"), (2, "`2.png` mus"), (3, None)]


def test_few_images_are_held(without_boxes: Segmenter, calls, monkeypatch) -> None:
    taken = []
    found = without_boxes.segment_all(taken.append(one.shape) or one for one in IMAGES)
    next(found)
    assert len(taken) == 8
    # The first two are larger together.
    monkeypatch.setattr(several, "BYTES_HELD", IMAGES[0].nbytes + 1)
    calls.clear()
    list(without_boxes.segment_all(IMAGES[:3]))
    assert calls == [2, 1]


def test_nothing_is_traced_again(without_boxes: Segmenter) -> None:
    without_boxes.segment(IMAGES[0])
    CountsTraces.traces.clear()
    list(without_boxes.segment_all(IMAGES))
    assert CountsTraces.traces == []
