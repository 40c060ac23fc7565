"""Proposals of PASCAL VOC 2012 val: time, and the share of the objects that they find.

Run it with `python -m tests.benchmarks.proposals`. An object is found by the first n boxes when one
of them has an IoU of at least 0.5 (0.7) with its box, the tight one about its instance mask. Images
without an instance map are left out.
"""

import os
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from tests.benchmarks.figures import Figure
from tests.helpers import SHARED_DATA
from tfdeconv.boxes import Proposals, iou
from tfdeconv.images import read_image, read_labels
from tfdeconv.proposals import propose, propose_files

COUNTS = (10, 50, 200, 1000, 2000)
GOALS = {(50, 0.5): ">= 0.72", (2000, 0.5): ">= 0.97"}
VOID = 255
# One core gets every fourth image: the machine's speed changes more than their median.
TIMED = 4


def measure() -> list[Figure]:
    """Measures time and recall; no figure where there is no PASCAL VOC 2012 beside the checkout."""
    root = SHARED_DATA / "voc2012"
    if not root.exists():
        return []
    objects = val_objects(root)
    images = [root / "JPEGImages" / f"{name}.jpg" for name in objects]
    seconds = seconds_on_one_core(images[::TIMED])
    start = time.perf_counter()
    found = propose_files(images)
    rate = len(images) / (time.perf_counter() - start)
    what = f"{len(images)} images, {sum(map(len, objects.values()))} objects"
    return [
        Figure("proposals: an image, one core", seconds, goal="<= 0.25"),
        Figure(
            "proposals: all cores",
            rate,
            unit="images/s",
            note=f"{len(os.sched_getaffinity(0))} cores, start of workers and decoding included",
        ),
        *(
            Figure(
                f"proposals: recall of {count} boxes at IoU {least}",
                recall(found, objects, count, least),
                unit="",
                goal=GOALS.get((count, least), ""),
                note=what,
            )
            for least in (0.5, 0.7)
            for count in COUNTS
        ),
    ]


def val_objects(root: Path, split: str = "val") -> dict[str, np.ndarray]:
    """Returns image id -> `(n, 4)` boxes of its objects, of the images with an instance map."""
    names = (root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()
    maps = {name: root / "SegmentationObject" / f"{name}.png" for name in names}
    return {name: object_boxes(read_labels(path)) for name, path in maps.items() if path.exists()}


def object_boxes(instances: np.ndarray) -> np.ndarray:
    """Returns the tight boxes of an instance map, void left out: `(n, 4)`."""
    boxes = []
    for instance in np.setdiff1d(instances, (0, VOID)):
        rows, columns = np.nonzero(instances == instance)
        boxes.append([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
    return np.array(boxes).reshape(-1, 4)


def recall(
    found: dict[str, Proposals], objects: dict[str, np.ndarray], count: int, least: float
) -> float:
    """Returns the share of all objects that the first `count` boxes of their images find."""
    best = [iou(boxes, found[name].boxes[:count]).max(axis=1) for name, boxes in objects.items()]
    return float((np.concatenate(best) >= least).mean())


def seconds_on_one_core(images: list[Path]) -> float:
    """Returns the median time of `propose`; the file is read and decoded before."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    times = []
    try:
        for path in images:
            image = read_image(path)
            start = time.perf_counter()
            propose(image)
            times.append(time.perf_counter() - start)
    finally:
        cv2.setNumThreads(threads)
    return statistics.median(times)


if __name__ == "__main__":
    for figure in measure():
        print(f"{figure.name}: {figure.ours:.3f} {figure.unit} {figure.goal} {figure.note}")
