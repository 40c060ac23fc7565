"""Supervisely: `meta.json`, and for each `img/<name>` a JSON `ann/<name>.json`."""

import base64
import functools
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tfdeconv.data.importers import mask_files, painting, sources
from tfdeconv.data.importers.painting import Maps, Patch, Shape
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong

NAME = "supervisely"
_PNG = b"\x89PNG"


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    meta = _meta(folder)
    return f"`{meta}` lists classes and there are files in `ann`" if meta else None


def _meta(folder: Folder) -> Path | None:
    if not _annotations(folder):
        return None
    found = [name for name in folder.files if PurePosixPath(name).name == "meta.json"]
    found = [name for name in found if '"classes"' in folder.peek(folder.root / name)]
    return folder.path(found[0]) if len(found) == 1 else None


def _annotations(folder: Folder) -> list[str]:
    return [
        name
        for name in folder.files
        if name.endswith(".json") and PurePosixPath(name).parent.name == "ann"
    ]


def open_source(folder: Folder, options: Options) -> Source:
    """Reads the classes from `meta.json`, in its order."""
    meta = _meta(folder)
    value = sources.read_json(meta) if meta else {}
    classes = value.get("classes") if isinstance(value, dict) else None
    if not isinstance(classes, list) or not all(
        isinstance(entry, dict) and "title" in entry for entry in classes
    ):
        raise wrong(f"`{meta}`", "have `classes` with titles", classes, "Export it again.")
    found = [str(entry["title"]) for entry in classes]
    names, labels = sources.class_labels(found, options, str(meta))
    annotations = _annotations(folder)
    source = Source(names, (), len(annotations), ["later objects lie over earlier ones"])
    source.samples = _samples(folder, annotations, labels, source.dropped)
    return source


def _samples(
    folder: Folder,
    annotations: list[str],
    labels: dict[str, int],
    dropped: Counter[str],
) -> Iterator[Sample]:
    for name in annotations:
        path = folder.path(name)
        base = PurePosixPath(name).parent.parent
        image = PurePosixPath(name).name.removesuffix(".json")
        photograph = folder.images.find_photograph(image, [(base / "img").as_posix()])
        if photograph is None:
            dropped["images whose photograph is missing"] += 1
            continue
        value = sources.read_json(path)
        objects = value.get("objects") if isinstance(value, dict) else None
        if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
            raise wrong(f"`{path}`", "have a list `objects`", objects, "Export it again.")
        size = value.get("size") if isinstance(value.get("size"), dict) else {}
        draw = functools.partial(_draw, objects, labels, path)
        yield Sample(
            sources.short_name((base / image).as_posix()),
            photograph,
            draw,
            f"`{path}`",
            sources.split_in(name),
            sources.stated_size(size.get("height"), size.get("width")),
            (path,),
        )


def _draw(
    objects: list[dict[str, Any]], labels: dict[str, int], path: Path, height: int, width: int
) -> Maps:
    def shapes() -> Iterator[Shape | str]:
        for number, item in enumerate(objects, 1):
            place = f"`{path}`, object {number},"
            label = labels.get(sources.clean_name(item.get("classTitle")))
            if label is None:
                yield "objects of an unknown class"
                continue
            try:
                patch = _patch(item, height, width)
            except ValueError as error:
                raise wrong(place, "be a shape that can be drawn", error, "Correct it.") from error
            yield "shapes without an area" if patch is None else Shape(label, patch)

    return painting.paint(shapes(), height, width)


def _patch(item: dict[str, Any], height: int, width: int) -> Patch | None:
    kind = item.get("geometryType")
    if kind == "bitmap":
        return _bitmap(item.get("bitmap"), height, width)
    if kind not in ("polygon", "rectangle"):
        return None
    points = item.get("points")
    if not isinstance(points, dict):
        raise ValueError("an object without `points`")
    exterior = painting.as_points(points.get("exterior"))
    if kind == "rectangle":
        if len(exterior) != 2:
            raise ValueError(f"a rectangle of {len(exterior)} points")
        exterior = painting.rectangle(*exterior[0], *exterior[1])
    holes = [painting.as_points(hole) for hole in points.get("interior") or []]
    return painting.fill([exterior], height, width, holes)


def _bitmap(bitmap: Any, height: int, width: int) -> Patch:
    if not isinstance(bitmap, dict) or not isinstance(bitmap.get("data"), str):
        raise ValueError("a bitmap without `data`")
    (left, top) = painting.as_points([bitmap.get("origin")])[0]
    try:
        data = base64.b64decode(bitmap["data"], validate=True)
    except ValueError as error:
        raise ValueError("a bitmap that is not base64") from error
    if not data.startswith(_PNG):
        data = _inflate(data, 16 * (height + 2) * (width + 2) + 65536)
    picture = mask_files.decode_small_png(data, height, width)
    has_alpha = picture.mode in ("LA", "RGBA", "PA") or "transparency" in picture.info
    if has_alpha:
        mask = np.asarray(picture.convert("RGBA"))[..., 3] > 0
    else:
        plain = picture if picture.mode in ("1", "P") else picture.convert("L")
        mask = np.asarray(plain) > 0
    return painting.clip(mask, int(top), int(left), height, width)


def _inflate(data: bytes, limit: int) -> bytes:
    try:
        stream = zlib.decompressobj()
        inflated = stream.decompress(data, limit)
    except zlib.error as error:
        raise ValueError("a bitmap that is neither PNG nor zlib") from error
    if not stream.eof:
        raise ValueError("a bitmap that is cut short or larger than the image")
    return inflated
