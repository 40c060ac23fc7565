"""The segmenter with windows: sizes, memory, a second network, the CRF, and what is refused."""

import keras
import numpy as np
import pytest

from tests.helpers import run_python
from tests.segmentation.networks import CountsTraces, colour_network, noise, open_network, painted
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.segmentation.averaging import mean_probabilities
from tfdeconv.segmentation.pipeline import refine
from tfdeconv.segmentation.segmenter import Segmenter


def test_the_window_of_a_network_is_its_input() -> None:
    fixed = Segmenter(colour_network(16), window="auto", overlap=0.5)
    assert fixed.regions(noise(16, 27)).tolist() == [
        [0, 0, 16, 16],
        [0, 8, 16, 24],
        [0, 11, 16, 27],
    ]
    assert len(fixed.find_boxes(noise(16, 27))) == 0
    image, labels = painted(60, 83)
    np.testing.assert_array_equal(fixed.segment(image), labels)
    windows = Segmenter(open_network(24), window="auto", overlap=0.0).regions(noise(600, 528))
    assert windows.tolist() == [[0, 0, 528, 528], [72, 0, 600, 528]]


def test_one_trace_for_all_sizes_and_batches_of_bounded_pixels() -> None:
    network = open_network()
    network = keras.Model(network.input, CountsTraces()(network.output))
    CountsTraces.traces.clear()
    segmenter = Segmenter(network, window=20, scales=(1.0, 1.5))
    for size in ((9, 9), (20, 31), (60, 20), (1, 1)):
        assert segmenter.segment(noise(*size)).shape == size
    assert CountsTraces.traces == [(None, None, None, 3)]
    assert segmenter.batch_size == 16
    assert Segmenter(network, window=512).batch_size == 4
    assert Segmenter(network, window=2000).batch_size == 1


@pytest.mark.parametrize("second", ["fixed", "open"])
def test_windows_are_those_of_both_networks(second: str) -> None:
    image, other = noise(40, 33), colour_network(12) if second == "fixed" else open_network(24)
    options = {"window": 16, "overlap": 0.4, "flip": True}
    both = Segmenter(colour_network(), ensemble=other, **options)
    alone = [Segmenter(model, **options).scores(image) for model in (colour_network(), other)]
    np.testing.assert_allclose(both.scores(image), mean_probabilities(*alone), rtol=0, atol=1e-5)


@pytest.mark.large
def test_the_crf_refines_what_windows_say(monkeypatch: pytest.MonkeyPatch) -> None:
    image, labels = painted(40, 60)
    crf = DenseCRF(gaussian=(3, 3), bilateral=(20, 10, 5), iterations=2)
    segmenter = Segmenter(colour_network(), window=20, crf=crf)
    expected = refine(crf, segmenter.scores(image), image)
    np.testing.assert_array_equal(segmenter.segment(image), np.argmax(expected, axis=-1))
    monkeypatch.setattr("tfdeconv.segmentation.pipeline.MAX_SCORES", 3 * 800)
    found = segmenter.segment(image)
    assert found.shape == labels.shape and np.mean(found == labels) > 0.9


def test_nan_and_sizes_that_a_network_cannot_take_are_told() -> None:
    network = colour_network()
    network.layers[1].bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(UserError, match="Received: NaN or infinite scores"):
        Segmenter(network, window=20).segment(noise(9, 9))
    inputs = keras.Input((None, None, 3))
    doubled = keras.layers.UpSampling2D(2)(keras.layers.MaxPooling2D(2)(inputs))
    x = keras.layers.Conv2D(3, 1)(keras.layers.Concatenate()([inputs, doubled]))
    with pytest.raises(UserError, match=r"images of every size\. Received: for 9x9 pixels"):
        Segmenter(keras.Model(inputs, x), window=9).segment(noise(20, 20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "`window` must be a whole number of pixels from 1 to 2048.*window=0"),
        ({"window": 2.5}, r"`window` must be .*window=2\.5"),
        ({"window": "large"}, "`window` must be .*'auto', or None.*window='large'"),
        (
            {"window": 9, "overlap": 0.95},
            r"`overlap` must be a share .*0 to 0\.9.*overlap=0\.95",
        ),
        ({"window": 9, "overlap": np.nan}, "`overlap` must be .*overlap=nan"),
    ],
)
def test_windows_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segmenter(open_network(), **options)


def test_raw_scores_are_refused() -> None:
    for options in ({"aggregate": "raw_max"}, {"ensemble": "x", "ensemble_mode": "product"}):
        for view in ({"window": 9}, {"flip": True}, {"scales": (0.5,)}):
            with pytest.raises(UserError, match="cannot be combined with raw logits"):
                Segmenter(open_network(), **options, **view)


PEAK = """
import resource, keras, numpy as np
from tfdeconv.segmentation.segmenter import Segmenter
inputs = keras.Input((None, None, 3))
x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
network = keras.Model(inputs, keras.layers.Conv2D({classes}, 3, padding="same")(x))
segmenter = Segmenter(network, window=512, **{options})
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
blocks = np.random.default_rng(0).integers(0, 256, ({height} // 50, {width} // 50, 3))
image = np.kron(blocks.astype(np.uint8), np.ones((50, 50, 1), np.uint8))
segmenter.segment(image[:300, :300])
before = peak()
labels = segmenter.segment(image)
print(peak() - before)
# Where a single window is, and one row of it is enough, the whole image says the same.
whole = network.predict_on_batch(image[None, 1000:1250].astype(np.float32))[0].argmax(axis=-1)
print(np.mean(labels[1010:1240] == whole[10:-10]))
"""


# The allocator gives every block above a megabyte back at once. By default the heaps of a dozen
# threads each keep some blocks of 25 MB: 300 MB in all, reached after half of 24,000 rows.
NOTHING_KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


def grown(environment: dict[str, str] | None = None, **settings) -> tuple[int, float]:
    """Megabytes by which the peak grows, and the share of labels that are the whole image's."""
    code = PEAK.format(**{"options": {}, **settings})
    process = run_python("-c", code, timeout=900, **(environment or {}))
    assert process.returncode == 0, process.stderr
    megabytes, right = process.stdout.split()
    return int(megabytes), float(right)


@pytest.mark.large
def test_memory_for_24_megapixels() -> None:
    megabytes, right = grown(height=4000, width=6000, classes=21)
    # Scores of all pixels would be 2 GB.
    assert megabytes < 1500 and right > 0.995, (megabytes, right)


@pytest.mark.large
def test_memory_does_not_grow_with_the_height() -> None:
    short, _ = grown(NOTHING_KEPT, height=1500, width=1000, classes=21)
    tall, right = grown(NOTHING_KEPT, height=24_000, width=1000, classes=21)
    # But for the labels, 24 MB.
    assert tall < short + 100 and right > 0.995, (short, tall, right)


@pytest.mark.large
def test_memory_with_mirror_images_and_scales() -> None:
    options = {"flip": True, "scales": (0.75, 1.0, 1.25)}
    megabytes, _ = grown(height=1500, width=3000, classes=21, options=options)
    assert megabytes < 3000, megabytes
