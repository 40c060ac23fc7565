"""The steps of segmentation one by one, each timed and kept for the page of `walkthrough`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tfdeconv.cli.shown import shown_to
from tfdeconv.crf import DenseCRF
from tfdeconv.data.crops import crop_image
from tfdeconv.metrics import confusion_matrix, mean_iou
from tfdeconv.proposals.edges import gradient_edges
from tfdeconv.segmentation.combiner import Combiner
from tfdeconv.segmentation.refine import refine_map
from tfdeconv.segmentation.score_map import ScoreMap, collected, label_pixels, resized
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.segmentation.whole_image import WholeImage
from tfdeconv.visual.aggregation import by_size, panel_counts
from tfdeconv.visual.representative import softmax
from tfdeconv.visual.walk import LARGE, SMALL, Proposed, Sample, Walk, scaled

COUNTS = (1, 5, 10, 25, 50)
_SAMPLES = 5
# As large as Edge Boxes has it, nearly.
_EDGE_PIXELS = 512 * 384


def walk(
    segmenter: Segmenter,
    image: np.ndarray,
    boxes: np.ndarray | None,
    truth: np.ndarray | None,
    name: str,
    times: dict[str, float],
) -> Walk:
    """Does what `Segmenter.segment` does with a CRF, and keeps what happens on the way.

    Args:
        segmenter: One network, without windows or mirror images.
        image: `(height, width, 3)` uint8 RGB.
        boxes: `(n, 4)` proposals, best first; those that the segmenter finds by default.
        truth: `(height, width)` uint8 or None.
        name: What the photograph is called.
        times: Seconds of what was done before; the steps are added.

    Returns:
        The `Walk`.
    """
    height, width = image.shape[:2]
    seen = proposed = None
    if segmenter.input_size is None:
        seen = shown_to(segmenter.model, image)[0]
        with _timed(times, "the network"):
            view = WholeImage(segmenter.model, segmenter.aggregate, False, (1.0,))
            scores = collected(view.scores(image, np.zeros((0, 4), np.float32)))
    else:
        proposed, scores = _proposed(segmenter, image, boxes, truth, times)
    labels = label_pixels(resized(_map_of(scores), height, width))
    with _timed(times, "the CRF"):
        refined = refine_map(DenseCRF(), _map_of(scores), image, segmenter.num_classes)
        refined_labels = label_pixels(resized(refined, height, width))
    names = segmenter.class_names or [f"class {k}" for k in range(segmenter.num_classes)]
    return Walk(
        name,
        segmenter.model.name,
        image,
        truth,
        tuple(names),
        seen,
        proposed,
        _small_probabilities(scores),
        labels,
        refined_labels,
        times,
    )


def _proposed(
    segmenter: Segmenter,
    image: np.ndarray,
    boxes: np.ndarray | None,
    truth: np.ndarray | None,
    times: dict[str, float],
) -> tuple[Proposed, np.ndarray]:
    """Sees the regions of a photograph; returns the combined scores, too."""
    searched = boxes is None and segmenter.proposals == "edges"
    if boxes is None:
        with _timed(times, "proposals"):
            boxes = segmenter.find_boxes(image)
    regions = segmenter.regions(image, boxes)
    growths = [_Growth(mode, segmenter.num_classes, image, truth) for mode in _modes(segmenter)]
    counts, done = panel_counts(len(regions), COUNTS), 0
    for count in counts:
        while done < count:
            batch = regions[done : min(done + segmenter.batch_size, count)]
            with _timed(times, f"the network, {len(regions)} regions"):
                scores = segmenter.region_scores(image, batch)
            with _timed(times, f"aggregation by {segmenter.aggregate}"):
                growths[0].add(scores, batch)
            for other in growths[1:]:
                other.add(scores, batch)
            done += len(batch)
        for growth in growths:
            growth.note(count)
    found = Proposed(
        gradient_edges(scaled(image, _EDGE_PIXELS)).strength if searched else None,
        boxes,
        regions,
        _samples(segmenter, image, regions),
        {growth.mode: growth.labels for growth in growths},
        {growth.mode: growth.mean_ious for growth in growths},
    )
    return found, growths[0].scores()


class _Growth:
    """One way of combining, and what was found after so many regions."""

    def __init__(
        self, mode: str, num_classes: int, image: np.ndarray, truth: np.ndarray | None
    ) -> None:
        self.mode, self._truth, self._size = mode, truth, image.shape[:2]
        self.labels: dict[int, np.ndarray] = {}
        self.mean_ious: dict[int, float] = {}
        self._combiner = Combiner(num_classes, mode)
        self._canvas = self._combiner.start(*self._size)

    def add(self, scores: np.ndarray, regions: np.ndarray) -> None:
        self._canvas = self._combiner.add(self._canvas, scores, regions, *self._size)

    def note(self, count: int) -> None:
        labels = self._combiner.labels(self._canvas, *self._size)
        self.labels[count] = scaled(labels, SMALL)
        if self._truth is not None:
            matrix = confusion_matrix(self._truth, labels, self._combiner.num_classes)
            self.mean_ious[count] = mean_iou(matrix)

    def scores(self) -> np.ndarray:
        return collected(self._combiner.score_map(self._canvas))


def _modes(segmenter: Segmenter) -> list[str]:
    """The way chosen, and another one to compare it with."""
    return [segmenter.aggregate, "mean" if segmenter.aggregate == "max" else "max"]


def _samples(segmenter: Segmenter, image: np.ndarray, regions: np.ndarray) -> list[Sample]:
    ordered, side = by_size(regions), segmenter.model.input_shape[1]
    chosen = np.unique(np.linspace(0, len(ordered) - 1, _SAMPLES).round().astype(int))
    return [
        Sample(
            crop_image(image, region, side).numpy(),
            segmenter.region_scores(image, region[None])[0],
            int(region[2] - region[0]),
        )
        for region in ordered[chosen]
    ]


def _small_probabilities(scores: np.ndarray) -> np.ndarray:
    # A class at a time: OpenCV resizes four channels at most.
    probabilities = softmax(scores)
    small = [scaled(probabilities[..., k], LARGE) for k in range(scores.shape[-1])]
    return np.stack(small, axis=-1)


def _map_of(scores: np.ndarray) -> ScoreMap:
    return ScoreMap(scores.shape[0], scores.shape[1], [scores])


@contextmanager
def _timed(times: dict[str, float], step: str) -> Iterator[None]:
    """Adds the seconds that a step takes."""
    started = time.perf_counter()
    yield
    times[step] = times.get(step, 0.0) + time.perf_counter() - started
