"""labelme: a JSON file beside each image, with `shapes` and `imagePath`."""

import base64
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfdeconv.data.importers import mask_files, painting, sources
from tfdeconv.data.importers.painting import Maps, Patch, Shape
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong

NAME = "labelme"
# What labelme's own exporter draws for shapes without an area.
_LINE_WIDTH, _POINT_RADIUS = 10, 5
_LOOKED_AT = 50


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    for path in folder.annotations(".json")[:_LOOKED_AT]:
        if _is_labelme(folder, path):
            return f"`{path}` has `shapes` and `imagePath`"
    return None


def _is_labelme(folder: Folder, path: Path) -> bool:
    text = folder.peek(path)
    return all(re.search(rf'"{key}"\s*:', text) for key in ("shapes", "imagePath"))


def open_source(folder: Folder, options: Options) -> Source:
    """Reads the names of the classes from all files."""
    paths = [path for path in folder.annotations(".json") if _is_labelme(folder, path)]
    found: set[str] = set()
    for path in paths:
        for number, shape in enumerate(_read(path)["shapes"], 1):
            if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
                place = f"`{path}`, shape {number},"
                raise wrong(place, "be an object with a text as `label`", shape, "Correct it.")
            found.add(sources.clean_name(shape["label"]))
    listed = [name for name in folder.files if name.rpartition("/")[2] == "labels.txt"]
    ordered = sorted(found)
    notes = ["classes are in the order of the alphabet; `--classes` gives another"]
    if len(listed) == 1 and options.classes is None:
        lines = sources.read_text(folder.path(listed[0])).splitlines()
        ordered = [sources.clean_name(line) for line in lines if line.strip()] + ordered
        notes = [f"classes are in the order of `{listed[0]}`"]
    names, labels = sources.class_labels(ordered, options, str(folder.root))
    notes += ["later shapes lie over earlier ones", "pixels without a shape are background"]
    source = Source(names, (), len(paths), notes)
    source.samples = _samples(folder, paths, labels, source.dropped)
    return source


def _read(path: Path) -> dict[str, Any]:
    value = sources.read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get("shapes"), list):
        raise wrong(f"`{path}`", "have a list `shapes`", type(value).__name__, "Save it again.")
    return value


def _samples(
    folder: Folder,
    paths: list[Path],
    labels: dict[str, int],
    dropped: Counter[str],
) -> Iterator[Sample]:
    for path in paths:
        value = _read(path)
        inside = path.relative_to(folder.root)
        photograph = _photograph(value, path, folder.images, inside)
        if photograph is None:
            dropped["images whose photograph is missing"] += 1
            continue
        yield Sample(
            sources.short_name(inside.as_posix()),
            photograph,
            functools.partial(_draw, value["shapes"], labels, path),
            f"`{path}`",
            sources.split_in(inside.as_posix()),
            sources.stated_size(value.get("imageHeight"), value.get("imageWidth")),
            (path,),
        )


def _photograph(
    value: dict[str, Any], path: Path, photographs: Folder, inside: Path
) -> Path | bytes | None:
    data = value.get("imageData")
    if isinstance(data, str) and data:
        return _decoded(data, f"`{path}`, `imageData`,")
    name = value.get("imagePath")
    same_folder = inside.parent.as_posix()
    found = photographs.find_photograph(name, [same_folder]) if isinstance(name, str) else None
    if found is not None:
        return found
    same = [
        name
        for name in photographs.photographs
        if Path(name).stem == path.stem and Path(name).parent.as_posix() == same_folder
    ]
    return photographs.path(same[0]) if len(same) == 1 else None


def _decoded(text: str, place: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise wrong(place, "be base64", error, "Save the file again.") from error


def _draw(
    shapes: list[dict[str, Any]], labels: dict[str, int], path: Path, height: int, width: int
) -> Maps:
    def drawn() -> Iterator[Shape | str]:
        for number, shape in enumerate(shapes, 1):
            place = f"`{path}`, shape {number} ({shape['label']!r}),"
            label = labels.get(sources.clean_name(shape["label"]))
            if label is None:
                yield "objects of an unknown class"
                continue
            try:
                patch = _patch(shape, place, height, width)
            except ValueError as error:
                raise wrong(place, "be a shape that can be drawn", error, "Correct it.") from error
            group = shape.get("group_id")
            key = None if group is None else str(group)
            yield "shapes without an area" if patch is None else Shape(label, patch, key)

    return painting.paint(drawn(), height, width)


def _patch(shape: dict[str, Any], place: str, height: int, width: int) -> Patch | None:
    kind = shape.get("shape_type") or "polygon"
    points = painting.as_points(shape.get("points") or [])
    needed = {"rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "point": 1, "mask": 1}
    if len(points) < needed.get(kind, 0):
        raise ValueError(f"a {kind} of {len(points)} points")
    if kind == "mask":
        return _mask(shape, points[0], place, height, width)
    if kind in ("polygon", "oriented_rectangle"):
        rings = [points]
    elif kind == "rectangle":
        rings = [painting.rectangle(*points[0], *points[1])]
    elif kind == "circle":
        radius = float(np.hypot(*(points[1] - points[0])))
        rings = [painting.ellipse(points[0], (radius, radius))]
    elif kind == "point":
        rings = [painting.ellipse(points[0], (_POINT_RADIUS, _POINT_RADIUS))]
    elif kind in ("line", "linestrip"):
        rings = painting.stroke(points, _LINE_WIDTH)
    elif kind == "points":
        return None
    else:
        raise ValueError(f"shape_type {kind!r}")
    return painting.fill(rings, height, width)


def _mask(shape: dict[str, Any], corner: np.ndarray, place: str, height: int, width: int) -> Patch:
    if not isinstance(shape.get("mask"), str):
        raise ValueError("a mask without `mask`")
    picture = mask_files.decode_small_png(_decoded(shape["mask"], place), height, width)
    mask = np.asarray(picture if picture.mode in ("1", "P") else picture.convert("L")) > 0
    left, top = (int(value) for value in np.round(corner))
    return painting.clip(mask, top, left, height, width)
