"""The steps on a canvas of bounded size: the same for ordinary images, bounded for huge ones."""

import math
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run_python
from tests.segmentation.combining import aggregate
from tests.segmentation.networks import colour_network, painted
from tfdeconv.segmentation import pipeline as module
from tfdeconv.segmentation.aggregate import Canvas
from tfdeconv.segmentation.network import Network
from tfdeconv.segmentation.pipeline import MAX_SCORES, Pipeline, canvas_size, label_pixels, rows_of
from tfdeconv.segmentation.regions import ProposedRegions
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.mark.parametrize("classes", [2, 21, 255])
@pytest.mark.parametrize(
    ("height", "width"),
    [
        (1, 1),
        (375, 500),
        (1548, 2064),
        (8000, 10_000),
        (10_000, 8000),
        (9000, 9000),
        (1, 178_000_000),
        (178_000_000, 1),
        (3, 50_000_000),
    ],
)
def test_canvas_is_bounded_and_keeps_the_proportions(height: int, width: int, classes: int) -> None:
    rows, columns = canvas_size(height, width, classes).numpy().tolist()
    assert 1 <= rows <= height and 1 <= columns <= width
    assert rows * columns * classes <= MAX_SCORES
    if height * width * classes <= MAX_SCORES:
        assert (rows, columns) == (height, width)
    else:
        assert rows * columns * classes > 0.98 * MAX_SCORES or min(rows, columns) < 100
    if min(rows, columns) > 100:
        assert rows / columns == pytest.approx(height / width, rel=0.01)


