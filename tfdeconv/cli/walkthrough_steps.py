"""The steps of segmentation one by one, each timed and kept for the page of `walkthrough`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from tfdeconv.cli.shown import shown_to
from tfdeconv.crf import DenseCRF
from tfdeconv.data.crops import crop_image
from tfdeconv.metrics import confusion_matrix, mean_iou
from tfdeconv.proposals.edges import gradient_edges
from tfdeconv.segmentation.pipeline import Pipeline, label_pixels, refine
from tfdeconv.segmentation.segmenter import Segmenter
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
            scores = segmenter.pipeline.combined_scores(image, np.zeros((0, 4), np.float32))
    else:
        proposed, scores = _proposed(segmenter, image, boxes, truth, times)
    labels = label_pixels(scores, height, width)[0].numpy()
    with _timed(times, "the CRF"):
        refined = refine(DenseCRF(), scores, image)
        refined_labels = label_pixels(refined, height, width)[0].numpy()
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
) -> tuple[Proposed, tf.Tensor]:
    """Sees the regions of a photograph; returns the combined scores, too."""
    searched = boxes is None and segmenter.proposals == "edges"
    if boxes is None:
        with _timed(times, "proposals"):
            boxes = segmenter.find_boxes(image)
    regions = segmenter.regions(image, boxes)
    pipeline = segmenter.pipeline
    growths = [_Growth(one, image, truth) for one in _pipelines(segmenter)]
    counts, done = panel_counts(len(regions), COUNTS), 0
    for count in counts:
        while done < count:
            batch = regions[done : min(done + pipeline.batch_size, count)]
            with _timed(times, f"the network, {len(regions)} regions"):
                scores = pipeline.region_scores(image, batch)
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
        {growth.pipeline.mode: growth.labels for growth in growths},
        {growth.pipeline.mode: growth.mean_ious for growth in growths},
    )
    return found, growths[0].scores()


class _Growth:
    """One way of combining, and what was found after so many regions."""

    def __init__(self, pipeline: Pipeline, image: np.ndarray, truth: np.ndarray | None) -> None:
        self.pipeline, self._truth, self._size = pipeline, truth, image.shape[:2]
        self.labels: dict[int, np.ndarray] = {}
        self.mean_ious: dict[int, float] = {}
        self._canvas = pipeline.start(*self._size)

    def add(self, scores: tf.Tensor, regions: np.ndarray) -> None:
        self._canvas = self.pipeline.add(self._canvas, scores, regions, *self._size)

    def note(self, count: int) -> None:
        labels = label_pixels(self.scores(), *self._size)[0].numpy()
        self.labels[count] = scaled(labels, SMALL)
        if self._truth is not None:
            matrix = confusion_matrix(self._truth, labels, self.pipeline.num_classes)
            self.mean_ious[count] = mean_iou(matrix)

    def scores(self) -> tf.Tensor:
        return self.pipeline.finish(self._canvas)


def _pipelines(segmenter: Segmenter) -> list[Pipeline]:
    """The steps as chosen, and with another way of combining to compare with."""
    own = segmenter.pipeline
    other = "mean" if segmenter.aggregate == "max" else "max"
    return [own, Pipeline(own.network, own.view, other)]


def _samples(segmenter: Segmenter, image: np.ndarray, regions: np.ndarray) -> list[Sample]:
    ordered, side = by_size(regions), segmenter.model.input_shape[1]
    chosen = np.unique(np.linspace(0, len(ordered) - 1, _SAMPLES).round().astype(int))
    return [
        Sample(
            crop_image(image, region, side).numpy(),
            segmenter.pipeline.region_scores(image, region[None])[0].numpy(),
            int(region[2] - region[0]),
        )
        for region in ordered[chosen]
    ]


def _small_probabilities(scores: tf.Tensor) -> np.ndarray:
    # A class at a time: OpenCV resizes four channels at most.
    probabilities = softmax(scores.numpy())
    small = [scaled(probabilities[..., k], LARGE) for k in range(scores.shape[-1])]
    return np.stack(small, axis=-1)


@contextmanager
def _timed(times: dict[str, float], step: str) -> Iterator[None]:
    """Adds the seconds that a step takes."""
    started = time.perf_counter()
    yield
    times[step] = times.get(step, 0.0) + time.perf_counter() - started
