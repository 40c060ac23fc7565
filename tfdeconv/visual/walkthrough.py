"""The page that shows one photograph on its way from proposals to the final label map.

Photographs of any size are resized to one size of the page, and boxes with them, so that lines are
thin and the size of the page is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.metrics import confusion_matrix, iou_per_class, mean_iou
from tfdeconv.visual.activations import softmax
from tfdeconv.visual.pictures import PAPER, colour_map, fitted, overlay, resized
from tfdeconv.visual.regions import with_boxes
from tfdeconv.visual.report import Report

LARGE, SMALL = 560 * 420, 280 * 210
_LONGEST, _MOST_ENLARGED = 1200, 4
# With this no photograph makes a page of three megabytes.
_BYTES_PER_PIXEL = 0.3
_BEST, _DRAWN = 10, 50
_CROP = (224, 224)
_MOST_CLASSES, _LEAST_PROBABILITY = 8, 0.02
_WRONG, _DIMMED = (255, 94, 77), 0.4


class Sample(NamedTuple):
    """One region: its box, its crop `(size, size, 3)` in [0, 255], and the network's logits."""

    region: np.ndarray
    crop: np.ndarray
    logits: np.ndarray


class Proposed(NamedTuple):
    """The regions of a photograph, for a network with one input size.

    Attributes:
        edges: `(rows, columns)` float32 in [0, 1], where proposals were computed, or None.
        boxes: `(n, 4)` proposals, best first.
        regions: `(m, 4)` the regions that were chosen.
        samples: Some of them, the largest first.
        growth: Aggregation mode -> number of regions -> `(height, width)` uint8 labels after so
            many.
    """

    edges: np.ndarray | None
    boxes: np.ndarray
    regions: np.ndarray
    samples: list[Sample]
    growth: Mapping[str, Mapping[int, np.ndarray]]


class Walk(NamedTuple):
    """The intermediate results of segmentation for one photograph.

    Attributes:
        name: Its file's name.
        network: The network's name.
        image: `(height, width, 3)` uint8 RGB.
        truth: `(height, width)` uint8 or None.
        class_names: The name of every class.
        network_input: `(rows, columns, 3)`, of a network without an input size; None for another.
        proposed: The regions of a network with an input size; None for another.
        probabilities: `(height, width, classes)` float32, or smaller for a very large photograph.
        labels: `(height, width)` uint8.
        refined: `(height, width)` uint8, after the CRF.
        times: Step -> seconds.
    """

    name: str
    network: str
    image: np.ndarray
    truth: np.ndarray | None
    class_names: tuple[str, ...]
    network_input: np.ndarray | None
    proposed: Proposed | None
    probabilities: np.ndarray
    labels: np.ndarray
    refined: np.ndarray
    times: Mapping[str, float]


def walkthrough_page(walk: Walk) -> Report:
    """Makes the page, with a section for every step; its size is bounded for any photograph."""
    height, width = walk.image.shape[:2]
    report = Report(
        f"{walk.name}, step by step",
        f"How {walk.network} segments a photograph of {width} x {height} pixels.",
        _BYTES_PER_PIXEL,
    )
    report.add_key_figures(_key_figures(walk))
    _add_photograph(report, walk, 1)
    number = 2
    if walk.network_input is not None:
        _add_input(report, walk.network_input, number)
        number += 1
    if walk.proposed is not None:
        for add in (_add_proposals, _add_samples, _add_growth):
            add(report, walk, walk.proposed, number)
            number += 1
    for index, add_step in enumerate((_add_probabilities, _add_crf, _add_result)):
        add_step(report, walk, number + index)
    return report


def scaled(image: np.ndarray, pixels: int = LARGE) -> np.ndarray:
    """Resizes a photograph, a map of values or a label map to an area in pixels, as `resized` does.

    The longer side is at most 1200 pixels, and small images are enlarged at most four times.

    Example:

    >>> scaled(np.zeros((3000, 4000, 3), np.uint8)).shape
    (420, 560, 3)
    """
    height, width = image.shape[:2]
    factor = min(
        math.sqrt(pixels / (height * width)), _LONGEST / max(height, width), _MOST_ENLARGED
    )
    return resized(image, (max(1, round(factor * height)), max(1, round(factor * width))))


def marked(
    photograph: np.ndarray, pixels: np.ndarray, ignored: np.ndarray | None = None
) -> np.ndarray:
    """Marks pixels in red over a dimmed gray photograph; ignored ones are white.

    Example:

    >>> marked(np.zeros((1, 2, 3), np.uint8), np.array([[True, False]])).tolist()
    [[[255, 94, 77], [0, 0, 0]]]
    """
    picture = _gray(_DIMMED / 255 * photograph.mean(-1))
    if ignored is not None:
        picture[ignored] = PAPER
    picture[pixels] = _WRONG
    return picture


