"""Label Studio's JSON: a list of tasks whose annotations are polygons, boxes and brush strokes."""

import functools
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfdeconv.data.importers import painting, sources
from tfdeconv.data.importers.painting import Maps, Patch, Shape
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong

NAME = "label-studio"
_KINDS = ("polygonlabels", "rectanglelabels", "ellipselabels", "brushlabels")
# What an upload puts before the name of a file.
_PREFIX = re.compile(r"^[0-9a-f]{8}-")
_LOOKED_AT = 200


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    paths = _paths(folder)
    return f"`{paths[0]}` is a list of tasks with `annotations`" if paths else None


def _paths(folder: Folder) -> list[Path]:
    paths = []
    for path in folder.annotations(".json")[:_LOOKED_AT]:
        text = folder.peek(path)
        if text.lstrip()[:1] == "[" and all(
            re.search(rf'"{key}"\s*:', text) for key in ("annotations", "data")
        ):
            paths.append(path)
    return paths


def open_source(folder: Folder, options: Options) -> Source:
    """Reads the names of the classes from all tasks."""
    paths = _paths(folder)
    found: set[str] = set()
    total = 0
    for path in paths:
        for task, place in _tasks(path):
            total += 1
            for kind, value, _ in _regions(task, place, Counter()):
                found.add(_label(kind, value))
    names, labels = sources.class_labels(sorted(found), options, str(paths[0]))
    notes = [
        "classes are in the order of the alphabet; `--classes` gives another",
        "later regions lie over earlier ones",
        "of several annotations of a task the first is taken",
    ]
    source = Source(names, (), total, notes)
    source.samples = _samples(folder, paths, labels, source.dropped)
    return source


