"""IoU by the size of the object: what the paper blames FCN for (its introduction, Figure 1)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tfdeconv import boxes, images
from tfdeconv.data import maps
from tfdeconv.data.crops import enlarge_to_square
from tfdeconv.data.voc import Split
from tfdeconv.labels import IGNORE_LABEL

# Upper ends of the longer side of an object's box over the longer side of the image.
BINS = (0.15, 0.3, 0.6, np.inf)
BIN_NAMES = ("below 0.15", "0.15 to 0.3", "0.3 to 0.6", "above 0.6")


def iou_by_size(split: Split, predictions: Path) -> list[float]:
    """Returns the mean IoU of the objects of each size.

    An object is compared with the pixels of its class in the square that a window shows of it, 1.2
    times its box, without those that belong to other objects or to none (255).

    Args:
        split: The data; its instance maps tell the objects apart.
        predictions: Folder of label maps, `<id>.png`.

    Returns:
        One mean for each of `BINS`, NaN where there is no object. Images without an instance map
        have none.
    """
    found: list[list[float]] = [[] for _ in BINS]
    for image_id in split.ids:
        labels, objects = maps.read_maps(split, image_id)
        if objects is None:
            continue
        predicted = images.read_labels(predictions / f"{image_id}.png")
        for size, iou in object_ious(labels, objects, predicted):
            found[int(np.searchsorted(BINS, size))].append(iou)
    return [float(np.mean(ious)) if ious else float("nan") for ious in found]


def object_ious(
    labels: np.ndarray, objects: np.ndarray, predicted: np.ndarray
) -> Iterable[tuple[float, float]]:
    """Yields size and IoU of every object of an image.

    Args:
        labels: `(height, width)` uint8 truth.
        objects: `(height, width)` uint16 instance numbers, 0 for none, 65535 for void.
        predicted: `(height, width)` uint8 labels.

    Yields:
        The longer side of the box over the longer side of the image, and the IoU.
    """
    instances = maps.find_objects(objects, labels)
    squares = boxes.clip(enlarge_to_square(instances.boxes).numpy(), *labels.shape)
    rows = zip(instances.ids, instances.boxes, squares, instances.classes(), strict=True)
    for number, (top, left, bottom, right), square, label in rows:
        window = slice(square[0], square[2]), slice(square[1], square[3])
        theirs = objects[window]
        judged = (theirs == number) | ((theirs == 0) & (labels[window] != IGNORE_LABEL))
        truth = theirs == number
        mine = (predicted[window] == label) & judged
        size = max(bottom - top, right - left) / max(labels.shape)
        yield float(size), float((truth & mine).sum() / (truth | mine).sum())
