"""COCO panoptic: JSON with `segments_info`, and PNGs whose colours are the ids of segments."""

import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfdeconv.data.importers import mask_files, painting, sources
from tfdeconv.data.importers.coco import photograph_folders
from tfdeconv.data.importers.painting import Maps
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong
from tfdeconv.labels import IGNORE_LABEL, VOID_OBJECT

NAME = "coco-panoptic"
_LOOKED_AT = 200


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    paths = _paths(folder)
    return f"`{paths[0]}` has `segments_info`" if paths else None


def _paths(folder: Folder) -> list[Path]:
    return [
        path
        for path in folder.annotations(".json")[:_LOOKED_AT]
        if '"segments_info"' in folder.peek(path)
    ]


def open_source(folder: Folder, options: Options) -> Source:
    """Reads the categories; their ids are the same in all files."""
    paths = _paths(folder)
    categories: dict[int, dict[str, Any]] = {}
    total = 0
    for path in paths:
        for key, value in sources.iterate_json(path):
            if key == "categories":
                if not isinstance(value, dict) or type(value.get("id")) is not int:
                    raise wrong(f"`{path}`", "have categories with ids", value, "Correct it.")
                categories[value["id"]] = value
            total += key == "annotations"
    found = {key: str(categories[key].get("name", key)) for key in sorted(categories)}
    names, labels = sources.class_labels(found.values(), options, str(paths[0]))
    of_category = {
        key: (labels.get(sources.clean_name(name)), bool(categories[key].get("isthing", 1)))
        for key, name in found.items()
    }
    notes = ["pixels of no segment are void", "label 0 is an empty background"]
    source = Source(names, (), total, notes)
    source.samples = _samples(folder, paths, of_category, source.dropped)
    return source


def _samples(
    folder: Folder,
    paths: list[Path],
    of_category: dict[int, tuple[int | None, bool]],
    dropped: Counter[str],
) -> Iterator[Sample]:
    for path in paths:
        photographs = {
            str(value.get("id")): value.get("file_name")
            for key, value in sources.iterate_json(path)
            if key == "images" and isinstance(value, dict)
        }
        inside = path.relative_to(folder.root).parent
        split = path.stem.rpartition("_")[2]
        masks = [(inside / path.stem).as_posix(), inside.as_posix()]
        for key, value in sources.iterate_json(path):
            if key != "annotations":
                continue
            place = f"`{path}`, annotation of image {_get(value, 'image_id')!r},"
            segments, mask_name = _get(value, "segments_info"), _get(value, "file_name")
            if not isinstance(segments, list) or not isinstance(mask_name, str):
                raise wrong(place, "have `file_name` and `segments_info`", value, "Correct it.")
            name = photographs.get(str(_get(value, "image_id")))
            folders = photograph_folders(inside, split)
            image = folder.images.find_photograph(name, folders) if isinstance(name, str) else None
            mask = folder.find_photograph(mask_name, masks)
            if image is None or mask is None:
                dropped["images whose photograph or mask is missing"] += 1
                continue
            draw = functools.partial(_draw, mask, _table(segments, of_category, place), place)
            name = sources.short_name(str(name))
            our_split = sources.split_of(split) or sources.split_in(f"{inside}/x")
            yield Sample(name, image, draw, place, our_split, None, (path, mask))


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _table(
    segments: list[Any], of_category: dict[int, tuple[int | None, bool]], place: str
) -> dict[int, tuple[int, int]]:
    """Returns the label and the instance number of each id; 255 is void and 65535 a crowd."""
    table = {0: (IGNORE_LABEL, 0)}
    for number, segment in enumerate(segments, 1):
        key, category = _get(segment, "id"), _get(segment, "category_id")
        is_id = type(key) is int and 0 < key < 1 << 24
        if not is_id or type(category) is not int or category not in of_category:
            raise wrong(place, "have segments with an id and a known category", segment, "Fix it.")
        label, is_thing = of_category[category]
        instance = min(number, VOID_OBJECT - 1) if is_thing else 0
        instance = VOID_OBJECT if _get(segment, "iscrowd") else instance
        label = IGNORE_LABEL if label is None else label
        table[key] = (label, 0 if label in (0, IGNORE_LABEL) else instance)
    return table


def _draw(
    path: Path, table: dict[int, tuple[int, int]], place: str, height: int, width: int
) -> Maps:
    values = mask_files.read_values(path)
    # An image of gray ids has the same value in all channels.
    channels = values[..., None].repeat(3, axis=2) if values.ndim == 2 else values
    ids = channels.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
    present, inverse = np.unique(ids, return_inverse=True)
    missing = [key for key in present.tolist() if key not in table]
    if missing:
        row, column = np.argwhere(ids == missing[0])[0].tolist()
        raise wrong(
            place,
            f"list every id of `{path}`",
            f"{missing[0]} in row {row}, column {column}",
            "Export both again.",
        )
    found = np.array([table[key] for key in present.tolist()], np.uint16)[inverse]
    maps = found.reshape(*ids.shape, 2)
    dropped: Counter[str] = Counter()
    objects, count = painting.number_objects(np.ascontiguousarray(maps[..., 1]), dropped)
    return Maps(maps[..., 0].astype(np.uint8), objects, count, dropped)
