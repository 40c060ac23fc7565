"""Oxford-IIIT Pet: `annotations/trimaps/*.png`, where 1 is the pet, 2 background, 3 the border."""

import functools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from tfdeconv.data.importers import mask_files, sources
from tfdeconv.data.importers.painting import Maps
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong
from tfdeconv.labels import IGNORE_LABEL

NAME = "pets"
_LABELS = np.array([IGNORE_LABEL, 1, 0, IGNORE_LABEL], np.uint8)


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    trimaps = _trimaps(folder)
    return f"`{trimaps[0]}`" if trimaps else None


def _trimaps(folder: Folder) -> list[str]:
    if folder.only is not None:
        return []
    wanted = ("annotations", "trimaps")
    return [name for name in folder.photographs if PurePosixPath(name).parts[-3:-1] == wanted]


def open_source(folder: Folder, options: Options) -> Source:
    """Opens the images that have a trimap, in the splits of the lists."""
    trimaps = _trimaps(folder)
    chosen = [name for name in options.classes or ("pet",) if name != "background"]
    if len(chosen) != 1:
        raise wrong(
            f"`{folder.root}`", "have one class", len(chosen), "Name one class with `--classes`."
        )
    notes = ["pixels of value 3 (borders) are void", "the animal is one instance"]
    names = sources.checked_names(("background", *chosen), str(folder.root))
    source = Source(names, (), len(trimaps), notes)
    source.samples = _samples(folder, trimaps, source)
    return source


def _samples(folder: Folder, trimaps: list[str], source: Source) -> Iterator[Sample]:
    splits: dict[str, str] = {}
    for name in folder.files:
        split = {"trainval.txt": "train", "test.txt": "test"}.get(PurePosixPath(name).name)
        if split is not None:
            for line in sources.read_text(folder.path(name)).splitlines():
                splits[line.partition(" ")[0]] = split
    for name in trimaps:
        stem = PurePosixPath(name).stem
        image = folder.images.find_photograph(f"{stem}.jpg", ["images"])
        if image is None:
            source.dropped["masks without an image"] += 1
            continue
        path = folder.path(name)
        draw = functools.partial(_draw, path)
        yield Sample(image.name, image, draw, f"`{path}`", splits.get(stem), None, (path,))


def _draw(path: Path, height: int, width: int) -> Maps:
    values = mask_files.read_values(path)
    if values.ndim != 2 or values.max(initial=0) > 3:
        raise wrong(f"`{path}`", "hold 1, 2 and 3", "other values", "Download it again.")
    labels = _LABELS[values]
    objects = (labels == 1).astype(np.uint16)
    return Maps(labels, objects, int(objects.any()))
