"""Mirror images and scales: means of probabilities, as plain loops and the views alone say."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.segmentation.networks import colour_network, noise, open_network, painted
from tfdeconv.errors import UserError
from tfdeconv.segmentation.averaging import mean_probabilities
from tfdeconv.segmentation.network import Network
from tfdeconv.segmentation.segmenter import Segmenter

BOXES = np.array([[2, 3, 14, 15], [-4, 8, 9, 25]], np.float32)


def lopsided(size: int | None) -> keras.Model:
    """A network that looks to the left: it says another thing of mirror images."""
    inputs = keras.Input((size, size, 3))
    convolution = keras.layers.Conv2D(3, 3, padding="same")
    outputs = convolution(keras.layers.Rescaling(1 / 255)(inputs))
    kernel = np.random.default_rng(0).normal(0, 1, (3, 3, 3, 3))
    kernel[:, 1:] = 0
    convolution.set_weights([kernel, np.array([0, 0.5, 0.2])])
    return keras.Model(inputs, outputs)


def softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_mean_is_that_of_the_probabilities_by_plain_loops(count: int) -> None:
    views = np.random.default_rng(count).normal(0, 3, (count, 2, 3, 4)).astype(np.float32)
    found = mean_probabilities(*views).numpy()
    for place in np.ndindex(2, 3):
        total = np.zeros(4)
        for view in views:
            exponentials = [np.exp(float(score)) for score in view[place]]
            total += np.array(exponentials) / sum(exponentials)
        np.testing.assert_allclose(np.exp(found[place]), total / count, rtol=1e-5)


def test_no_probability_becomes_zero() -> None:
    scores = np.array([[0, 200, -200]], np.float32)
    found = mean_probabilities(scores, scores[:, ::-1]).numpy()
    assert np.isfinite(found).all() and (found <= 0).all()


def test_the_mirror_image_is_mirrored_back() -> None:
    pictures = np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3)
    seen, network = [], Network(colour_network(), flip=True)
    network.graph = lambda shown: seen.append(shown) or tf.convert_to_tensor(shown)
    np.testing.assert_allclose(np.exp(network(pictures)), softmax(pictures), rtol=1e-5)
    assert [shown[0, 0, :, 0].tolist() for shown in seen] == [[0, 3, 6], [6, 3, 0]]


def test_regions_are_seen_in_both_ways() -> None:
    network, image = lopsided(16), noise(21, 30)
    plain, flipped = (Segmenter(network, boxes=2, flip=flip) for flip in (False, True))
    regions = plain.regions(image, BOXES)
    crops = plain.pipeline.pictures(image, regions).numpy()
    there, back = (network.predict(one, verbose=0) for one in (crops, crops[:, :, ::-1]))
    expected = (softmax(there) + softmax(back[:, :, ::-1])) / 2
    found = flipped.pipeline.region_scores(image, regions)
    np.testing.assert_allclose(np.exp(found), expected, rtol=0, atol=1e-5)
    assert np.abs(expected - softmax(there)).max() > 0.05
    # The labels of a mirror image are the mirror image of the labels; those of one view are not.
    whole = np.zeros((0, 4), np.float32)
    mirrored = image[:, ::-1]
    np.testing.assert_allclose(
        flipped.scores(mirrored, whole)[:, ::-1], flipped.scores(image, whole), rtol=0, atol=1e-4
    )
    assert np.any(plain.segment(mirrored, whole)[:, ::-1] != plain.segment(image, whole))


def test_whole_images_are_seen_in_both_ways_and_at_all_scales() -> None:
    network, image = lopsided(None), noise(24, 30)
    scales = (0.5, 1.0, 1.5)
    expected = np.zeros((24, 30, 3))
    for scale in scales:
        alone = Segmenter(network, scales=(scale,))
        there, back = alone.scores(image), alone.scores(image[:, ::-1])[:, ::-1]
        if scale == 1:
            both = Segmenter(network, flip=True).scores(image)
            np.testing.assert_allclose(
                np.exp(both), (np.exp(there) + np.exp(back)) / 2, rtol=0, atol=1e-5
            )
        expected += softmax(there) / 3
    found = Segmenter(network, scales=scales).scores(image)
    np.testing.assert_allclose(np.exp(found), expected, rtol=0, atol=1e-5)


def test_a_scale_is_the_size_at_which_an_image_is_shown() -> None:
    sizes, segmenter = [], Segmenter(open_network(), scales=(0.5, 1.0, 1.25))
    graph = segmenter.network.graph
    segmenter.network.graph = lambda shown: sizes.append(tuple(shown.shape[1:3])) or graph(shown)
    image, labels = painted(1000, 600)
    assert np.mean(segmenter.segment(image) == labels) > 0.99
    # Of an image shrunk to 500 pixels.
    assert sizes == [(250, 150), (500, 300), (625, 375)]


def test_scales_of_proposals_are_refused() -> None:
    with pytest.raises(UserError, match=r"`scales` must be \(1\.0,\) for a network that uses prop"):
        Segmenter(colour_network(), scales=(0.5, 1.0))
    assert Segmenter(colour_network(), scales=[1], flip=True).boxes == 50
    assert Segmenter(colour_network(), window="auto", scales=(0.5, 1.0)).batch_size == 16


@pytest.mark.parametrize("scales", [(), (0.0,), (1.0, 11), (float("nan"),)])
def test_scales_out_of_range_are_refused(scales: tuple) -> None:
    with pytest.raises(ValueError, match=r"`scales` must be one or more numbers from 0\.1 to 4\."):
        Segmenter(open_network(), scales=scales)
