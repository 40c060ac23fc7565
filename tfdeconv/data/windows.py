"""The windows of both stages of training (section 4.2 of the paper), and their order.

A window is a square about an object (stage 1) or about a proposal that overlaps one (stage 2), 1.2
times as long as the longer side of the box. Windows are planned here with NumPy and cropped in the
graph by `crops.py`.

The order is a pure function of the seed. Training goes over the windows in passes, each in an order
of its own. So that an image is decoded once for its windows, they are *produced* image by image, in
visits; a block of consecutive rows is then shuffled before it is *consumed*. Any step of training
can be planned without those before it, so that a resumed run equals an uninterrupted one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfdeconv import boxes
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.progress import track

# A window is repeated at most so often for balance: beyond that a rare class is learnt by heart.
MAX_REPEATS = 10
# Hardly more than touching: between it and the 0.5 of the objects a proposal is neither.
BACKGROUND_IOU = 0.1
# One proposal of the background is taken for this many windows of objects of an image; `balance`
# then repeats them as it does any class.
BACKGROUND_PART = 4
# An image with many windows is visited more than once in a pass, and so are the copies of a window:
# blocks, and with them batches, would hold too few images otherwise.
MAX_VISIT, MAX_COPIES = 16, 4
_PASS, _BLOCK = 0, 1
_COLUMNS = ("image", "box", "object_id", "label")


@dataclass(frozen=True)
class Windows:
    """Windows of one split, in the order of its images.

    Attributes:
        image: `(n,)` int32, the image as an index into the ids of the split.
        box: `(n, 4)` int32 squares, which may leave the image.
        object_id: `(n,)` int32, the instance that alone keeps its labels; 0 where all labels stay.
        label: `(n,)` int32, the class that `balance` counts the window as.
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
        split: The data set.
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
            ids, tight = instances.ids[kept], instances.boxes[kept]
            found.append(_windows(index, tight, enlarge, ids, classes[kept]))
    windows = concatenate(found)
    if not len(windows):
        raise UserError(
            f"`{split.root / 'SegmentationObject'}` must hold instance maps: stage 1 learns from "
            f"single objects. Received: no object in {split.name!r}. "
            "Add instance maps, or train stage 2 without stage 1."
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
        split: The data set.
        proposals: Proposals of each image, by id; those of other images are ignored.
        min_iou: Least intersection over union of the boxes of proposal and object.
        enlarge: Side of the window over the longer side of the proposal.
        background: Whether proposals that overlap no object by more than `BACKGROUND_IOU` give
            windows of class 0 as well. The paper has none. At inference there are many of them, and
            a narrow network that was trained without finds objects there.

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
            f"{len(missing)} of them, such as {missing[0]!r}. Run `tfdeconv propose {split.root}` "
            "again."
        )
    found = []
    for index, image_id in enumerate(track(split.ids, "Matching proposals")):
        truth, classes = maps.object_boxes(split, image_id)
        if len(truth):
            proposed = proposals[image_id].boxes
            overlap = boxes.iou(proposed, truth)
            best = overlap.max(axis=1)
            kept = best >= min_iou
            labels = np.where(kept, classes[overlap.argmax(axis=1)], 0)
            if background:
                outside = np.flatnonzero(best < BACKGROUND_IOU)
                kept[outside[: 1 + kept.sum() // BACKGROUND_PART]] = True
            ids, labels = np.zeros(kept.sum()), labels[kept]
            found.append(_windows(index, proposed[kept], enlarge, ids, labels))
    windows = concatenate(found)
    if not len(windows):
        raise UserError(
            f"At least one proposal must overlap an object by {min_iou}. Received: none in "
            f"{split.name!r} of `{split.root}`. Make more proposals, or check the labels."
        )
    return windows


def balance(windows: Windows, seed: int = 0) -> Windows:
    """Repeats windows of rare classes until every class has as many as the most frequent one.

    The paper balances "by adding redundant examples for the classes with limited number of
    examples" (section 4.2) and gives no recipe. Here all windows of a class are repeated equally
    often, up to one, and at most `MAX_REPEATS` times; `seed` decides which get one repetition more.
    The order stays, with copies next to each other.

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


def concatenate(parts: list[Windows]) -> Windows:
    """Returns the windows of all parts, one part after the other; none of no parts."""
    none = Windows(*(np.zeros(shape, np.int32) for shape in ((0,), (0, 4), (0,), (0,))))
    parts = [none, *parts]
    columns = ([getattr(part, column) for part in parts] for column in _COLUMNS)
    return Windows(*map(np.concatenate, columns))


@dataclass(frozen=True)
class Schedule:
    """What to produce and in which order to consume it.

    Attributes:
        windows: `(rows,)` int64, the windows in the order of production.
        rows: `(rows,)` int64, the place of each in all rows, from which its random numbers are
            drawn.
        visits: `(v, 2)` int64, first row and row behind the last of each visit.
        order: `(rows,)` int64, for each row that is consumed, its place in its block.
    """

    windows: np.ndarray
    rows: np.ndarray
    visits: np.ndarray
    order: np.ndarray


def plan_schedule(
    windows: Windows, rows: int, block: int, seed: int, first_block: int = 0
) -> Schedule:
    """Plans the rows from `first_block * block` to `rows`, the end of the training.

    Copies of a window (see `balance`) are visited apart. Blocks have `block` rows; the last may be
    smaller, since only what is consumed is produced. The plan of a row depends on `seed` alone.

    Raises:
        ValueError: when there are no windows or no rows to plan.
    """
    if not len(windows) or rows <= first_block * block:
        raise ValueError(
            "`windows` and the rows to plan must not be empty. Received: "
            f"{len(windows)} windows, rows={rows}, first_block={first_block} of {block} rows"
        )
    blocks, size = range(first_block, -(-rows // block)), len(windows)
    passes = range(blocks.start * block // size, -(-blocks.stop * block // size))
    copies = _count_copies(windows)
    planned = np.concatenate([_plan_pass(windows, copies, seed, number) for number in passes])
    parts = []
    for number in blocks:
        order = np.random.default_rng((seed, _BLOCK, number)).permutation(block)
        order = order[: min(block, rows - number * block)]
        kept = np.sort(order)
        parts.append((number * block + kept, np.searchsorted(kept, order)))
    places, order = (np.concatenate(part) for part in zip(*parts, strict=True))
    produced = planned[places - passes.start * size]
    return Schedule(produced, places, _visits(windows.image[produced], places // block), order)


def _plan_pass(windows: Windows, copies: np.ndarray, seed: int, number: int) -> np.ndarray:
    generator = np.random.default_rng((seed, _PASS, number))
    order = generator.permutation(len(windows))
    # Windows of one image and one round of copies become neighbours, in random order.
    rounds = copies // MAX_COPIES
    group = (windows.image * (rounds.max() + 1) + rounds)[order]
    by_group = np.argsort(group, kind="stable")
    order, group = order[by_group], group[by_group]
    place = np.arange(len(order)) - np.searchsorted(group, group)
    visit = np.cumsum((place % MAX_VISIT) == 0) - 1
    return order[np.argsort(generator.permutation(visit[-1] + 1)[visit], kind="stable")]


def _count_copies(windows: Windows) -> np.ndarray:
    """Numbers equal windows, which follow each other: 0 for the first of them."""
    rows = np.column_stack([windows.image, windows.box, windows.object_id])
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return np.arange(len(rows)) - np.flatnonzero(first)[np.cumsum(first) - 1]


def _visits(images: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Splits rows into runs of one image; none reaches over the end of a block."""
    change = (images[1:] != images[:-1]) | (blocks[1:] != blocks[:-1])
    starts = np.concatenate([[0], np.flatnonzero(change) + 1])
    return np.stack([starts, np.append(starts[1:], len(images))], axis=1)


def _windows(
    index: int, found: np.ndarray, enlarge: float, object_id: np.ndarray, label: np.ndarray
) -> Windows:
    # Imported here: it is computed in TensorFlow, which looking at a data set need not load.
    from tfdeconv.data.crops import enlarge_to_square

    image = np.full(len(found), index, np.int32)
    box = enlarge_to_square(found, enlarge).numpy()
    return Windows(image, box, object_id.astype(np.int32), label.astype(np.int32))
