"""Where a trained classifier sees objects, and how often it is right.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, section 3.2; the measure is that of ILSVRC's localisation task.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tfdeconv import boxes, images
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.progress import track
from tfdeconv.weak.localiser import Localiser
from tfdeconv.weak.maps import box_of

# ILSVRC: a box is right from this intersection over union on.
RIGHT = 0.5


class Found(NamedTuple):
    """One class of one image, and where it was seen.

    Attributes:
        image_id: The image.
        label: The class, from 1, that the image is known to have.
        first: Whether its score is the highest of all classes.
        heat: `(height, width)` float32 in [0, 1]; None once nobody needs it, to save memory.
        box: `(4,)` int32, from `Localiser.find`.
        part: `(4,)` int32, from `box_of` with the paper's threshold.
        truth: `(n, 4)` int32 boxes of the objects of the class.
    """

    image_id: str
    label: int
    first: bool
    heat: np.ndarray | None
    box: np.ndarray
    part: np.ndarray
    truth: np.ndarray

    @property
    def iou(self) -> float:
        """Intersection over union with the object that fits best."""
        return float(boxes.iou(self.box, self.truth).max())


class Localisation(NamedTuple):
    """How often boxes were right, of all classes of all images.

    Attributes:
        known: Share with IoU of at least `RIGHT`, the class being given.
        first: Share where, besides, the class has the highest score.
        classified: Share where the class has the highest score.
        part: Share with IoU of at least `RIGHT` of the paper's boxes, the class being given.
        judged: Number of classes of images.
    """

    known: float
    first: float
    classified: float
    part: float
    judged: int


def localise(
    localiser: Localiser, split: Split, candidates: Mapping[str, boxes.Proposals]
) -> Iterator[Found]:
    """Yields every class of every image, in the order of the split.

    Args:
        localiser: The network.
        split: Images with label maps; true boxes are those of objects where there are instance
            maps, and otherwise of all pixels of the class.
        candidates: Object proposals of the images, from `propose_files`.
    """
    for image_id in track(split.ids, f"Localising {split.name}"):
        truth, objects = maps.read_maps(split, image_id)
        path = split.image_path(image_id)
        image, labels = images.read_image(path), present(truth)
        sights, first = localiser.find(image, labels, candidates[path.stem].boxes)
        for label, (heat, box) in sights.items():
            true = class_boxes(truth, objects, label)
            yield Found(image_id, label, label == first, heat, box, box_of(heat), true)


def summary(found: list[Found]) -> Localisation:
    """Returns how often boxes were right; NaN where there is nothing to judge."""
    if not found:
        return Localisation(math.nan, math.nan, math.nan, math.nan, 0)
    right = np.array([one.iou >= RIGHT for one in found])
    part = np.array([boxes.iou(one.part, one.truth).max() >= RIGHT for one in found])
    first = np.array([one.first for one in found])
    known, both, classified, plain = (
        float(one.mean()) for one in (right, right & first, first, part)
    )
    return Localisation(known, both, classified, plain, len(found))


def present(labels: np.ndarray) -> list[int]:
    """Returns the classes of a label map, without background and void, in ascending order."""
    return [int(label) for label in np.unique(labels) if 0 < label < IGNORE_LABEL]


def class_boxes(labels: np.ndarray, objects: np.ndarray | None, label: int) -> np.ndarray:
    """Returns the boxes of a class: of each of its objects, or of all its pixels.

    Args:
        labels: `(height, width)` uint8 label map that has the class.
        objects: `(height, width)` uint8 instance map, or None.
        label: The class.

    Returns:
        `(n, 4)` int32, top, left, bottom, right.

    Example:

    >>> class_boxes(np.array([[0, 3, 255], [0, 3, 3]], np.uint8), None, 3).tolist()
    [[0, 1, 2, 3]]
    """
    if objects is not None:
        found = maps.find_objects(objects, labels)
        if len(chosen := found.boxes[found.classes() == label]):
            return chosen
    return maps.find_objects((labels == label).astype(np.uint8), labels).boxes
