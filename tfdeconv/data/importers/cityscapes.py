"""Cityscapes: `leftImg8bit/<split>/<city>` and `gtFine/<split>/<city>`, with 19 classes."""

import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from tfdeconv.data.importers import mask_files, painting, sources
from tfdeconv.data.importers.painting import Maps
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong
from tfdeconv.labels import IGNORE_LABEL, VOID_OBJECT

NAME = "cityscapes"
_CLASSES = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
_FIRST_WITH_INSTANCES = 24
_HIGHEST = 33
# From the best to the least: both maps in one, classes, classes of training.
_ENDINGS = ("_instanceIds.png", "_labelIds.png", "_labelTrainIds.png")
_PHOTOGRAPH = "_leftImg8bit"


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    has_photographs = any(_PHOTOGRAPH in name for name in folder.images.photographs)
    masks = [name for name in folder.photographs if name.endswith(_ENDINGS)]
    return f"`{masks[0]}` and images in leftImg8bit" if has_photographs and masks else None


def open_source(folder: Folder, options: Options) -> Source:
    """Opens the images of all splits but `test`, whose labels are not public."""
    masks: dict[str, str] = {}
    for ending in reversed(_ENDINGS):
        for name in folder.photographs:
            if name.endswith(ending):
                masks[PurePosixPath(name).name.removesuffix(ending).rpartition("_")[0]] = name
    names, labels = sources.class_labels(_CLASSES, options, str(folder.root))
    notes = [
        "the 19 classes of training count from 1, label 0 is an empty background",
        "groups of objects that are not split are void in the instance maps",
    ]
    source = Source(names, (), len(masks), notes)
    source.samples = _samples(folder, masks, labels, source.dropped)
    return source


def _samples(
    folder: Folder, masks: dict[str, str], labels: dict[str, int], dropped: Counter[str]
) -> Iterator[Sample]:
    photographs = {
        PurePosixPath(name).stem.removesuffix(_PHOTOGRAPH): name
        for name in folder.images.photographs
        if PurePosixPath(name).stem.endswith(_PHOTOGRAPH)
    }
    dropped["images without a mask"] = len(photographs.keys() - masks.keys())
    table = np.full(_HIGHEST + 1, IGNORE_LABEL, np.uint8)
    for name, label_id in _CLASSES.items():
        table[label_id] = labels.get(name, IGNORE_LABEL)
    for key, mask in sorted(masks.items()):
        split = sources.split_in(mask)
        if key not in photographs or split == "test":
            dropped["images of test" if split == "test" else "masks without an image"] += 1
            continue
        path = folder.path(mask)
        draw = functools.partial(_draw, path, table, labels)
        image = folder.images.path(photographs[key])
        yield Sample(f"{key}.png", image, draw, f"`{path}`", split, None, (path,))


def _draw(path: Path, table: np.ndarray, labels: dict[str, int], height: int, width: int) -> Maps:
    values = mask_files.read_values(path)
    if values.ndim != 2:
        raise wrong(f"`{path}`", "hold ids", "colours", "Take the files that end in Ids.png.")
    if path.name.endswith("_labelTrainIds.png"):
        known = [labels.get(name, IGNORE_LABEL) for name in _CLASSES]
        of_train_id = np.full(256, IGNORE_LABEL, np.uint8)
        of_train_id[: len(known)] = known
        return Maps(of_train_id[values & 255])
    values = values.astype(np.int32)
    is_object = values >= 1000
    ids = np.where(is_object, values // 1000, values)
    # 255 is licence plates (-1) in 8 bits.
    ids[ids >= len(table)] = 0
    found = table[ids]
    if not path.name.endswith("_instanceIds.png"):
        return Maps(found)
    objects = np.where(is_object, values, 0).astype(np.uint16)
    objects[~is_object & (ids >= _FIRST_WITH_INSTANCES)] = VOID_OBJECT
    objects[(found == 0) | (found == IGNORE_LABEL)] = 0
    dropped: Counter[str] = Counter()
    small, count = painting.number_objects(objects, dropped)
    return Maps(found, small, count, dropped)
