"""Networks without an input size: the whole image in, at most 500 pixels, no proposals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import aggregation as reference
from tests.segmentation.networks import COLOURS, CountsTraces, open_network, painted
from tfdeconv.data.whole_images import MEAN_COLOUR
from tfdeconv.errors import UserError
from tfdeconv.layers import RequireSize
from tfdeconv.models import FCN8s
from tfdeconv.segmentation.regions import resize_and_pad
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (33, 5), (60, 83), (500, 400)])
def test_scores_are_what_the_network_says_of_the_image(size: tuple[int, int]) -> None:
    network = open_network()
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    segmenter = Segmenter(network)
    # Logarithms of probabilities, as combined scores are.
    expected = tf.nn.log_softmax(network.predict(image[None], verbose=0)[0])
    scores = segmenter.scores(image)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(segmenter.segment(image), scores.argmax(axis=-1))
    assert segmenter.regions(image).tolist() == [[0, 0, *size]]


def test_fcn_labels_an_image_of_any_size() -> None:
    network = FCN8s(3, width=1 / 64)
    network.get_layer("score_fr").bias.assign([0.0, 1.0, 0.0])
    found = Segmenter(network).segment(np.zeros((41, 30, 3), np.uint8))
    np.testing.assert_array_equal(found, np.ones((41, 30), np.uint8))


@pytest.mark.parametrize("size", [(700, 1000), (1000, 31), (501, 501)])
def test_a_larger_image_is_shrunk_and_its_scores_enlarged(size: tuple[int, int]) -> None:
    seen = []

    class Sees(keras.layers.Layer):
        def call(self, x):
            tf.py_function(lambda shape: seen.append(tuple(shape.numpy())), [tf.shape(x)], [])
            return x

    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, open_network()(Sees()(inputs)))
    image, labels = painted(*size)
    found = Segmenter(network).segment(image)
    assert max(seen[0]) == 500 and seen[0][1] == max(1, round(500 * size[0] / max(size)))
    assert found.shape == size and np.mean(found == labels) > 0.99


@pytest.mark.parametrize("size", [(1, 1), (13, 25), (48, 24), (600, 300)])
def test_multiples_are_reached_with_the_mean_colour(size: tuple[int, int]) -> None:
    image, labels = painted(*size)
    segmenter = Segmenter(open_network(multiple=24))
    if max(size) <= 500:
        expected = Segmenter(open_network()).scores(image)
        np.testing.assert_allclose(segmenter.scores(image), expected, rtol=0, atol=1e-6)
    assert np.mean(segmenter.segment(image) == labels) > 0.99


def test_coarser_scores_are_enlarged_over_the_image_and_what_was_added() -> None:
    inputs = keras.Input((None, None, 3))
    x = RequireSize(8, (8, 8))(inputs)
    network = keras.Model(inputs, keras.layers.AveragePooling2D(4)(open_network()(x)))
    image, _ = painted(21, 14)
    padded = np.full((1, 24, 16, 3), MEAN_COLOUR, np.uint8)
    padded[0, :21, :14] = image
    scores = network.predict(padded, verbose=0)
    expected = reference.aggregate(scores, np.array([[0, 0, 24, 16]]), 21, 14, "max")
    np.testing.assert_allclose(Segmenter(network).scores(image), expected, rtol=0, atol=1e-5)


def test_one_trace_for_all_sizes() -> None:
    network = open_network()
    segmenter = Segmenter(keras.Model(network.input, CountsTraces()(network.output)))
    CountsTraces.traces.clear()
    for size in ((9, 9), (20, 31), (600, 20)):
        segmenter.segment(np.broadcast_to(COLOURS[1], (*size, 3)))
    assert CountsTraces.traces == [(None, None, None, 3)]
    assert segmenter.pipeline.pictures.experimental_get_tracing_count() == 1


def test_a_network_that_cannot_take_the_size_is_told() -> None:
    inputs = keras.Input((None, None, 3))
    halved = keras.layers.MaxPooling2D(2)(inputs)
    doubled = keras.layers.UpSampling2D(2)(halved)
    x = keras.layers.Concatenate()([inputs, doubled])
    network = keras.Model(inputs, keras.layers.Conv2D(3, 1)(x))
    segmenter = Segmenter(network)
    assert segmenter.segment(np.zeros((8, 6, 3), np.uint8)).shape == (8, 6)
    with pytest.raises(UserError, match=r"images of every size\. Received: for 9x6 pixels"):
        segmenter.segment(np.zeros((9, 6, 3), np.uint8))


def test_nan_and_what_is_no_image_are_refused() -> None:
    network = open_network()
    with pytest.raises(ValueError, match="`image` must be"):
        Segmenter(network).segment(np.zeros((5, 5), np.uint8))
    network.layers[-2].bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(UserError, match="Received: NaN or infinite scores"):
        Segmenter(network).segment(np.zeros((5, 5, 3), np.uint8))


@pytest.mark.parametrize("size", [(5, 7), (8, 3), (8, 8)])
def test_what_is_added_is_nothing_to_the_network(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    shown = resize_and_pad(image, tf.constant(size), tf.constant((8, 16))).numpy()
    np.testing.assert_array_equal(shown[0, : size[0], : size[1]], image)
    outside = np.ones((8, 16), bool)
    outside[: size[0], : size[1]] = False
    np.testing.assert_array_equal(shown[0][outside], np.tile(MEAN_COLOUR, (outside.sum(), 1)))
