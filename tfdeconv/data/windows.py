"""Which windows the two stages of training look at (section 4.2 of the paper).

A window is a square about an object (stage 1) or about a proposal that overlaps one (stage 2), 1.2
times as long as the longer side of the box. Windows are planned here with NumPy and cut out in the
graph by `crops.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfdeconv import boxes
from tfdeconv.data import maps
from tfdeconv.data.objects import object_boxes
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.progress import track

# A window is repeated at most so often for balance: beyond that a rare class is learnt by heart.
MAX_REPEATS = 10
# Hardly more than touching: between it and the 0.5 of the objects a proposal is neither.
BACKGROUND_IOU = 0.1
# Of an image the best proposals of the background, one for so many of its objects; `balance` makes
# of them as much as of any class.
BACKGROUND_PART = 4
_COLUMNS = ("image", "box", "object_id", "label")


@dataclass(frozen=True)
class Windows:
    """Windows of one split, in the order of its images.

    Attributes:
        image: `(n,)` int32, the image as an index into the ids of the split.
        box: `(n, 4)` int32 squares, which may leave the image.
        object_id: `(n,)` int32, the instance that alone keeps its labels; 0 where all labels stay.
        label: `(n,)` int32, the class that the window stands for in `balance`.
    """

    image: np.ndarray
    box: np.ndarray
    object_id: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def take(self, indices: np.ndarray) -> "Windows":
        """Returns the windows at `indices`, `(m,)` integers, in that order."""
        return Windows(*(getattr(self, column)[indices] for column in _COLUMNS))


def object_windows(split: Split, enlarge: float = 1.2) -> Windows:
    """Plans stage 1: a window about every annotated object, with the other objects as background.

    Images without objects or without an instance map give no window.

    Args:
        split: The data set; its instance maps are read.
        enlarge: Side of the window over the longer side of the object's box.

    Returns:
        The `Windows`.

    Raises:
        UserError: when no image has an object, or a file is missing or wrong.
    """
    found = []
    for index, image_id in enumerate(track(split.ids, "Finding objects")):
        labels, objects = maps.read_maps(split, image_id)
        if objects is not None:
            instances = maps.find_objects(objects, labels)
            classes = instances.classes()
            kept = classes > 0
            box = _enlarged(instances.boxes[kept], enlarge)
            found.append(_windows(index, box, instances.ids[kept], classes[kept]))
    windows = concatenate(found)
    if not len(windows):
        raise UserError(
            f"`{split.root / 'SegmentationObject'}` must hold instance maps: stage 1 learns from "
            f"single objects. Received: no object in {split.name!r}. "
            "Add the maps, or begin with stage 2."
        )
    return windows


def proposal_windows(
    split: Split,
    proposals: Mapping[str, boxes.Proposals],
    min_iou: float = 0.5,
    enlarge: float = 1.2,
    background: bool = False,
) -> Windows:
    """Plans stage 2: a window about every proposal that overlaps an object, with all labels kept.

    The class of a window is that of the object it overlaps most. Where an image has no instance
    map, the connected regions of each class (except 0) count as its objects.

    Args:
        split: The data set; its label and instance maps are read.
        proposals: Proposals of each image, by id; more images than the split has do no harm.
        min_iou: Least intersection over union of the boxes of proposal and object.
        enlarge: Side of the window over the longer side of the proposal.
        background: Whether proposals that overlap no object by more than `BACKGROUND_IOU` give
            windows, too, of class 0. The paper does not speak of them. A network sees many at
            inference, and a narrow one that never met them in training finds objects there.

    Returns:
        The `Windows`.

    Raises:
        UserError: when an image has no proposals, no proposal overlaps an object, or a file is
            missing or wrong.
    """
    missing = [image_id for image_id in split.ids if image_id not in proposals]
    if missing:
        raise UserError(
            f"The proposals must cover every image of {split.name!r}. Received: none for "
            f"{missing[0]!r} ({len(missing)} missing). Run `tfdeconv propose {split.root}` again."
        )
    found = []
    for index, image_id in enumerate(track(split.ids, "Matching proposals")):
        truth, classes = object_boxes(split, image_id)
        if len(truth):
            proposed = proposals[image_id].boxes
            overlap = boxes.iou(proposed, truth)
            best = overlap.max(axis=1)
            kept = best >= min_iou
            labels = np.where(kept, classes[overlap.argmax(axis=1)], 0)
            if background:
                outside = np.flatnonzero(best < BACKGROUND_IOU)
                kept[outside[: 1 + kept.sum() // BACKGROUND_PART]] = True
            labels = labels[kept]
            box = _enlarged(proposed[kept], enlarge)
            found.append(_windows(index, box, np.zeros(len(box)), labels))
    windows = concatenate(found)
    if not len(windows):
        raise UserError(
            f"At least one proposal must overlap an object by {min_iou}. Received: none in "
            f"{split.name!r} of `{split.root}`. Make more proposals, or check the labels."
        )
    return windows


def _enlarged(found: np.ndarray, factor: float) -> np.ndarray:
    # Imported here: it is computed in TensorFlow, which looking at a data set need not load.
    from tfdeconv.data.crops import enlarge_to_square

    return enlarge_to_square(found, factor).numpy()


def balance(windows: Windows, seed: int = 0) -> Windows:
    """Repeats windows of rare classes until every class has as many as the most frequent one.

    The paper balances "by adding redundant examples for the classes with limited number of
    examples" (section 4.2) and gives no recipe. Here all windows of a class are repeated equally
    often, up to one, and at most `MAX_REPEATS` times.

    Args:
        windows: The windows.
        seed: Decides which windows of a class get the one repetition more.

    Returns:
        The windows in the same order, copies beside each other.

    Example:

    >>> zeros = np.zeros(4, np.int32)
    >>> windows = Windows(zeros, np.zeros((4, 4), np.int32), zeros, np.array([1, 1, 1, 2]))
    >>> balance(windows).label.tolist()
    [1, 1, 1, 2, 2, 2]
    """
    generator = np.random.default_rng(seed)
    repeats = np.ones(len(windows), np.int64)
    most = np.bincount(windows.label).max(initial=0)
    for label in np.unique(windows.label):
        members = generator.permutation(np.flatnonzero(windows.label == label))
        wanted = min(most, MAX_REPEATS * len(members))
        repeats[members] = wanted // len(members)
        repeats[members[: wanted % len(members)]] += 1
    return windows.take(np.repeat(np.arange(len(windows)), repeats))


def _windows(index: int, box: np.ndarray, object_id: np.ndarray, label: np.ndarray) -> Windows:
    image = np.full(len(box), index, np.int32)
    return Windows(image, box, object_id.astype(np.int32), label.astype(np.int32))


def concatenate(parts: list[Windows]) -> Windows:
    """Returns the windows of all parts, one part after the other; none of no parts."""
    none = Windows(*(np.zeros(shape, np.int32) for shape in ((0,), (0, 4), (0,), (0,))))
    parts = [none, *parts]
    columns = ([getattr(part, column) for part in parts] for column in _COLUMNS)
    return Windows(*map(np.concatenate, columns))
