"""Folders of images and masks: indices, 0 and 255, colours, and one mask an object.

Images and masks are paired by their folders (`images` and `masks`, `JPEGImages` and
`SegmentationClass`, ...) and names. What the values of the masks mean is decided once for all of
them, so that no mask is read in another way than its neighbour.
"""

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from tfdeconv.data.importers import colour_tables, mask_files, painting, sources
from tfdeconv.data.importers.colour_tables import ClassTable
from tfdeconv.data.importers.painting import Maps
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong
from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL, VOID_OBJECT, palette
from tfdeconv.progress import track

NAME = "masks"
MASK_FOLDERS = frozenset(
    ("masks", "mask", "labels", "label", "annotations", "gts", "gt", "segmentationclass")
)
_SUFFIXES = ("_mask", "_gt", "_labels", "_label", "_L", "_segmentation", "_seg")
# More different values are no classes.
_MAX_VALUES = 256


class Pair(NamedTuple):
    """The relative paths of an image and its mask, and the split if a list puts it into one."""

    image: str
    mask: str
    split: str | None = None


@dataclass
class Values:
    """What occurs in the masks of a source.

    Attributes:
        gray: values of masks of one channel.
        colours: packed RGB of masks of three channels; gray ones too where both occur.
        first: a mask in which each of them occurs.
    """

    gray: set[int] = field(default_factory=set)
    colours: set[int] = field(default_factory=set)
    first: dict[int, Path] = field(default_factory=dict)


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    if folder.only is not None:
        return None
    pairs, _ = pair(folder)
    if not pairs:
        return None
    return f"`{pairs[0].image}` has the mask `{pairs[0].mask}`"


def pair(folder: Folder) -> tuple[list[Pair], Counter[str]]:
    """Pairs the images and masks of a folder.

    Args:
        folder: The folder of the masks, which knows that of the images.

    Returns:
        The pairs in the order of the images, and how many files have no partner.

    Raises:
        UserError: when one mask fits two images, or two masks one image.
    """
    masks_of: dict[str, list[str]] = defaultdict(list)
    images_of: dict[str, list[str]] = defaultdict(list)
    for name in folder.photographs:
        if "segmentationobject" in _folders(name):
            continue
        key, is_mask = _key(name)
        (masks_of if is_mask else images_of)[key].append(name)
    if folder.images is not folder:
        images_of = defaultdict(list)
        for name in folder.images.photographs:
            images_of[_key(name)[0]].append(name)
    pairs, dropped = [], Counter[str]()
    for key, masks in masks_of.items():
        images = images_of.pop(key, [])
        if not images:
            dropped["masks without an image"] += 1
        elif len(images) > 1 or len(masks) > 1:
            raise UserError(
                f"`{folder.root / masks[0]}` must be the one mask of one image. Received: images "
                f"{', '.join(images)} and masks {', '.join(masks)}. Rename or remove some of them."
            )
        else:
            pairs.append(Pair(images[0], masks[0]))
    dropped["images without a mask"] = len(images_of)
    return sorted(pairs), dropped


def _folders(name: str) -> list[str]:
    return [part.lower() for part in PurePosixPath(name).parts[:-1]]


def _key(name: str) -> tuple[str, bool]:
    """Returns what an image and its mask have in common, and whether this is the mask."""
    path = PurePosixPath(name)
    folders = _folders(name)
    in_masks = any(part in MASK_FOLDERS for part in folders)
    stem = path.stem
    is_mask = in_masks
    if in_masks or not any(part in sources.IMAGE_FOLDERS for part in folders):
        suffix = next((end for end in _SUFFIXES if stem.endswith(end)), "")
        stem = stem.removesuffix(suffix)
        is_mask = in_masks or bool(suffix)
    kept = [part for part in folders if part not in MASK_FOLDERS | sources.IMAGE_FOLDERS]
    return "/".join((*kept, stem)).casefold(), is_mask


def open_source(folder: Folder, options: Options) -> Source:
    """Pairs the files and decides what the values of all masks mean."""
    return open_pairs(folder, *pair(folder), options)


def open_pairs(
    folder: Folder,
    pairs: list[Pair],
    dropped: Counter[str],
    options: Options,
    known: Sequence[ClassTable] = (),
) -> Source:
    """Opens images and masks whose partners are known.

    Where the folder has no list of classes, it is the one of `known` that fits the kind of masks:
    with colours or without.
    """
    table = colour_tables.find_table(folder)
    values = _look([folder.path(found.mask) for found in pairs])
    if table is None:
        fitting = (each for each in known if bool(each.colours) == bool(values.colours))
        table = next(fitting, None)
    notes = []
    if table is not None:
        notes.append(f"classes are those of `{table.path}`")
    names, decode, more = decide(values, table, options, folder)
    source = Source(names, (), len(pairs), notes + more, dropped)
    source.samples = _samples(folder, pairs, decode)
    return source