@pytest.mark.parametrize("size", [(1, 1), (375, 500), (8000, 10000), (1, 10**8), (10**8, 1)])
@pytest.mark.parametrize("classes", [2, 21, 255])
def test_canvas_in_plain_numbers(size: tuple[int, int], classes: int) -> None:
    factor = math.sqrt(MAX_SCORES / (size[0] * size[1] * classes))
    expected = size
    if factor < 1:
        narrow = max(1, int(min(size) * factor))
        wide = min(max(size), int(max(size) * factor), MAX_SCORES // (narrow * classes))
        expected = (narrow, wide) if size[0] < size[1] else (wide, narrow)
    assert tuple(canvas_size(*size, classes).numpy()) == expected


def example(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    # Smooth, as scores of a network that are enlarged.
    corners = rng.uniform(-1, 1, (count, 2, 2, 3))
    ramp = np.linspace(0, 1, 8)[None, :, None, None]
    rows = corners[:, :1] * (1 - ramp) + corners[:, 1:] * ramp
    across = np.linspace(0, 1, 8)[None, None, :, None]
    scores = rows[:, :, :1] * (1 - across) + rows[:, :, 1:] * across
    regions = np.array([[-8, -8, 112, 112], [10, 20, 60, 70], [30, -20, 110, 60]], np.int32)
    return scores.astype(np.float32), regions[:count]


def pipeline_of(classes: int, mode: str) -> Pipeline:
    inputs = keras.Input((8, 8, 3))
    network = Network(keras.Model(inputs, keras.layers.Conv2D(classes, 1)(inputs)))
    return Pipeline(network, ProposedRegions(8, boxes=3, batch_size=2), mode)


def all_scores(pipeline: Pipeline, canvas: Canvas) -> np.ndarray:
    return rows_of(pipeline.finish(canvas), 0, 97, 97, 104).numpy()


def labels_of(pipeline: Pipeline, canvas: Canvas, height: int, width: int) -> np.ndarray:
    return label_pixels(pipeline.finish(canvas), height, width)[0].numpy()


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_ordinary_images_are_combined_at_their_own_size(mode: str) -> None:
    scores, regions = example(3)
    pipeline = pipeline_of(3, mode)
    canvas = pipeline.start(97, 104)
    for batch in (slice(0, 2), slice(2, 3)):
        canvas = pipeline.add(canvas, scores[batch], regions[batch], 97, 104)
    expected = aggregate(scores, regions, 97, 104, mode).numpy()
    np.testing.assert_allclose(all_scores(pipeline, canvas), expected, rtol=0, atol=1e-6)
    labels = labels_of(pipeline, canvas, 97, 104)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, all_scores(pipeline, canvas).argmax(axis=-1))


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_a_reduced_canvas_gives_nearly_the_same(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, regions = example(3)
    whole = aggregate(scores, regions, 97, 104, mode).numpy()
    monkeypatch.setattr(module, "MAX_SCORES", 97 * 104 * 3 // 4)
    monkeypatch.setattr(module, "_SCORES_IN_STRIP", 104 * 3 * 10)
    pipeline = pipeline_of(3, mode)
    canvas = pipeline.add(pipeline.start(97, 104), scores, regions, 97, 104)
    assert canvas.count.shape == (48, 52)
    reduced = all_scores(pipeline, canvas)
    assert reduced.shape == whole.shape
    # Only where a region ends can they differ by more than its slope over a pixel.
    assert np.mean(np.abs(reduced - whole) > 0.05) < 0.1
    assert np.abs(reduced - whole).mean() < 0.02
    labels = labels_of(pipeline, canvas, 97, 104)
    np.testing.assert_array_equal(labels, reduced.argmax(axis=-1))
    assert np.mean(labels == whole.argmax(axis=-1)) > 0.96


def test_a_reduced_canvas_is_not_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    # A step in the middle of a region stays in the middle: an enlarged half pixel would show.
    monkeypatch.setattr(module, "MAX_SCORES", 200)
    scores = np.array([[0, 0, 1, 1], [1, 1, 0, 0]], np.float32).T[None, None]
    pipeline = pipeline_of(2, "max")
    canvas = pipeline.add(pipeline.start(20, 40), scores, np.array([[0, 0, 20, 40]]), 20, 40)
    assert canvas.count.shape == (7, 14)
    labels = labels_of(pipeline, canvas, 20, 40)
    assert labels.tolist() == [[1] * 20 + [0] * 20] * 20


@pytest.mark.parametrize("size", [(60, 40), (20, 13)])
def test_confidence_is_the_probability_of_the_label(size: tuple[int, int]) -> None:
    scores = tf.constant(np.random.default_rng(0).normal(0, 3, (20, 13, 4)), tf.float32)
    labels, confidence = label_pixels(scores, *size, module.largest_probability)
    whole = rows_of(scores, 0, size[0], *size).numpy()
    probabilities = np.exp(whole) / np.exp(whole).sum(axis=-1, keepdims=True)
    np.testing.assert_array_equal(labels, whole.argmax(axis=-1))
    np.testing.assert_allclose(confidence, probabilities.max(axis=-1), rtol=1e-5)


def test_labels_are_the_first_of_the_largest() -> None:
    scores = np.array([[[1, 1, 0], [0, 2, 2]], [[0, 0, 0], [-3, -2, -1]]], np.float32)
    (labels,) = label_pixels(scores, 2, 2)
    assert labels.dtype == tf.uint8 and labels.numpy().tolist() == [[0, 1], [0, 2]]


def test_a_batch_is_computed_while_the_one_before_is_combined() -> None:
    pipeline = Segmenter(colour_network(), boxes=5, batch_size=2).pipeline
    see, add, second, seen = pipeline.region_scores, pipeline.add, threading.Event(), []

    def region_scores(image: tf.Tensor, regions: np.ndarray) -> tf.Tensor:
        seen.append(len(regions))
        if len(seen) == 2:
            second.set()
        return see(image, regions)

    def add_slowly(canvas: Canvas, *batch) -> Canvas:
        added.append(1)
        assert second.wait(10), "the second was not computed while the first was combined"
        # Of what has been computed no more than two wait to be combined.
        assert len(seen) <= len(added) + 1
        return add(canvas, *batch)

    added: list[int] = []
    image = painted(50, 40)[0]
    boxes = np.array([[i, i, i + 20, i + 20] for i in range(8)], np.float32)
    expected = pipeline.combined_scores(image, boxes).numpy()
    pipeline.region_scores, pipeline.add = region_scores, add_slowly
    np.testing.assert_array_equal(pipeline.combined_scores(image, boxes), expected)
    assert seen == [2, 2, 2]


PEAK = """
import resource, numpy as np
from tests.segmentation.networks import colour_network
from tfdeconv.segmentation import pipeline
from tfdeconv.segmentation.segmenter import Segmenter
pipeline.MAX_SCORES = 2**18
segmenter = Segmenter(colour_network(), boxes={boxes})
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
segmenter.segment(np.zeros((300, 300, 3), np.uint8))
image = np.zeros(({height}, {width}, 3), np.uint8)
image[:, : {width} // 2, 0] = 255
before = peak()
labels = segmenter.segment(image)
print(peak() - before, (labels == (image[..., 0] == 255)).mean())
"""


def test_memory_does_not_grow_with_the_scores_of_the_image() -> None:
    process = run_python("-c", PEAK.format(height=3000, width=4000, boxes=10))
    assert process.returncode == 0, process.stderr
    megabytes, right = process.stdout.split()
    # Scores at full size would be 137 MB and be held twice; the labels alone are 12 MB.
    assert int(megabytes) < 90
    # A pixel of the network is 300 of the image.
    assert float(right) > 0.95


@pytest.mark.large
def test_an_image_of_80_megapixels() -> None:
    huge = PEAK.replace("pipeline.MAX_SCORES = 2**18", "").format(
        height=8000, width=10_000, boxes=50
    )
    process = run_python("-c", huge, timeout=1200)
    assert process.returncode == 0, process.stderr
    megabytes, right = process.stdout.split()
    assert int(megabytes) < 1800
    assert float(right) > 0.95
