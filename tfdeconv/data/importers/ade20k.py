"""ADE20K, scene parsing: `images/training/ADE_train_*.jpg` and `annotations/training/*.png`."""

import functools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from tfdeconv.data.importers import mask_files, sources
from tfdeconv.data.importers.folders import Pair, pair
from tfdeconv.data.importers.painting import Maps
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong
from tfdeconv.labels import IGNORE_LABEL

NAME = "ade20k"
_COUNT = 150
_NAMES = "objectInfo150.txt"


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    if folder.only is not None:
        return None
    for name in folder.photographs:
        path = PurePosixPath(name)
        if path.name.startswith("ADE_") and path.suffix == ".png" and "annotations" in path.parts:
            return f"`{name}`"
    return None


def open_source(folder: Folder, options: Options) -> Source:
    """Opens the pairs; 0 is what has no class, and void."""
    pairs, dropped = pair(folder)
    found, notes = _names(folder)
    names, labels = sources.class_labels(found, options, str(folder.root))
    table = np.full(256, IGNORE_LABEL, np.uint8)
    table[1 : _COUNT + 1] = [labels.get(name, IGNORE_LABEL) for name in found]
    notes.append("value 0 (all other classes) is void; the class background is empty")
    return Source(names, _samples(folder, pairs, table), len(pairs), notes, dropped)


def _names(folder: Folder) -> tuple[list[str], list[str]]:
    listed = [name for name in folder.files if PurePosixPath(name).name == _NAMES]
    if not listed:
        numbers = [f"class_{number}" for number in range(1, _COUNT + 1)]
        return numbers, [f"class names are those of `{_NAMES}`, which is not in the source"]
    path = folder.path(listed[0])
    lines = [line for line in sources.read_text(path).splitlines()[1:] if line.strip()]
    # The synonyms stand in the last column, with commas.
    found = [sources.clean_name(line.split("\t")[-1].split(",")[0]) for line in lines]
    if len(set(found)) != _COUNT:
        raise wrong(f"`{path}`", f"list {_COUNT} classes", len(set(found)), "Download it again.")
    return found, []


def _samples(folder: Folder, pairs: list[Pair], table: np.ndarray) -> Iterator[Sample]:
    for found in pairs:
        path = folder.path(found.mask)
        draw = functools.partial(_draw, path, table)
        split = sources.split_in(found.mask)
        name, image = sources.short_name(found.image), folder.images.path(found.image)
        yield Sample(name, image, draw, f"`{path}`", split, None, (path,))


def _draw(path: Path, table: np.ndarray, height: int, width: int) -> Maps:
    values = mask_files.read_values(path)
    if values.ndim != 2 or values.max(initial=0) > _COUNT:
        received = "colours" if values.ndim != 2 else values.max()
        raise wrong(
            f"`{path}`",
            f"hold the classes 0 to {_COUNT} of the scene parsing benchmark",
            received,
            "The full ADE20K is not supported.",
        )
    return Maps(table[values])
