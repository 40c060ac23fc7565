"""The label and instance maps of an image: reading and checking them, and finding the objects.

Everything that can be wrong with the files of one image is found here, for training (the first
mistake stops it) and for `tfdeconv check` (all of them are reported).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tfdeconv import images
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.images import Header
from tfdeconv.labels import IGNORE_LABEL, VOID_OBJECT, labels_of_indices, palette

_VOC = palette()
# Rows that are worked on at a time, so that memory is bounded for the largest photographs.
_STRIP = 512
# Two maps drawn by hand never agree in every pixel of a border.
_ONE_CLASS = 0.9


class Objects(NamedTuple):
    """The instances of one image.

    Attributes:
        ids: `(n,)` int32 instance numbers, ascending, 1 to 65534.
        boxes: `(n, 4)` int32 tight boxes.
        pixels: `(n, 256)` int64, how many pixels of each label an instance holds.
    """

    ids: np.ndarray
    boxes: np.ndarray
    pixels: np.ndarray

    def classes(self) -> np.ndarray:
        """Returns the most frequent class of each instance, `(n,)`, 0 where none has a class.

        Background and void are ignored; of equally frequent classes the lowest is taken.
        """
        return np.argmax(self.pixels[:, :IGNORE_LABEL] * (np.arange(IGNORE_LABEL) > 0), axis=1)


def read_header(split: Split, image_id: str) -> Header:
    """Reads the header of a photograph and checks that it can be trained on.

    Raises:
        UserError: when the file is missing, damaged, no JPEG or PNG, too large or rotated by EXIF.
    """
    path = split.image_path(image_id)
    header = images.read_header(path)
    if header.format not in ("JPEG", "MPO", "PNG"):
        raise UserError(
            f"`{path}` must be a JPEG or PNG to train on. Received: {header.format}. Convert it."
        )
    if header.orientation != 1:
        raise UserError(
            f"`{path}` must be stored upright. Received: EXIF orientation {header.orientation}, "
            "which label maps do not have. Rotate the pixels and remove the tag."
        )
    return header


def read_labels(split: Split, image_id: str, header: Header | None) -> np.ndarray:
    """Reads the label map of an image, which must be as large as `header` says unless that is None.

    Returns:
        `(height, width)` uint8 labels, all of them classes of the data set or 255.

    Raises:
        UserError: when the file is missing, no label map, of another size than the photograph, or
            has a class number that the data set does not have.
    """
    path = split.label_path(image_id)
    labels = images.read_labels(path, split.class_names)
    _check_size(labels, header, str(path))
    present = np.flatnonzero(count_labels(labels))
    unknown = present[(present >= len(split.class_names)) & (present != IGNORE_LABEL)]
    if len(unknown):
        raise UserError(
            f"`{path}` must hold class numbers 0 to {len(split.class_names) - 1} or 255. Received: "
            f"{', '.join(map(str, unknown))}. Correct it, or name these classes in `classes.txt`."
        )
    return labels


def read_colours(split: Split) -> np.ndarray | None:
    """Reads the palette of a data set's first label map, `(classes, 3)` uint8 RGB.

    It is None where the map has no palette, PASCAL VOC's in any order, or one with fewer colours
    than classes.

    Raises:
        UserError: when the file is missing or damaged.
    """
    colours, count = images.read_palette(split.label_path(split.ids[0])), len(split.class_names)
    if colours is None or len(colours) < count or np.array_equal(colours[:count], _VOC[:count]):
        return None
    return None if labels_of_indices(colours, split.class_names) is not None else colours[:count]


def read_objects(split: Split, image_id: str, header: Header | None) -> np.ndarray | None:
    """Reads the instance map of an image, or returns None where there is none.

    Returns:
        `(height, width)` uint16 instance numbers; 0 for no object, 65535 for void.

    Raises:
        UserError: when the file is no palette or gray PNG or of another size than the photograph.
    """
    path = split.object_path(image_id)
    if not path.exists():
        return None
    objects = images.read_objects(path)
    _check_size(objects, header, str(path))
    return objects


def read_maps(split: Split, image_id: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads the label map and, where there is one, the instance map; see `read_labels`."""
    header = read_header(split, image_id)
    return read_labels(split, image_id, header), read_objects(split, image_id, header)


def count_labels(labels: np.ndarray) -> np.ndarray:
    """Returns how many pixels have each label: `(height, width)` uint8 -> `(256,)` int64."""
    counts = np.zeros(256, np.int64)
    for top in range(0, len(labels), _STRIP):
        counts += np.bincount(labels[top : top + _STRIP].ravel(), minlength=256)
    return counts


