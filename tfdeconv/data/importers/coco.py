"""COCO instances: JSON with `images`, `annotations` and `categories`.

Large files are read an element at a time into a database in a temporary file, from which the
annotations of one image come after the other, so that memory does not grow with their number.
"""

import functools
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from tfdeconv.data.importers import painting, sources
from tfdeconv.data.importers.painting import Maps, Shape
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong

NAME = "coco"
_KEYS = re.compile(r'"(images|annotations|categories)"\s*:\s*\[')
# Other tools write a file an image, of which a few tell enough.
_LOOKED_AT = 200
_OTHER_FILES = ("captions_", "person_keypoints_", "image_info_")


@dataclass
class _File:
    """One annotation file.

    Attributes:
        path: the file.
        categories: the category of each id.
        used: ids of categories that have annotations.
        by_cvat: whether CVAT or Datumaro wrote it, for which a crowd is any mask.
        crowds: whether there are annotations with `iscrowd`.
    """

    path: Path
    categories: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    by_cvat: bool = False
    crowds: bool = False

    @property
    def is_stuff(self) -> bool:
        return self.path.name.startswith("stuff_")


class _Geometry(NamedTuple):
    area: float
    label: int
    kind: Any
    rings: list[np.ndarray]
    runs: np.ndarray | None


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    paths = _paths(folder)
    return f"`{paths[0]}` has images, annotations and categories" if paths else None


def _paths(folder: Folder) -> list[Path]:
    paths = []
    for path in folder.annotations(".json")[:_LOOKED_AT]:
        if path.name.startswith(_OTHER_FILES) and folder.only is None:
            continue
        text = folder.peek(path)
        if text.lstrip()[:1] == "{" and _KEYS.search(text) and '"segments_info"' not in text:
            paths.append(path)
    return paths


def open_source(folder: Folder, options: Options) -> Source:
    """Reads the categories and where the annotations of each image are."""
    database = sqlite3.connect("")
    database.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
        "CREATE TABLE images (image TEXT PRIMARY KEY, file INT, name TEXT, height INT, width INT);"
        "CREATE TABLE annotations (image TEXT, body TEXT);"
    )
    files = [_read_file(database, number, path) for number, path in enumerate(_paths(folder))]
    database.execute("CREATE INDEX by_image ON annotations (image)")
    found, of_category = _classes(files)
    place = str(files[0].path)
    names, labels = sources.class_labels(found, options, place)
    (total,) = database.execute("SELECT count(*) FROM images").fetchone()
    (unknown,) = database.execute(
        "SELECT count(*) FROM annotations WHERE image NOT IN (SELECT image FROM images)"
    ).fetchone()
    source = Source(names, (), total, _notes(files, options))
    source.dropped["annotations of unknown images"] = unknown
    of_label = [{key: labels.get(name) for key, name in of_file.items()} for of_file in of_category]
    source.samples = _samples(folder, options, database, files, of_label, source.dropped)
    return source


def _read_file(database: sqlite3.Connection, number: int, path: Path) -> _File:
    file = _File(path)
    for key, value in sources.iterate_json(path):
        if key not in ("images", "annotations", "categories"):
            continue
        if not isinstance(value, dict):
            raise wrong(f"`{path}`", f"have objects in `{key}`", value, "Export it again.")
        if key == "categories":
            file.categories[_id(value, "id", f"`{path}`")] = value
        elif key == "images":
            _add_image(database, number, path, value)
        else:
            _add_annotation(database, number, file, value)
    return file


def _add_image(database: sqlite3.Connection, number: int, path: Path, image: dict) -> None:
    place = f"`{path}`, image {image.get('id')!r},"
    name = image.get("file_name")
    if not isinstance(name, str) or not name.strip():
        raise wrong(place, "have a `file_name`", name, "Export it again.")
    size = image.get("height"), image.get("width")
    if not all(type(side) is int and 0 < side < 1 << 31 for side in size):
        raise wrong(place, "have `height` and `width`", size, "Export it again.")
    key = f"{number}:{_id(image, 'id', place)}"
    try:
        database.execute("INSERT INTO images VALUES (?, ?, ?, ?, ?)", (key, number, name, *size))
    except sqlite3.IntegrityError:
        raise wrong(place, "have a unique id", key, "Give each image an id of its own.") from None
    except UnicodeEncodeError:
        raise wrong(place, "have a name in Unicode", ascii(name), "Rename the file.") from None


def _add_annotation(
    database: sqlite3.Connection, number: int, file: _File, annotation: dict
) -> None:
    place = f"`{file.path}`, annotation {annotation.get('id')!r},"
    file.used.add(_id(annotation, "category_id", place))
    attributes = annotation.get("attributes")
    file.crowds |= bool(annotation.get("iscrowd"))
    file.by_cvat |= isinstance(attributes, dict) and "occluded" in attributes
    wanted = ("id", "category_id", "segmentation", "iscrowd")
    body = json.dumps({key: annotation.get(key) for key in wanted})
    key = f"{number}:{_id(annotation, 'image_id', place)}"
    database.execute("INSERT INTO annotations VALUES (?, ?)", (key, body))


def _id(value: dict[str, Any], key: str, place: str) -> str:
    found = value.get(key)
    if not isinstance(found, int | str):
        raise wrong(place, f"have a number or text as `{key}`", found, "Export it again.")
    return ascii(str(found))[1:-1]


