"""Explains the segmentation of one photograph on an HTML page.

The page shows the image, its edges, the proposals, the regions chosen, the network's output for
some of them, aggregation for increasing numbers of regions, probabilities and confidence, the
labels before and after the CRF, and the time of each step. For networks that accept any image size
it shows the network input instead of proposals and aggregation. With --truth the page also shows
the errors.

  tfdeconv walkthrough runs/stage2 photo.jpg --out page.html
  tfdeconv walkthrough runs/stage2 photo.jpg --out page.html --boxes 20 --aggregate mean
  tfdeconv walkthrough runs/fcn8s DATA/JPEGImages/a.jpg --out page.html \\
      --truth DATA/SegmentationClass/a.png
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tfdeconv.cli import options

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfdeconv.segmentation.segmenter import Segmenter
    from tfdeconv.visual.walkthrough import Proposed, Walk

_COUNTS = (1, 5, 10, 25, 50)
_SAMPLES = 5
# Nearly the size at which Edge Boxes computes edges.
_EDGE_PIXELS = 512 * 384


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; regions are chosen and merged as in `segment`."""
    options.add_model(parser)
    parser.add_argument("image", metavar="IMAGE", help="a photograph")
    parser.add_argument("--out", metavar="FILE.html", required=True, help="page to write")
    parser.add_argument(
        "--truth",
        metavar="LABELS.png",
        help="ground-truth label map of the image, to show the errors",
    )
    options.add_regions(parser)
    options.add_proposals(parser)


def run(args: argparse.Namespace) -> None:
    """Segments the photograph, writes the page and prints its path and size."""
    from tfdeconv.images import read_image
    from tfdeconv.visual.walkthrough import walkthrough_page

    path, out = Path(args.image), options.output_file(args.out, ".html", ".htm")
    times: dict[str, float] = {}
    with _timed(times, "reading the photograph"):
        image = read_image(path)
    segmenter, proposals = options.open_segmenter(args)
    truth = None if args.truth is None else _truth(args, image, segmenter)
    boxes = None if proposals is None else options.boxes_of(path, proposals)
    walkthrough_page(walk(segmenter, image, boxes, truth, path.name, times)).write(out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {sum(times.values()):.1f} s")


def walk(
    segmenter: Segmenter,
    image: np.ndarray,
    boxes: np.ndarray | None,
    truth: np.ndarray | None,
    name: str,
    times: dict[str, float],
) -> Walk:
    """Segments a photograph with a CRF and keeps the intermediate results.

    Args:
        segmenter: One network, without windows and mirror images.
        image: `(height, width, 3)` uint8 RGB.
        boxes: `(n, 4)` proposals, best first; those of the segmenter by default.
        truth: `(height, width)` uint8 or None.
        name: The name of the photograph.
        times: Seconds of earlier steps; the steps are added.

    Returns:
        The `Walk`.
    """
    import numpy as np

    from tfdeconv.crf import DenseCRF
    from tfdeconv.segmentation.pipeline import label_pixels, refine
    from tfdeconv.visual.activations import softmax
    from tfdeconv.visual.walkthrough import Walk

    height, width = image.shape[:2]
    pipeline, network_input, proposed = segmenter.pipeline, None, None
    if segmenter.input_size is None:
        network_input = pipeline.pictures(image, segmenter.regions(image)).numpy()[0]
        with _timed(times, "the network"):
            scores = pipeline.combined_scores(image, np.zeros((0, 4), np.float32))
    else:
        proposed, scores = _proposed(segmenter, image, boxes, times)
    labels = label_pixels(scores, height, width)[0].numpy()
    with _timed(times, "the CRF"):
        refined = label_pixels(refine(DenseCRF(), scores, image), height, width)[0].numpy()
    names = segmenter.class_names or [f"class {k}" for k in range(segmenter.num_classes)]
    return Walk(
        name,
        segmenter.model.name,
        image,
        truth,
        tuple(names),
        network_input,
        proposed,
        softmax(scores.numpy()),
        labels,
        refined,
        times,
    )


def _proposed(
    segmenter: Segmenter,
    image: np.ndarray,
    boxes: np.ndarray | None,
    times: dict[str, float],
) -> tuple[Proposed, tf.Tensor]:
    """Runs the network on the regions of a photograph; returns the combined scores, too."""
    import numpy as np

    from tfdeconv.cli.visualize import Growth
    from tfdeconv.proposals.edges import gradient_edges
    from tfdeconv.segmentation.pipeline import Pipeline
    from tfdeconv.visual.regions import by_size, panel_counts
    from tfdeconv.visual.walkthrough import Proposed, Sample, scaled

    edges = None
    if boxes is None:
        with _timed(times, "proposals"):
            boxes = segmenter.find_boxes(image)
        if segmenter.proposals == "edges":
            edges = gradient_edges(scaled(image, _EDGE_PIXELS)).strength
    regions, own = segmenter.regions(image, boxes), segmenter.pipeline
    other = Pipeline(own.network, own.view, "mean" if own.mode == "max" else "max")
    counts = panel_counts(len(regions), _COUNTS)
    growths = [Growth(one, image, counts) for one in (own, other)]
    ordered = by_size(regions)
    drawn = ordered[np.unique(np.linspace(0, len(ordered) - 1, _SAMPLES).round().astype(int))]
    wanted, logits = set(map(tuple, drawn.tolist())), {}
    observing: dict[str, float] = {}

    def observe(batch: np.ndarray, scores: tf.Tensor) -> None:
        with _timed(observing, "seconds"):
            for growth in growths:
                growth.observe(batch, scores)
            for region, one in zip(map(tuple, batch.tolist()), scores, strict=True):
                if region in wanted:
                    logits[region] = one.numpy()

    step = f"network and aggregation, {len(regions)} regions"
    with _timed(times, step):
        scores = own.combined_scores(image, boxes, observe)
    times[step] -= observing["seconds"]
    crops = own.pictures(image, drawn).numpy()
    samples = [
        Sample(region, crop, logits[tuple(region.tolist())])
        for region, crop in zip(drawn, crops, strict=True)
    ]
    labels = {growth.pipeline.mode: growth.labels for growth in growths}
    return Proposed(edges, boxes, regions, samples, labels), scores


def _truth(args: argparse.Namespace, image: np.ndarray, segmenter: Segmenter) -> np.ndarray:
    import numpy as np

    from tfdeconv.errors import UserError
    from tfdeconv.images import read_labels
    from tfdeconv.labels import IGNORE_LABEL

    truth = read_labels(args.truth, segmenter.class_names)
    if truth.shape != image.shape[:2]:
        raise UserError(
            f"`{args.truth}` must be as large as the photograph, {image.shape[1]}x"
            f"{image.shape[0]}. Received: {truth.shape[1]}x{truth.shape[0]}. Give the label map of "
            "this photograph."
        )
    judged = truth[truth != IGNORE_LABEL]
    if judged.size and (most := int(np.max(judged))) >= segmenter.num_classes:
        raise UserError(
            f"`{args.truth}` must have labels below {segmenter.num_classes}, the network's "
            f"classes. Received: {most}. Choose a network trained on the same classes."
        )
    return truth


@contextmanager
def _timed(times: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    times[step] = times.get(step, 0.0) + time.perf_counter() - started