def find_objects(objects: np.ndarray, labels: np.ndarray) -> Objects:
    """Finds the instances in an instance map.

    Args:
        objects: `(height, width)` uint16; 0 for no object, 65535 for void.
        labels: `(height, width)` uint8 labels.

    Returns:
        The `Objects`, empty for a map without instances.

    Example:

    >>> objects = np.array([[0, 300, 300], [0, 0, 300]], np.uint16)
    >>> found = find_objects(objects, np.full((2, 3), 7, np.uint8))
    >>> found.ids.tolist(), found.boxes.tolist()
    ([300], [[0, 1, 2, 3]])
    """
    ids = instance_numbers(objects)
    index = np.zeros(VOID_OBJECT + 1, np.int32)
    index[ids] = np.arange(1, len(ids) + 1)
    top_left = np.full((2, len(ids) + 1), max(objects.shape), np.int32)
    bottom_right = np.zeros_like(top_left)
    pixels = np.zeros(256 * (len(ids) + 1), np.int64)
    for top in range(0, len(objects), _STRIP):
        which = index[objects[top : top + _STRIP]]
        rows, columns = np.nonzero(which)
        which = which[rows, columns]
        for axis, places in enumerate((rows + top, columns)):
            np.minimum.at(top_left[axis], which, places)
            np.maximum.at(bottom_right[axis], which, places + 1)
        pairs = which.astype(np.int64) * 256 + labels[top : top + _STRIP][rows, columns]
        pixels += np.bincount(pairs, minlength=len(pixels))
    boxes = np.concatenate([top_left, bottom_right])[:, 1:].T
    return Objects(ids, np.ascontiguousarray(boxes), pixels.reshape(-1, 256)[1:])


def instance_numbers(objects: np.ndarray) -> np.ndarray:
    """Returns the instance numbers in a `(height, width)` uint16 map, ascending: `(n,)` int32."""
    counts = np.zeros(VOID_OBJECT + 1, np.int64)
    for top in range(0, len(objects), _STRIP):
        counts += np.bincount(objects[top : top + _STRIP].ravel(), minlength=VOID_OBJECT + 1)
    return np.flatnonzero(counts[1:VOID_OBJECT]).astype(np.int32) + 1


def check_objects(objects: np.ndarray, labels: np.ndarray, name: str) -> Objects:
    """Finds the instances and checks that each is of one class.

    Args:
        objects: `(height, width)` uint16 instance map.
        labels: `(height, width)` uint8 labels.
        name: What to call the instance map in errors.

    Returns:
        The `Objects`.

    Raises:
        UserError: when less than nine tenths of an instance, void pixels aside, have one class.
    """
    found = find_objects(objects, labels)
    of_class = found.pixels[np.arange(len(found.ids)), found.classes()] * (found.classes() > 0)
    wrong = found.ids[of_class < _ONE_CLASS * found.pixels[:, :IGNORE_LABEL].sum(axis=1)]
    void = found.ids[of_class == 0]
    if len(wrong) or len(void):
        numbers = ", ".join(map(str, np.union1d(wrong, void)))
        raise UserError(
            f"`{name}` must hold objects of one class each. Received: {numbers} over pixels of "
            "more than one class, background or void. Correct the instance map or the label map."
        )
    return found


def object_boxes(split: Split, image_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the boxes and classes of the objects of one image.

    Returns:
        `(n, 4)` int32 tight boxes and `(n,)` int32 classes from 1 on. Without an instance map the
        connected regions of each class (except 0 and the void) are the objects.

    Raises:
        UserError: when a map is missing or wrong.
    """
    labels, objects = read_maps(split, image_id)
    if objects is None:
        regions = list(_regions(labels))
        return (
            np.array([box for box, _ in regions], np.int32).reshape(-1, 4),
            np.array([label for _, label in regions], np.int32),
        )
    instances = find_objects(objects, labels)
    classes = instances.classes()
    return instances.boxes[classes > 0], classes[classes > 0]


def _regions(labels: np.ndarray) -> Iterator[tuple[tuple[int, int, int, int], int]]:
    import cv2

    for label in np.unique(labels):
        if label not in (0, IGNORE_LABEL):
            mask = (labels == label).astype(np.uint8)
            for left, top, width, height, _ in cv2.connectedComponentsWithStats(mask)[2][1:]:
                yield (top, left, top + height, left + width), int(label)


def _check_size(found: np.ndarray, header: Header | None, name: str) -> None:
    if header is not None and found.shape != (header.height, header.width):
        raise UserError(
            f"`{name}` must be as large as its photograph, {header.width}x{header.height}. "
            f"Received: {found.shape[1]}x{found.shape[0]}. Export it at the size of the image."
        )