def _look(paths: Sequence[Path]) -> Values:
    values = Values()
    for path in track(paths, "Reading masks"):
        mask = mask_files.read_values(path)
        target = values.gray if mask.ndim == 2 else values.colours
        for value in np.unique(pack(mask)).tolist()[: _MAX_VALUES + 1]:
            target.add(value)
            values.first.setdefault(value, path)
        if len(target) > _MAX_VALUES:
            raise wrong(
                f"`{path}`",
                f"contain at most {_MAX_VALUES} different values together with the other masks",
                f"{len(target)} or more",
                "Masks with anti-aliased borders cannot be imported. Export them without",
            )
    if values.colours:
        values.colours |= {value * 0x010101 for value in values.gray if value < 256}
    return values


def pack(mask: np.ndarray) -> np.ndarray:
    """Returns the values of a mask as numbers: gray as it is, RGB as 0xRRGGBB."""
    if mask.ndim == 2:
        return mask
    red, green, blue = np.moveaxis(mask.astype(np.uint32), -1, 0)
    return red << 16 | green << 8 | blue


def decide(
    values: Values, table: ClassTable | None, options: Options, folder: Folder
) -> tuple[tuple[str, ...], Callable[[Path], np.ndarray], list[str]]:
    """Decides the classes, and how a mask becomes labels.

    Returns:
        The class names, a function that reads the labels of a mask, and what was assumed.

    Raises:
        UserError: when the meaning of the values is not known.
    """
    place = str(folder.root)
    if values.colours or _are_gray_colours(values, table):
        return _by_colour(values, table, options, place)
    return _by_index(values, table, options, place)


def _are_gray_colours(values: Values, table: ClassTable | None) -> bool:
    # Black and white are colours where the list says so and there are no labels as high as that.
    if table is None or max(values.gray, default=0) < len(table.names):
        return False
    return {value * 0x010101 for value in values.gray} <= set(table.colours)


def _by_colour(
    values: Values, table: ClassTable | None, options: Options, place: str
) -> tuple[tuple[str, ...], Callable[[Path], np.ndarray], list[str]]:
    if table is None or not table.colours:
        shown = ", ".join(f"#{colour:06x}" for colour in sorted(values.colours)[:12])
        raise wrong(
            f"`{place}`",
            "define what the colours of the masks mean",
            f"colours {shown}{' ...' if len(values.colours) > 12 else ''}",
            "Add a `class_dict.csv` with the header `name,r,g,b` and a line for each class.",
        )
    names, labels = sources.class_labels(table.names, options, str(table.path))
    known = {
        colour: labels.get(sources.clean_name(name))
        for name, colour in zip(table.names, table.colours, strict=True)
    }
    return names, functools.partial(_read_labels, known, True), []


def _by_index(
    values: Values, table: ClassTable | None, options: Options, place: str
) -> tuple[tuple[str, ...], Callable[[Path], np.ndarray], list[str]]:
    numbers = {int(name) for name in options.void if name.isdecimal()}
    plain = Options(options.classes, tuple(n for n in options.void if not n.isdecimal()))
    present = values.gray - numbers
    notes = []
    if present == {0, IGNORE_LABEL} or present == {IGNORE_LABEL}:
        listed = table.names if table is not None else ("background", "foreground")
        found = list(plain.classes or listed)
        if len(found) == 1:
            found.insert(0, "background")
        if len(found) != 2:
            raise wrong(
                f"`{values.first[IGNORE_LABEL]}`",
                "hold class numbers where there are several classes",
                f"only the values 0 and 255 in all masks, and {len(found)} classes",
                "Name the one class of 255 with `--classes`, or export class numbers.",
            )
        notes.append(f"masks contain only 0 and 255: 255 is read as {found[1]}, not as void")
        of_value = {0: found[0], IGNORE_LABEL: found[1]}
    else:
        if IGNORE_LABEL in present:
            notes.append("255 is void")
            present = present - {IGNORE_LABEL}
            numbers.add(IGNORE_LABEL)
        found = _index_names(values, present, table, plain, notes)
        of_value = dict(enumerate(found))
    names, labels = sources.class_labels(found, plain, place)
    known: dict[int, int | None] = {value: labels.get(name) for value, name in of_value.items()}
    known |= dict.fromkeys(numbers, IGNORE_LABEL)
    return names, functools.partial(_read_labels, known, False), notes


