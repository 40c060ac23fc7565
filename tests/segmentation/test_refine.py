"""The CRF behind a segmenter: at the image's size, and at a smaller one where that is too large."""

import numpy as np
import pytest
import tensorflow as tf

from tests.segmentation.networks import colour_network, painted
from tfdeconv.crf import DenseCRF
from tfdeconv.segmentation import pipeline
from tfdeconv.segmentation.pipeline import refine
from tfdeconv.segmentation.segmenter import Segmenter

CRF = DenseCRF(gaussian=(3, 3), bilateral=(20, 10, 5), iterations=3)


def test_softmax_then_crf_at_the_size_of_the_image() -> None:
    image, labels = painted(20, 31)
    scores = np.random.default_rng(0).standard_normal((20, 31, 3)) + 2 * np.eye(3)[labels]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    refined = refine(CRF, tf.constant(scores, tf.float32), image)
    np.testing.assert_allclose(refined, CRF(probabilities, image), atol=1e-4)


@pytest.mark.parametrize("size", [(40, 60), (20, 30), (30, 45)])
def test_large_images_are_refined_on_a_smaller_canvas(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MAX_PIXELS", 2**10)
    image, _ = painted(80, 120)
    _, labels = painted(*size)
    scores = tf.constant(9 * np.eye(3)[labels], tf.float32)
    refined = refine(CRF, scores, image)
    rows, columns = refined.shape[:2]
    assert (rows, columns) == ((20, 30) if size == (20, 30) else (26, 39))
    found = np.argmax(refined, axis=-1)
    assert np.mean(found == painted(rows, columns)[1]) > 0.95


def test_segmenter_refines_labels_and_not_scores() -> None:
    image, labels = painted(60, 83)
    plain = Segmenter(colour_network(), boxes=0)
    refined = Segmenter(colour_network(), boxes=0, crf=CRF)
    np.testing.assert_array_equal(refined.scores(image), plain.scores(image))
    before, after = (np.mean(one.segment(image) == labels) for one in (plain, refined))
    # The network sees 83 pixels on 14.
    assert after > before + 0.01 and after > 0.97, (before, after)
    expected = refine(CRF, tf.constant(plain.scores(image)), image)
    np.testing.assert_array_equal(refined.segment(image), np.argmax(expected, axis=-1))


def test_segmenter_on_a_small_canvas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "MAX_PIXELS", 2**11)
    image, labels = painted(60, 83)
    found = Segmenter(colour_network(), boxes=0, crf=CRF).segment(image)
    assert found.shape == labels.shape and np.mean(found == labels) > 0.95
