"""The page that walks one photograph from proposals to the final label map."""

from __future__ import annotations

import itertools

import numpy as np

from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.metrics import confusion_matrix, iou_per_class, mean_iou
from tfdeconv.visual.overlay import overlay
from tfdeconv.visual.report import Report
from tfdeconv.visual.walk import SMALL, Walk, at_size, errors, marked, scaled
from tfdeconv.visual.walkthrough_regions import (
    add_growth,
    add_legend,
    add_proposals,
    add_samples,
    share_picture,
)

# With this no photograph makes a page of three megabytes.
_BYTES_PER_PIXEL = 0.3
_MOST_CLASSES = 8
_LEAST_PROBABILITY = 0.02


def walkthrough_page(walk: Walk) -> Report:
    """Tells what happens to a photograph, a section a step.

    Args:
        walk: What happened.

    Returns:
        The page; its weight is bounded, whatever the photograph.
    """
    height, width = walk.image.shape[:2]
    report = Report(
        f"{walk.name}, step by step",
        f"What {walk.network} makes of a photograph of {width} x {height} pixels.",
        _BYTES_PER_PIXEL,
    )
    report.add_key_figures(_key_figures(walk))
    numbers = itertools.count(1)
    _add_photograph(report, walk, next(numbers))
    if walk.seen is not None:
        _add_seen(report, walk.seen, next(numbers))
    if walk.proposed is not None:
        for add in (add_proposals, add_samples, add_growth):
            add(report, walk, walk.proposed, next(numbers))
    for add_step in (_add_probabilities, _add_crf, _add_result):
        add_step(report, walk, next(numbers))
    return report


def _key_figures(walk: Walk) -> list[tuple[str, str]]:
    figures = [(f"{sum(walk.times.values()):.1f} s", "from the file to the labels")]
    if walk.proposed is not None:
        figures = [
            (f"{len(walk.proposed.boxes)}", "proposals"),
            (f"{len(walk.proposed.regions)}", "regions shown to the network"),
            *figures,
        ]
    changed = np.count_nonzero(walk.refined != walk.labels) / walk.labels.size
    figures.append((f"{100 * changed:.1f} %", "of the pixels changed by the CRF"))
    if walk.truth is not None:
        matrix = confusion_matrix(walk.truth, walk.refined, len(walk.class_names))
        figures.append((f"{mean_iou(matrix):.2f}", "mean IoU with the truth"))
    return figures


def _add_photograph(report: Report, walk: Walk, number: int) -> None:
    report.add_section(f"{number}. The photograph")
    picture = scaled(walk.image)
    if walk.truth is None:
        report.add_panels(["photograph"], [[picture]])
        return
    labelled = overlay(picture, at_size(walk.truth, picture))
    report.add_panels(["photograph", "truth"], [[picture, labelled]])
    add_legend(report, walk, walk.truth)


def _add_seen(report: Report, seen: np.ndarray, number: int) -> None:
    rows, columns = seen.shape[:2]
    report.add_section(
        f"{number}. What the network sees",
        f"This network takes images of every size and sees this one whole, at {columns} x {rows} "
        "pixels: its longer side is shrunk to 500 where it is longer, and what the network's "
        "strides ask for beyond the photograph is filled with the mean colour. There are no "
        "proposals, and there is nothing to aggregate.",
    )
    picture = scaled(np.clip(seen, 0, 255).astype(np.uint8))
    report.add_panels([f"{columns} x {rows} pixels"], [[picture]])


def _add_probabilities(report: Report, walk: Walk, number: int) -> None:
    likeliest = walk.probabilities.reshape(-1, len(walk.class_names)).max(0)
    ids = [k for k in np.argsort(-likeliest) if likeliest[k] >= _LEAST_PROBABILITY]
    report.add_section(
        f"{number}. Probabilities",
        "What is known of every pixel now: bright is 100 %, black is 0. Confidence is the "
        "probability of the likeliest class: where it is dark, the network hesitates. Then the "
        "classes, the likeliest first."
        + " What was combined of several regions is scaled to add up to 100 % again."
        * (walk.proposed is not None),
    )
    picture = scaled(walk.image, SMALL)
    shown = [
        (
            f"{walk.class_names[k]}, at most {100 * likeliest[k]:.0f} %",
            share_picture(walk.probabilities[..., k], picture),
        )
        for k in ids[:_MOST_CLASSES]
    ]
    confidence = share_picture(walk.probabilities.max(-1), picture)
    report.add_figures([("confidence", confidence), *shown])


def _add_crf(report: Report, walk: Walk, number: int) -> None:
    changed = walk.refined != walk.labels
    share = 100 * np.count_nonzero(changed) / changed.size
    report.add_section(
        f"{number}. The CRF",
        "A fully connected CRF lets pixels of like colour and place agree. Here it changed the "
        f"labels of {share:.1f} % of the pixels, marked red."
        + " What is wrong is red below; white is not judged."
        * (walk.truth is not None),
    )
    picture = scaled(walk.image)
    before, after = (overlay(picture, at_size(one, picture)) for one in (walk.labels, walk.refined))
    mark = at_size(changed.astype(np.uint8), picture).astype(bool)
    titles, rows = ["before", "after", "changed"], [[before, after, marked(picture, mark)]]
    report.add_panels(titles, rows)
    if walk.truth is not None:
        truth = at_size(walk.truth, picture)
        wrong = [
            errors(picture, at_size(one, picture), truth) for one in (walk.labels, walk.refined)
        ]
        report.add_panels(["wrong before", "wrong after"], [wrong])


def _add_result(report: Report, walk: Walk, number: int) -> None:
    report.add_section(f"{number}. The result")
    picture = scaled(walk.image)
    labelled = overlay(picture, at_size(walk.refined, picture))
    report.add_panels(["photograph", "labels"], [[picture, labelled]])
    add_legend(report, walk, walk.refined)
    _add_classes(report, walk)
    rows = [[step, f"{seconds:.2f} s"] for step, seconds in walk.times.items()]
    report.add_table(["step", "time"], rows, ["all", f"{sum(walk.times.values()):.2f} s"])
    report.add_note(
        "Times are those of the first photograph of a process, in which graphs are built: further "
        "ones take less. Loading the network is not counted."
    )


def _add_classes(report: Report, walk: Walk) -> None:
    maps = [walk.labels, walk.refined]
    found = {*np.unique(walk.labels).tolist(), *np.unique(walk.refined).tolist()}
    header = ["class", "share before the CRF", "share after it"]
    ious = []
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