def errors(photograph: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Marks the pixels whose label is not the truth, white where that is 255; see `marked`."""
    ignored = truth == IGNORE_LABEL
    return marked(photograph, (labels != truth) & ~ignored, ignored)


def _key_figures(walk: Walk) -> list[tuple[str, str]]:
    figures = [(f"{sum(walk.times.values()):.1f} s", "from the file to the labels")]
    if walk.proposed is not None:
        figures = [
            (f"{len(walk.proposed.boxes)}", "proposals"),
            (f"{len(walk.proposed.regions)}", "regions"),
            *figures,
        ]
    changed = np.count_nonzero(walk.refined != walk.labels) / walk.labels.size
    figures.append((f"{100 * changed:.1f} %", "of the pixels changed by the CRF"))
    if walk.truth is not None:
        matrix = confusion_matrix(walk.truth, walk.refined, len(walk.class_names))
        figures.append((f"{mean_iou(matrix):.2f}", "mean IoU with the truth"))
    return figures


def _add_photograph(report: Report, walk: Walk, number: int) -> None:
    report.add_section(f"{number}. Photograph")
    picture = scaled(walk.image)
    if walk.truth is None:
        report.add_panels(["photograph"], [[picture]])
        return
    report.add_panels(["photograph", "truth"], [[picture, _tinted(picture, walk.truth)]])
    _add_legend(report, walk, walk.truth)


def _add_input(report: Report, network_input: np.ndarray, number: int) -> None:
    rows, columns = network_input.shape[:2]
    report.add_section(
        f"{number}. Network input",
        f"This network takes images of any size. It runs on the full image at {columns} x {rows} "
        "pixels: a longer side above 500 pixels is reduced to 500, and the image is padded with "
        "the mean colour to a size that the network's strides divide. There are no proposals and "
        "no aggregation.",
    )
    picture = scaled(np.clip(network_input, 0, 255).astype(np.uint8))
    report.add_panels([f"{columns} x {rows} pixels"], [[picture]])


def _add_proposals(report: Report, walk: Walk, proposed: Proposed, number: int) -> None:
    picture = scaled(walk.image)
    scale = picture.shape[1] / walk.image.shape[1]
    count, drawn = len(proposed.boxes), min(_DRAWN, len(proposed.boxes))
    source = (
        "Edge Boxes finds boxes with complete outlines: many edges inside, few that cross the "
        "border."
        if proposed.edges is not None
        else "The boxes are a grid or come from a file."
    )
    report.add_section(
        f"{number}. Proposals and regions",
        f"{source} There are {count} proposals. The best {drawn} are drawn, the best "
        f"{min(_BEST, count)} of them in yellow.",
        f"The network runs on {len(proposed.regions)} regions: the full photograph, and squares "
        "around the best proposals with a margin of a fifth. Proposals that are too small or equal "
        "to an earlier region are skipped. Regions are cut at the border in the picture.",
    )
    best = proposed.boxes[:_DRAWN][::-1] * scale
    panels = {
        "proposals": with_boxes(picture, best, max(0, len(best) - _BEST)),
        f"{len(proposed.regions)} regions": with_boxes(picture, proposed.regions * scale, 0),
    }
    if proposed.edges is not None:
        panels = {"edges": _gray(1 - np.sqrt(scaled(proposed.edges))), **panels}
    report.add_panels(list(panels), [list(panels.values())])


def _add_samples(report: Report, walk: Walk, proposed: Proposed, number: int) -> None:
    samples, background = proposed.samples, walk.class_names[0]
    report.add_section(
        f"{number}. Single regions",
        f"Every region is resized to {samples[0].crop.shape[0]} x {samples[0].crop.shape[1]} "
        f"pixels, black outside the photograph, and has logits of its own. {len(samples)} regions "
        "are drawn, the largest first: small objects appear in small regions. To the right of the "
        f"labels: the probability that a pixel is not {background}, and the probability of its "
        "label. The brightest colour is 100 %.",
    )
    rows, found = [], set()
    for sample in samples:
        probabilities = softmax(sample.logits)
        labels = probabilities.argmax(-1).astype(np.uint8)
        found |= set(np.unique(labels).tolist())
        crop = fitted(np.clip(sample.crop, 0, 255).astype(np.uint8), _CROP)
        rows.append(
            [
                crop,
                overlay(crop, fitted(labels, _CROP)),
                _share_picture(1 - probabilities[..., 0], crop),
                _share_picture(probabilities.max(-1), crop),
            ]
        )
    report.add_panels(["region", "labels", f"not {background}", "the label"], rows)
    _add_legend(report, walk, np.array(sorted(found)))


def _add_growth(report: Report, walk: Walk, proposed: Proposed, number: int) -> None:
    report.add_section(
        f"{number}. Aggregation",
        "Regions overlap, and their scores are merged per pixel, the best proposals first; new "
        "regions are yellow. Mode max takes the largest log probability of each class, mean the "
        "mean of the log probabilities; the authors' code takes the largest raw score. The "
        f"following sections show mode {next(iter(proposed.growth))}.",
    )
    picture = scaled(walk.image, SMALL)
    regions = proposed.regions * (picture.shape[1] / walk.image.shape[1])
    counts = list(next(iter(proposed.growth.values())))
    titles = [f"{count} region{'s' * (count != 1)}" for count in counts]
    olds = [0, *counts[:-1]]
    boxes = [with_boxes(picture, regions[:k], old) for k, old in zip(counts, olds, strict=True)]
    report.add_panels(titles, [boxes])
    for mode, labels in proposed.growth.items():
        titles = [f"{mode}, {count}" for count in labels]
        if walk.truth is not None:
            classes = len(walk.class_names)
            matrices = [confusion_matrix(walk.truth, one, classes) for one in labels.values()]
            ious = map(mean_iou, matrices)
            titles = [f"{t}: IoU {iou:.2f}" for t, iou in zip(titles, ious, strict=True)]
        report.add_panels(titles, [[_tinted(picture, one) for one in labels.values()]])
    found = [one.ravel() for labels in proposed.growth.values() for one in labels.values()]
    _add_legend(report, walk, np.concatenate(found))


def _add_probabilities(report: Report, walk: Walk, number: int) -> None:
    likeliest = walk.probabilities.reshape(-1, len(walk.class_names)).max(0)
    ids = [k for k in np.argsort(-likeliest) if likeliest[k] >= _LEAST_PROBABILITY]
    report.add_section(
        f"{number}. Probabilities",
        "Confidence is the probability of the most probable class of each pixel. The other panels "
        "are the probabilities of the classes, the most probable class first. The brightest colour "
        "is 100 %, black is 0."
        + " Merged scores are normalised to a sum of 100 % per pixel."
        * (walk.proposed is not None),
    )
    picture = scaled(walk.image, SMALL)
    figures = [("confidence", _share_picture(walk.probabilities.max(-1), picture))]
    for k in ids[:_MOST_CLASSES]:
        caption = f"{walk.class_names[k]}, at most {100 * likeliest[k]:.0f} %"
        figures.append((caption, _share_picture(walk.probabilities[..., k], picture)))
    report.add_figures(figures)


def _add_crf(report: Report, walk: Walk, number: int) -> None:
    changed = walk.refined != walk.labels
    share = 100 * np.count_nonzero(changed) / changed.size
    report.add_section(
        f"{number}. CRF",
        "A fully connected CRF assigns equal labels to pixels of similar colour and position. It "
        f"changed the labels of {share:.1f} % of the pixels, marked in red."
        + " In the row below, wrong labels are red and ignored pixels white."
        * (walk.truth is not None),
    )
    picture = scaled(walk.image)
    mark = resized(changed.astype(np.uint8), picture.shape[:2]).astype(bool)
    before, after = (_tinted(picture, one) for one in (walk.labels, walk.refined))
    report.add_panels(["before", "after", "changed"], [[before, after, marked(picture, mark)]])
    if walk.truth is not None:
        truth, *found = (
            resized(one, picture.shape[:2]) for one in (walk.truth, walk.labels, walk.refined)
        )
        wrong = [errors(picture, one, truth) for one in found]
        report.add_panels(["wrong before", "wrong after"], [wrong])


def _add_result(report: Report, walk: Walk, number: int) -> None:
    report.add_section(f"{number}. Result")
    picture = scaled(walk.image)
    report.add_panels(["photograph", "labels"], [[picture, _tinted(picture, walk.refined)]])
    _add_legend(report, walk, walk.refined)
    maps = [walk.labels, walk.refined]
    found = {*np.unique(walk.labels).tolist(), *np.unique(walk.refined).tolist()}
    header, ious = ["class", "share before the CRF", "share after it"], []
    if walk.truth is not None:
        found |= set(np.unique(walk.truth).tolist()) - {IGNORE_LABEL}
        matrices = [confusion_matrix(walk.truth, one, len(walk.class_names)) for one in maps]
        ious = [iou_per_class(matrix) for matrix in matrices]
        header += ["IoU before the CRF", "IoU after it"]
    rows: list[list[str | float]] = []
    for k in sorted(found):
        shares = [np.count_nonzero(one == k) / one.size for one in maps]
        rows.append([walk.class_names[k], *shares, *(float(iou[k]) for iou in ious)])
    report.add_table(header, rows)
    times = [[step, f"{seconds:.2f} s"] for step, seconds in walk.times.items()]
    report.add_table(["step", "time"], times, ["total", f"{sum(walk.times.values()):.2f} s"])
    report.add_note(
        "These are the times of the first photograph of a process, in which graphs are built. "
        "Later ones are faster. Loading the network is not included."
    )


def _add_legend(report: Report, walk: Walk, labels: np.ndarray) -> None:
    if ids := sorted(set(np.unique(labels).tolist()) - {0}):
        report.add_legend(walk.class_names, ids)


def _tinted(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return overlay(picture, resized(labels, picture.shape[:2]))


def _share_picture(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Shows values in [0, 1] at the size of a picture, 1 in the lightest colour everywhere."""
    return colour_map(resized(values.astype(np.float32), picture.shape[:2]), 1.0)


def _gray(values: np.ndarray) -> np.ndarray:
    """Shows values in [0, 1] as gray: `(rows, columns)` -> `(rows, columns, 3)` uint8."""
    return np.repeat(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)[..., None], 3, axis=-1)
