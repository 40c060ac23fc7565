"""Combining on a canvas of bounded size: the same for ordinary images, bounded for huge ones."""

import numpy as np
import pytest

from tests.helpers import run_python
from tfdeconv.segmentation import combiner as module
from tfdeconv.segmentation.aggregate import Canvas, aggregate
from tfdeconv.segmentation.combiner import MAX_SCORES, Combiner, canvas_size
from tfdeconv.segmentation.score_map import collected, resized


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
    rows, columns = canvas_size(height, width, classes)
    assert 1 <= rows <= height and 1 <= columns <= width
    assert rows * columns * classes <= MAX_SCORES
    if height * width * classes <= MAX_SCORES:
        assert (rows, columns) == (height, width)
    else:
        assert rows * columns * classes > 0.98 * MAX_SCORES or min(rows, columns) < 100
    if min(rows, columns) > 100:
        assert rows / columns == pytest.approx(height / width, rel=0.01)


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


def all_scores(combiner: Combiner, canvas: Canvas) -> np.ndarray:
    return collected(resized(combiner.score_map(canvas), 97, 104))


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_ordinary_images_are_combined_at_their_own_size(mode: str) -> None:
    scores, regions = example(3)
    combiner = Combiner(3, mode)
    canvas = combiner.start(97, 104)
    for batch in (slice(0, 2), slice(2, 3)):
        canvas = combiner.add(canvas, scores[batch], regions[batch], 97, 104)
    expected = aggregate(scores, regions, 97, 104, mode).numpy()
    np.testing.assert_allclose(all_scores(combiner, canvas), expected, rtol=0, atol=1e-6)
    labels = combiner.labels(canvas, 97, 104)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, all_scores(combiner, canvas).argmax(axis=-1))


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_a_reduced_canvas_gives_nearly_the_same(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, regions = example(3)
    whole = aggregate(scores, regions, 97, 104, mode).numpy()
    monkeypatch.setattr(module, "MAX_SCORES", 97 * 104 * 3 // 4)
    monkeypatch.setattr(module, "_SCORES_IN_STRIP", 104 * 3 * 10)
    combiner = Combiner(3, mode)
    canvas = combiner.add(combiner.start(97, 104), scores, regions, 97, 104)
    assert canvas.count.shape == (48, 52)
    reduced = all_scores(combiner, canvas)
    assert reduced.shape == whole.shape
    # Only where a region ends can they differ by more than its slope over a pixel.
    assert np.mean(np.abs(reduced - whole) > 0.05) < 0.1
    assert np.abs(reduced - whole).mean() < 0.02
    labels = combiner.labels(canvas, 97, 104)
    np.testing.assert_array_equal(labels, reduced.argmax(axis=-1))
    assert np.mean(labels == whole.argmax(axis=-1)) > 0.96


def test_a_reduced_canvas_is_not_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    # A step in the middle of a region stays in the middle: an enlarged half pixel would show.
    monkeypatch.setattr(module, "MAX_SCORES", 200)
    scores = np.array([[0, 0, 1, 1], [1, 1, 0, 0]], np.float32).T[None, None]
    combiner = Combiner(2, "max")
    canvas = combiner.add(combiner.start(20, 40), scores, np.array([[0, 0, 20, 40]]), 20, 40)
    assert canvas.count.shape == (7, 14)
    labels = combiner.labels(canvas, 20, 40)
    assert labels.tolist() == [[1] * 20 + [0] * 20] * 20


PEAK = """
import resource, numpy as np
from tests.segmentation.networks import colour_network
from tfdeconv.segmentation import combiner
from tfdeconv.segmentation.segmenter import Segmenter
combiner.MAX_SCORES = 2**18
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
    huge = PEAK.replace("combiner.MAX_SCORES = 2**18", "").format(
        height=8000, width=10_000, boxes=50
    )
    process = run_python("-c", huge, timeout=1200)
    assert process.returncode == 0, process.stderr
    megabytes, right = process.stdout.split()
    assert int(megabytes) < 1800
    assert float(right) > 0.95
