"""The sections of the walk-through that only a network for squares has: regions, aggregation."""

from __future__ import annotations

import numpy as np

from tfdeconv.visual.activation_panels import colour_map
from tfdeconv.visual.aggregation import with_boxes
from tfdeconv.visual.overlay import overlay
from tfdeconv.visual.report import Report
from tfdeconv.visual.representative import softmax
from tfdeconv.visual.scaling import fitted
from tfdeconv.visual.walk import SMALL, Proposed, Walk, at_size, gray, scaled

_BEST, _DRAWN = 10, 50
_CROP = (224, 224)


def add_proposals(report: Report, walk: Walk, proposed: Proposed, number: int) -> None:
    """Adds the section of the edges, the proposals and the regions that were chosen."""
    picture = scaled(walk.image)
    scale = picture.shape[1] / walk.image.shape[1]
    count, drawn = len(proposed.boxes), min(_DRAWN, len(proposed.boxes))
    source = (
        "Edge Boxes looks for boxes that hold whole outlines: many edges inside, few that cross "
        "the border."
        if proposed.edges is not None
        else "The boxes were not searched for in this photograph: they come from a grid or a file."
    )
    report.add_section(
        f"{number}. Proposals and regions",
        f"Where might an object be? {source} Of {count} proposals, best first, {drawn} are drawn, "
        f"the best {min(_BEST, count)} in yellow.",
        f"The network sees {len(proposed.regions)} regions: the whole photograph, and the square "
        "about a proposal with a margin of a fifth. Too small ones and those that were there "
        "already are passed over; what leaves the photograph is cut off below.",
    )
    best = proposed.boxes[:_DRAWN][::-1] * scale
    regions = with_boxes(picture, proposed.regions * scale, 0)
    panels = [("proposals", with_boxes(picture, best, max(0, len(best) - _BEST)))]
    if proposed.edges is not None:
        panels.insert(0, ("edges", gray(1 - np.sqrt(scaled(proposed.edges)))))
    panels.append((f"{len(proposed.regions)} regions", regions))
    report.add_panels([title for title, _ in panels], [[image for _, image in panels]])


def add_samples(report: Report, walk: Walk, proposed: Proposed, number: int) -> None:
    """Adds the section of some regions, and what the network says of each."""
    samples = proposed.samples
    report.add_section(
        f"{number}. What the network says of a region",
        f"Every region is brought to {samples[0].crop.shape[0]} x {samples[0].crop.shape[1]} "
        "pixels, black outside of the photograph, and gets scores of its own. Here are "
        f"{len(samples)} of them, the largest first: small objects show in small regions. Right of "
        f"the labels the probability that a pixel is not {walk.class_names[0]}, and that of its "
        "label; bright is 100 %.",
    )
    rows, shown = [], set()
    for sample in samples:
        probabilities = softmax(sample.scores)
        labels = probabilities.argmax(-1).astype(np.uint8)
        shown |= set(np.unique(labels).tolist())
        crop = fitted(np.clip(sample.crop, 0, 255).astype(np.uint8), _CROP)
        some_object = 1 - probabilities[..., 0]
        rows.append(
            [
                crop,
                overlay(crop, fitted(labels, _CROP)),
                share_picture(some_object, crop),
                share_picture(probabilities.max(-1), crop),
            ]
        )
    background = walk.class_names[0]
    titles = ["region", "labels", f"not {background}", "the label"]
    report.add_panels(titles, rows)
    add_legend(report, walk, np.array(sorted(shown)))


def add_growth(report: Report, walk: Walk, proposed: Proposed, number: int) -> None:
    """Adds the section of what is found with more and more regions."""
    report.add_section(
        f"{number}. Aggregation, region by region",
        "Regions overlap, and what is said of a pixel is combined, best proposals first; new "
        "regions are yellow. By max the largest logarithm of a probability is kept, by mean their "
        "mean is taken, and by release the largest raw score is kept, as the authors' code does. "
        f"The page goes on with {next(iter(proposed.growth))}.",
    )
    picture = scaled(walk.image, SMALL)
    scale = picture.shape[1] / walk.image.shape[1]
    for row, (mode, labels) in enumerate(proposed.growth.items()):
        counts = list(labels)
        titles = [f"{count} region{'s' * (count != 1)}" for count in counts]
        if row == 0:
            olds = [0, *counts]
            boxes = [
                with_boxes(picture, proposed.regions[:count] * scale, old)
                for count, old in zip(counts, olds, strict=False)
            ]
            report.add_panels(titles, [boxes])
        ious = proposed.mean_ious.get(mode, {})
        told = [
            f"{mode}, {count}" + (f": IoU {ious[count]:.2f}" if count in ious else "")
            for count in counts
        ]
        drawn = [overlay(picture, at_size(one, picture)) for one in labels.values()]
        report.add_panels(told, [drawn])
    found = [one.ravel() for labels in proposed.growth.values() for one in labels.values()]
    add_legend(report, walk, np.concatenate(found))


def add_legend(report: Report, walk: Walk, labels: np.ndarray) -> None:
    """Adds the colours of the classes among some labels, the background aside, if there are any."""
    if ids := sorted(set(np.unique(labels).tolist()) - {0}):
        report.add_legend(walk.class_names, ids)


def share_picture(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Shows values in [0, 1] at the size of a picture, 1 being the lightest colour everywhere."""
    return colour_map(at_size(values.astype(np.float32), picture), 1.0)