def _tasks(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for number, (_, task) in enumerate(sources.iterate_json(path), 1):
        place = f"`{path}`, task {number},"
        if not isinstance(task, dict) or not isinstance(task.get("annotations"), list):
            raise wrong(place, "be an object with a list `annotations`", task, "Export it again.")
        yield task, f"`{path}`, task {task.get('id', number)},"


def _regions(
    task: dict[str, Any], place: str, dropped: Counter[str]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yields kind, value and the whole of each region that has an area."""
    chosen = [
        annotation
        for annotation in task["annotations"]
        if isinstance(annotation, dict) and not annotation.get("was_cancelled")
    ]
    results = chosen[0].get("result") if chosen else []
    if not isinstance(results, list):
        raise wrong(place, "have a list `result`", results, "Export it again.")
    for result in results:
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            raise wrong(place, "have objects with `value` in `result`", result, "Export it again.")
        kind, value = result.get("type"), result["value"]
        if kind not in _KINDS or not value.get(kind):
            dropped["regions without an area or a class"] += 1
            continue
        yield kind, value, result


def _label(kind: str, value: dict[str, Any]) -> str:
    labels = value[kind]
    return sources.clean_name(labels[0] if isinstance(labels, list) else labels)


def _samples(
    folder: Folder,
    paths: list[Path],
    labels: dict[str, int],
    dropped: Counter[str],
) -> Iterator[Sample]:
    for path in paths:
        for task, place in _tasks(path):
            photograph = _photograph(task, folder.images)
            if photograph is None:
                dropped["images whose photograph is missing"] += 1
                continue
            regions = list(_regions(task, place, dropped))
            sizes = {_size(result, place) for _, _, result in regions}
            if len(sizes) > 1:
                raise wrong(place, "have regions of one image", sizes, "Export it again.")
            name = photograph.relative_to(folder.images.root).as_posix()
            draw = functools.partial(_draw, regions, labels, place)
            size = next(iter(sizes), None)
            split = sources.split_in(name)
            yield Sample(sources.short_name(name), photograph, draw, place, split, size, (path,))


def _size(result: dict[str, Any], place: str) -> tuple[int, int]:
    size = result.get("original_height"), result.get("original_width")
    if not all(type(side) is int and side > 0 for side in size):
        raise wrong(place, "have `original_width` and `original_height`", size, "Export it again.")
    if result.get("image_rotation"):
        raise wrong(
            place,
            "have an image that is not rotated",
            f"image_rotation {result['image_rotation']}",
            "Rotate the image file and annotate it again.",
        )
    return size  # type: ignore[return-value]


def _photograph(task: dict[str, Any], photographs: Folder) -> Path | None:
    data = task.get("data")
    values = list(data.values()) if isinstance(data, dict) else []
    for value in (task.get("file_upload"), *values):
        if not isinstance(value, str):
            continue
        url = urllib.parse.urlsplit(value) if "//" in value or "?" in value else None
        path = value
        if url is not None:
            path = dict(urllib.parse.parse_qsl(url.query)).get("d", url.path)
        base = urllib.parse.unquote(path).replace("\\", "/").rpartition("/")[2]
        for name in (path, base, _PREFIX.sub("", base)):
            found = photographs.find_photograph(name, ["images", "."]) if name else None
            if found is not None:
                return found
    return None


def _draw(
    regions: list[tuple[str, dict[str, Any], dict[str, Any]]],
    labels: dict[str, int],
    place: str,
    height: int,
    width: int,
) -> Maps:
    def shapes() -> Iterator[Shape | str]:
        for kind, value, result in regions:
            here = f"{place} region {result.get('id')!r},"
            label = labels.get(_label(kind, value))
            if label is None:
                yield "objects of an unknown class"
                continue
            try:
                patch = _patch(kind, value, height, width)
            except ValueError as error:
                raise wrong(here, "be a shape that can be drawn", error, "Correct it.") from error
            yield Shape(label, patch)

    return painting.paint(shapes(), height, width)


def _patch(kind: str, value: dict[str, Any], height: int, width: int) -> Patch:
    # Lengths are in per cent; angles are those of pixels, which are square.
    unit = np.array([width, height]) / 100
    if kind == "brushlabels":
        if value.get("format") != "rle":
            raise ValueError(f"a brush in the format {value.get('format')!r}")
        alpha = decode_brush(value.get("rle"), 4 * height * width).reshape(height, width, 4)[..., 3]
        return Patch(0, 0, alpha > 0)
    if kind == "polygonlabels":
        return painting.fill([painting.as_points(value.get("points")) * unit], height, width)
    turned = float(painting.as_points([[value.get("rotation") or 0, 0]])[0, 0])
    ellipse = kind == "ellipselabels"
    size_keys = ("radiusX", "radiusY") if ellipse else ("width", "height")
    pairs = [[value.get("x"), value.get("y")], [value.get(key) for key in size_keys]]
    corner, size = painting.as_points(pairs) * unit
    if ellipse:
        return painting.fill([painting.ellipse(corner, size, turned)], height, width)
    ring = painting.turn(painting.rectangle(0, 0, *size), turned) + corner
    return painting.fill([ring], height, width)


def decode_brush(data: object, count: int) -> np.ndarray:
    """Decodes Label Studio's run lengths.

    They are a stream of bits: how many values (32), bits of a value less 1 (5), bits of the four
    sizes of runs less 1 (4 each); then for each run whether its values are all the same (1), which
    of the four sizes (2), its length less 1, and one value or all of them.

    Args:
        data: A list of bytes.
        count: How many values there must be.

    Returns:
        `(count,)` uint8.

    Raises:
        ValueError: when it is no such list, is cut short or has another number of values.
    """
    try:
        bits = np.unpackbits(np.array(data, np.int64).astype(np.uint8, casting="unsafe"))
        in_range = all(type(byte) is int and 0 <= byte < 256 for byte in data)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("a brush that is no list of bytes") from error
    if not in_range:
        raise ValueError("a brush that is no list of bytes")
    text = (bits + 48).tobytes().decode()
    at = 0

    def number(length: int) -> int:
        nonlocal at
        at += length
        if at > len(text):
            raise ValueError("a brush that is cut short")
        return int(text[at - length : at], 2)

    found = number(32)
    if found != count:
        raise ValueError(f"a brush of {found} values where the image has {count}")
    word = number(5) + 1
    sizes = [number(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint8)
    done = 0
    while done < count:
        is_repeated = number(1)
        end = done + number(sizes[number(2)]) + 1
        if end > count:
            raise ValueError("a brush with a run beyond the image")
        if is_repeated:
            values[done:end] = number(word) & 255
        else:
            length = (end - done) * word
            number(length)
            words = bits[at - length : at].reshape(-1, word)[:, -8:]
            values[done:end] = words @ (1 << np.arange(words.shape[1] - 1, -1, -1))
        done = end
    return values
