"""Windows over an image: what plain loops blend, and what the network says of the whole image."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import sliding as reference
from tests.reference.windows import crop_image
from tests.segmentation.networks import colour_network, noise, open_network
from tfdeconv.models import UNet
from tfdeconv.segmentation import sliding
from tfdeconv.segmentation.network import Network
from tfdeconv.segmentation.segmenter import Segmenter

# Two convolutions of 3x3: what is more than two pixels away is not seen.
REACH = 2


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Random weights, for every size; each pixel depends on the 5x5 pixels around it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 64)(inputs)
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", bias_initializer="ones")(x)
    return keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same")(x))


def probabilities_of(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    return lambda shown: tf.nn.softmax(network(shown[np.newaxis].astype(np.float32))[0]).numpy()


@pytest.mark.parametrize(
    ("window", "overlap", "sizes"),
    [
        (10, 0.3, [(23, 31), (10, 40)]),
        pytest.param(16, 0.5, [(40, 17), (16, 16)], marks=pytest.mark.large),
        pytest.param(11, 0.0, [(11, 26), (25, 13)], marks=pytest.mark.large),
    ],
)
def test_scores_are_what_plain_loops_blend(network, window, overlap, sizes) -> None:
    segmenter = Segmenter(network, window=window, overlap=overlap, batch_size=3)
    pixels = window - int(window * (1 - overlap))
    for size in sizes:
        image = noise(*size)
        expected = reference.slide(image, probabilities_of(network), window, pixels)
        found = segmenter.scores(image)
        assert found.dtype == np.float32
        np.testing.assert_allclose(np.exp(found), expected, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(segmenter.segment(image), found.argmax(axis=-1))


@pytest.mark.parametrize("window", [12, pytest.param(28, marks=pytest.mark.large)])
def test_windows_of_a_network_of_one_size_are_resized(window) -> None:
    fixed = colour_network(20)
    segmenter = Segmenter(fixed, window=window)

    def network(shown: np.ndarray) -> np.ndarray:
        crop = crop_image(shown, (0, 0, window, window), 20)
        scores = fixed(crop[np.newaxis].astype(np.float32))
        return tf.nn.softmax(tf.image.resize(scores, (window, window), antialias=True)[0]).numpy()

    # Windows of the last one are black for the most part.
    for size in ((19, 40), (9, 14)):
        image = noise(*size)
        expected = reference.slide(image, network, window, window // 4)
        np.testing.assert_allclose(np.exp(segmenter.scores(image)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "overlap"),
    [
        (32, 0.25),
        pytest.param(40, 0.1, marks=pytest.mark.large),
        pytest.param(25, 0.0, marks=pytest.mark.large),
        pytest.param(24, 0.7, marks=pytest.mark.large),
    ],
)
def test_labels_are_those_of_the_whole_image_where_windows_see_as_far_as_the_network(
    network, window: int, overlap: float
) -> None:
    height, width = size = (97, 75)
    image = noise(*size)
    whole = network(image[np.newaxis].astype(np.float32))[0].numpy()
    segmenter = Segmenter(network, window=window, overlap=overlap)
    pixels = window - int(window * (1 - overlap))
    seen = reference.depths(height, width, window, pixels) >= REACH
    found = segmenter.segment(image)
    np.testing.assert_array_equal(found[seen], whole.argmax(axis=-1)[seen])
    logarithms = tf.nn.log_softmax(whole).numpy()
    np.testing.assert_allclose(segmenter.scores(image)[seen], logarithms[seen], atol=1e-4)
    # An overlap as wide as the network sees leaves no other pixel to a single window.
    if pixels >= REACH:
        assert seen[reference.covering(height, width, window, pixels) == 1].all()
    assert 0.2 < seen.mean() < 1


@pytest.mark.large
def test_seams_of_a_deep_network_touch_few_pixels() -> None:
    """Random weights and noise, which no window knows beyond its edge: the hardest case.

    Measured shares of pixels with another label than in the whole image, for overlaps of 0, 1/4 and
    1/2: 7.5, 1.4 and 0.5 % with windows of 256 pixels, 1.4, 0.08 and 0.02 % with 512.
    """
    keras.utils.set_random_seed(1)
    network = UNet(3, width=1 / 16)
    blocks = np.kron(noise(14, 10), np.ones((50, 50, 1), np.uint8))
    image = blocks // 2 + noise(700, 500) // 2
    padded = np.zeros((1, 704, 512, 3), np.float32)
    padded[0, :700, :500] = image
    scores = network(padded)[0, :700, :500].numpy()
    # Of random weights one class wins everywhere; like this, each wins somewhere.
    shift = np.median(scores, axis=(0, 1))
    [layer for layer in network.layers if layer.weights][-1].bias.assign_sub(shift)
    whole = (scores - shift).argmax(axis=-1)
    assert np.bincount(whole.ravel()).min() > 0.1 * whole.size
    shares = {
        (window, overlap): np.mean(
            Segmenter(network, window=window, overlap=overlap).segment(image) != whole
        )
        for window in (256, 512)
        for overlap in (0.0, 0.25, 0.5)
    }
    assert shares[256, 0.25] < 0.03 and shares[512, 0.25] < 0.003, shares
    for window in (256, 512):
        assert shares[window, 0.5] < shares[window, 0.25] < shares[window, 0.0], shares


@pytest.mark.large
def test_an_image_within_a_window_is_seen_as_a_whole() -> None:
    model = open_network(multiple=24)
    windows, whole = Segmenter(model, window=121, flip=True), Segmenter(model, flip=True)
    assert windows._windows[0][0].window == 144
    for size in ((60, 83), (100, 100), (5, 90)):
        image = noise(*size)
        np.testing.assert_allclose(windows.scores(image), whole.scores(image), rtol=0, atol=1e-5)


def test_a_network_that_sees_single_pixels_knows_no_windows() -> None:
    model, options = open_network(), {"flip": True, "scales": (0.5, 1.0, 1.2)}
    windows, whole = Segmenter(model, window=20, **options), Segmenter(model, **options)
    for size in ((60, 83), (7, 45), (90, 20)):
        image = noise(*size)
        np.testing.assert_allclose(windows.scores(image), whole.scores(image), rtol=0, atol=1e-3)


def test_images_of_other_scales_are_computed_from_the_rows_they_need() -> None:
    image = noise(90, 64)
    for scale in (0.4, 0.75, 1.7):
        height, width = round(scale * 90), round(scale * 64)
        shown = tf.raw_ops.ResizeBilinear(
            images=image[np.newaxis], size=[height, width], half_pixel_centers=True
        )
        for top, bottom in ((0, height), (7, 25), (height - 3, height), (12, 13)):
            band = sliding._band(image, height, width, top, bottom)
            np.testing.assert_allclose(band, shown[0, top:bottom], rtol=0, atol=0.02)


def test_a_batch_holds_few_windows_that_are_larger_than_the_input() -> None:
    for window, batch_size in (("auto", 16), (12, 16), (256, 16), (512, 4), (1024, 1), (2000, 1)):
        view = sliding.SlidingWindows(Network(colour_network(20)), window, 0.25, 16)
        assert view.batch_size == batch_size, window