def _index_names(
    values: Values,
    present: set[int],
    table: ClassTable | None,
    options: Options,
    notes: list[str],
) -> list[str]:
    highest = max(present, default=0)
    path = values.first.get(highest)
    if table is not None and options.classes is None:
        found = [sources.clean_name(name) for name in table.names]
    elif options.classes is not None:
        found = list(options.classes)
        if len(found) == highest and found[0].lower() not in sources.BACKGROUND:
            found.insert(0, "background")
            notes.append("label 0 is background")
    elif highest > 2 * len(present) + 10:
        shown = ", ".join(map(str, sorted(present)[:12]))
        raise wrong(
            f"`{path}`",
            "hold class numbers from 0",
            f"the values {shown}{' ...' if len(present) > 12 else ''} in all masks",
            "Export class numbers, or name all of them from 0 with `--classes`.",
        )
    else:
        found = ["background", *(f"class_{label}" for label in range(1, max(highest, 1) + 1))]
        if highest == 1:
            found[1] = "foreground"
        notes.append("class names are not in the source; `--classes` gives them, from label 0")
    if highest >= len(found):
        raise wrong(
            f"`{path}`",
            f"contain class numbers 0 to {len(found) - 1}, for which there are names",
            highest,
            "Name all labels from 0 with `--classes`, or ignore one with `--void`.",
        )
    return found


def _read_labels(known: dict[int, int | None], in_colour: bool, path: Path) -> np.ndarray:
    """Reads a mask and looks its values up; what has no class is void."""
    packed = pack(mask_files.read_values(path))
    if in_colour and packed.dtype != np.uint32:
        packed = packed.astype(np.uint32) * 0x010101
    present, inverse = np.unique(packed, return_inverse=True)
    missing = [value for value in present.tolist() if value not in known]
    if missing:
        row, column = np.argwhere(packed == missing[0])[0].tolist()
        shown = f"#{missing[0]:06x}" if in_colour else missing[0]
        raise wrong(
            f"`{path}`",
            "hold the values of classes only",
            f"{shown} in row {row}, column {column}",
            "Add it to the list of classes, or correct the mask.",
        )
    labels = [known[value] for value in present.tolist()]
    table = np.array([IGNORE_LABEL if label is None else label for label in labels], np.uint8)
    return table[inverse].reshape(packed.shape)


def _samples(
    folder: Folder,
    pairs: list[Pair],
    decode: Callable[[Path], np.ndarray],
) -> Iterator[Sample]:
    splits = list_splits(folder)
    for found in pairs:
        path = folder.path(found.mask)
        name = sources.short_name(found.image)
        split = sources.split_in(found.image) or sources.split_in(found.mask)
        split = found.split or splits.get(PurePosixPath(found.mask).stem, split)
        objects = object_path(folder, found.mask)
        files = (path, *([objects] if objects else []))
        draw = functools.partial(_draw, decode, path, objects)
        image = folder.images.path(found.image)
        yield Sample(name, image, draw, f"`{path}`", split, None, files)


def list_splits(folder: Folder) -> dict[str, str]:
    """Returns the splits that lists in `ImageSets/Segmentation` name, by the stems of the files."""
    splits: dict[str, str] = {}
    for name in folder.files:
        path = PurePosixPath(name)
        split = sources.split_of(path.stem)
        if path.suffix == ".txt" and path.parts[-3:-1] == ("ImageSets", "Segmentation") and split:
            for line in sources.read_text(folder.path(name)).splitlines():
                splits.setdefault(PurePosixPath(line.strip()).name, split)
    return splits


def object_path(folder: Folder, mask: str) -> Path | None:
    """Returns the instance map that belongs to a file in `SegmentationClass`, if there is one."""
    name = mask.replace("SegmentationClass", "SegmentationObject")
    return folder.path(name) if name != mask and name in folder.photographs else None


def _draw(
    decode: Callable[[Path], np.ndarray], path: Path, objects: Path | None, height: int, width: int
) -> Maps:
    labels = decode(path)
    if objects is None:
        return Maps(labels)
    numbers = read_objects(objects)
    if numbers.shape != labels.shape:
        raise wrong(
            f"`{objects}`",
            f"be as large as `{path}`, {labels.shape[1]}x{labels.shape[0]}",
            f"{numbers.shape[1]}x{numbers.shape[0]}",
            "Export both again.",
        )
    numbers[(labels == 0) | (labels == IGNORE_LABEL)] = 0
    dropped: Counter[str] = Counter()
    small, count = painting.number_objects(numbers, dropped)
    return Maps(labels, small, count, dropped)


def read_objects(path: Path) -> np.ndarray:
    """Reads an instance map: indices, or RGB in the colours of PASCAL VOC's palette.

    Returns:
        `(height, width)` uint16, 65535 for void.

    Raises:
        UserError: for other colours.
    """
    values = mask_files.read_values(path)
    packed = pack(values)
    if values.ndim == 3:
        known: dict[int, int | None] = {
            int(value): number for number, value in enumerate(pack(palette()[None])[0])
        }
        numbers = _read_labels(known, True, path).astype(np.uint16)
        numbers[numbers == IGNORE_LABEL] = VOID_OBJECT
        return numbers
    numbers = packed.astype(np.uint16)
    if values.dtype == np.uint8:
        numbers[numbers == IGNORE_LABEL] = VOID_OBJECT
    return numbers