def _classes(files: list[_File]) -> tuple[list[str], list[dict[str, str]]]:
    """Returns the names of the classes, and for each file the name of each category id."""
    found: dict[str, None] = {}
    of_category = []
    for file in files:
        names: dict[str, str] = {}
        for key in sorted(file.categories, key=_numerical):
            category = file.categories[key]
            name = sources.clean_name(category.get("name", key))
            others = [str(c.get("supercategory")) for k, c in file.categories.items() if k != key]
            # Roboflow lists a parent of all classes, that may have the name of one of them.
            if key not in file.used and str(category.get("name")) in others:
                continue
            names[key] = f"{name}_{key}" if name in names.values() else name
            found[names[key]] = None
        of_category.append(names)
    return list(found), of_category


def _numerical(key: str) -> tuple[float, str]:
    return (float(key), "") if key.isdecimal() and len(key) < 20 else (np.inf, key)


def _notes(files: list[_File], options: Options) -> list[str]:
    notes = [
        "pixels without an annotation are background",
        "where objects overlap, the smaller one is on top",
    ]
    crowds = {_crowd(file, options) for file in files if file.crowds}
    if "object" in crowds:
        notes.append(
            "annotations with `iscrowd` are objects: the file was written by CVAT, which "
            "marks all masks so"
        )
    if "crowd" in crowds:
        notes.append("annotations with `iscrowd` are void in the instance maps")
    return notes


def _crowd(file: _File, options: Options) -> str:
    if options.crowd == "auto":
        return "object" if file.by_cvat else "crowd"
    return "object" if options.crowd == "object" else "crowd"


def _samples(
    folder: Folder,
    options: Options,
    database: sqlite3.Connection,
    files: list[_File],
    of_label: list[dict[str, int | None]],
    dropped: Counter[str],
) -> Iterator[Sample]:
    seen: dict[Path, Path] = {}
    rows = database.execute("SELECT * FROM images ORDER BY file, name, rowid")
    for key, number, name, height, width in rows:
        file = files[number]
        inside = file.path.relative_to(folder.root).parent
        split = _split(file.path)
        path = folder.images.find_photograph(name, photograph_folders(inside, split))
        if path is None:
            dropped["images whose photograph is missing"] += 1
            continue
        if seen.setdefault(path, file.path) != file.path:
            raise wrong(
                f"`{path}`",
                "be annotated in one file",
                f"annotations in `{seen[path]}` and in `{file.path}`",
                "Import one of the files instead of the folder.",
            )
        found = database.execute("SELECT body FROM annotations WHERE image = ?", (key,))
        annotations = [json.loads(body) for (body,) in found]
        draw = functools.partial(_draw, annotations, of_label[number], file, _crowd(file, options))
        place = f"`{file.path}`, image {name!r},"
        our_split = sources.split_of(split) or sources.split_in(inside.as_posix() + "/x")
        size = (height, width)
        yield Sample(sources.short_name(name), path, draw, place, our_split, size, (file.path,))


def _split(path: Path) -> str:
    return path.stem.rpartition("_")[2]


def photograph_folders(inside: Path, split: str) -> list[str]:
    """Returns where the photographs of a JSON in the folder `inside` may be."""
    above = inside.parent
    folders = [inside, inside / "images", above / "images" / split, above / split]
    folders += [above / "images", above, Path("images", split), Path("images"), Path(".")]
    return [PurePosixPath(folder).as_posix() for folder in folders]


def _draw(
    annotations: list[dict[str, Any]],
    labels: dict[str, int | None],
    file: _File,
    crowd: str,
    height: int,
    width: int,
) -> Maps:
    geometries: list[_Geometry | str] = []
    for annotation in annotations:
        place = f"`{file.path}`, annotation {annotation['id']!r},"
        label = labels.get(ascii(str(annotation["category_id"]))[1:-1])
        if label is None:
            geometries.append("objects of an unknown class")
            continue
        kind = "stuff" if file.is_stuff else crowd if annotation["iscrowd"] else "object"
        try:
            geometries.append(_geometry(annotation["segmentation"], label, kind, height, width))
        except ValueError as error:
            raise wrong(place, "have a usable `segmentation`", error, "Correct it.") from error
    geometries.sort(key=lambda item: 0 if isinstance(item, str) else -item.area)
    return painting.paint((_shape(item, height, width) for item in geometries), height, width)


def _geometry(value: Any, label: int, kind: str, height: int, width: int) -> _Geometry | str:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]
    if isinstance(value, dict):
        if value.get("size") != [height, width]:
            raise ValueError(f"run lengths of size {value.get('size')} for {[height, width]}")
        runs = painting.as_runs(value.get("counts"), height * width)
        return _Geometry(float(runs[1::2].sum()), label, kind, [], runs)
    if value is None or value in ([], [[]]):
        return "boxes without a mask"
    if not isinstance(value, list):
        raise ValueError(f"{type(value).__name__} in place of polygons or run lengths")
    rings = value if isinstance(value[0], list) else [value]
    points = [painting.as_points(ring) for ring in rings]
    return _Geometry(painting.area(points), label, kind, points, None)


def _shape(item: _Geometry | str, height: int, width: int) -> Shape | str:
    if isinstance(item, str):
        return item
    if item.runs is None:
        return Shape(item.label, painting.fill(item.rings, height, width), kind=item.kind)
    # Run lengths go down the columns.
    mask = painting.expand(item.runs).reshape(width, height).T
    return Shape(item.label, painting.Patch(0, 0, mask), kind=item.kind)
