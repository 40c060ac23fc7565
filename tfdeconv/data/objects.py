"""Which objects an image has, and where: from its instance map, or from its classes alone."""

from collections.abc import Iterator

import numpy as np

from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.labels import IGNORE_LABEL


def object_boxes(split: Split, image_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the boxes and classes of the objects of one image.

    Args:
        split: The data set.
        image_id: The image.

    Returns:
        `(n, 4)` int32 tight boxes and `(n,)` int32 classes from 1 on. Without an instance map the
        connected regions of each class (except 0 and the void) count as objects.

    Raises:
        UserError: when a map is missing or wrong.
    """
    labels, objects = maps.read_maps(split, image_id)
    if objects is None:
        regions = list(_regions(labels))
        return (
            np.array([box for box, _ in regions], np.int32).reshape(-1, 4),
            np.array([label for _, label in regions], np.int32),
        )
    instances = maps.find_objects(objects, labels)
    classes = instances.classes()
    return instances.boxes[classes > 0], classes[classes > 0]


def _regions(labels: np.ndarray) -> Iterator[tuple[tuple[int, int, int, int], int]]:
    import cv2

    for label in np.unique(labels):
        if label not in (0, IGNORE_LABEL):
            mask = (labels == label).astype(np.uint8)
            for left, top, width, height, _ in cv2.connectedComponentsWithStats(mask)[2][1:]:
                yield (top, left, top + height, left + width), int(label)
