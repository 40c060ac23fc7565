"""CVAT for images 1.1: XML with the root `annotations` and an `image` for each photograph."""

import functools
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from tfdeconv.data.importers import painting, sources
from tfdeconv.data.importers.painting import Maps, Patch, Shape
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong
from tfdeconv.errors import UserError

NAME = "cvat"
_CHUNK = 1 << 16
_WITH_AREA = ("polygon", "box", "ellipse", "mask")
_WITHOUT_AREA = ("polyline", "points", "skeleton", "cuboid")
_NO_AREA = "shapes without an area"


@dataclass
class _Image:
    attributes: dict[str, str]
    shapes: list[tuple[str, dict[str, str]]] = field(default_factory=list)


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    paths = _paths(folder)
    return f"`{paths[0]}` has the root `annotations`" if paths else None


def _paths(folder: Folder) -> list[Path]:
    return [
        path for path in folder.annotations(".xml") if "<annotations>" in folder.peek(path)[:2000]
    ]


def open_source(folder: Folder, options: Options) -> Source:
    """Reads the names of the classes from the list at the beginning, and from the shapes."""
    paths = _paths(folder)
    found: dict[str, None] = {}
    total = 0
    for path in paths:
        reader = _Reader(path)
        used: dict[str, None] = {}
        for image in reader.images():
            used |= dict.fromkeys(
                shape["label"] for kind, shape in image.shapes if kind in _WITH_AREA
            )
            total += 1
        found |= dict.fromkeys(reader.names) | used
    names, labels = sources.class_labels(found, options, str(paths[0]))
    notes = ["shapes lie over each other by `z_order`", "boxes and ellipses are filled"]
    source = Source(names, (), total, notes)
    source.samples = _samples(folder, paths, labels, source.dropped)
    return source


def _samples(
    folder: Folder,
    paths: list[Path],
    labels: dict[str, int],
    dropped: Counter[str],
) -> Iterator[Sample]:
    for path in paths:
        inside = path.relative_to(folder.root).parent
        for image in _Reader(path).images():
            name, subset = image.attributes["name"], image.attributes.get("subset", "")
            folders = [inside / "images" / subset, inside / "images", inside / subset, inside]
            folders += [Path(subset), Path(".")]
            photograph = folder.images.find_photograph(name, [part.as_posix() for part in folders])
            if photograph is None:
                dropped["images whose photograph is missing"] += 1
                continue
            place = f"`{path}`, image {name!r},"
            size = tuple(_number(image.attributes, side, place) for side in ("height", "width"))
            split = sources.split_of(subset) or sources.split_of(path.stem)
            draw = functools.partial(_draw, image, labels, place)
            yield Sample(
                sources.short_name(name),
                photograph,
                draw,
                place,
                split or sources.split_in(name),
                (int(size[0]), int(size[1])),
                (path,),
            )


def _number(attributes: dict[str, str], name: str, place: str) -> float:
    text = attributes.get(name, "")
    try:
        number = float(text)
        if not abs(number) < 1e9:
            raise ValueError
        return number
    except ValueError:
        raise wrong(place, f"have a number as `{name}`", repr(text), "Correct it.") from None


def _draw(image: _Image, labels: dict[str, int], place: str, height: int, width: int) -> Maps:
    def height_of(item: tuple[int, tuple[str, dict[str, str]]]) -> float:
        return _number({"z_order": "0"} | item[1][1], "z_order", place)

    ordered = sorted(enumerate(image.shapes, 1), key=height_of)

    def shapes() -> Iterator[Shape | str]:
        for number, (kind, attributes) in ordered:
            here = f"{place} shape {number} ({kind}),"
            label = labels.get(sources.clean_name(attributes.get("label", "")))
            if kind not in _WITH_AREA:
                yield _NO_AREA
            elif label is None:
                yield "objects of an unknown class"
            else:
                group = attributes.get("group_id", "0")
                patch = _patch(kind, attributes, here, height, width)
                yield Shape(label, patch, None if group == "0" else group)

    return painting.paint(shapes(), height, width)


def _patch(kind: str, attributes: dict[str, str], place: str, height: int, width: int) -> Patch:
    if kind == "mask":
        return _mask(attributes, place, height, width)
    turned = _number({"rotation": "0"} | attributes, "rotation", place)
    if kind == "polygon":
        pairs = [pair.split(",") for pair in attributes.get("points", "").split(";")]
        try:
            ring = painting.as_points([[float(x), float(y)] for x, y in pairs])
        except ValueError as error:
            raise wrong(place, "have `points` as x,y;x,y", error, "Correct them.") from error
    elif kind == "box":
        sides = ("xtl", "ytl", "xbr", "ybr")
        left, top, right, bottom = (_number(attributes, side, place) for side in sides)
        middle = np.array([left + right, top + bottom]) / 2
        ring = painting.turn(painting.rectangle(left, top, right, bottom) - middle, turned) + middle
    else:
        parts = [_number(attributes, name, place) for name in ("cx", "cy", "rx", "ry")]
        ring = painting.ellipse(parts[:2], parts[2:], turned)
    return painting.fill([ring], height, width)


def _mask(attributes: dict[str, str], place: str, height: int, width: int) -> Patch:
    sides = ("left", "top", "width", "height")
    left, top, columns, rows = (int(_number(attributes, side, place)) for side in sides)
    if not (0 <= columns <= 2 * width + 2 and 0 <= rows <= 2 * height + 2):
        raise wrong(
            place, f"fit an image of {width}x{height}", f"{columns}x{rows}", "Export it again."
        )
    try:
        counts = [int(count) for count in attributes.get("rle", "").split(",")]
        # Unlike COCO's, they go along the rows.
        runs = painting.as_runs(counts, rows * columns)
    except ValueError as error:
        raise wrong(place, "have usable run lengths", error, "Export it again.") from error
    return painting.clip(painting.expand(runs).reshape(rows, columns), top, left, height, width)


class _Reader:
    """Reads one file an image at a time, without documents types and what comes with them.

    Attributes:
        path: the file.
        names: the classes that the head of the file lists, once it has been read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.names = path, list[str]()
        self._open: list[str] = []
        self._text = ""
        self._image: _Image | None = None
        self._ready: deque[_Image] = deque()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def images(self) -> Iterator[_Image]:
        """Yields the images in the order of the file."""
        try:
            with open(self.path, "rb") as file:
                while chunk := file.read(_CHUNK):
                    self._parser.Parse(chunk, False)
                    while self._ready:
                        yield self._ready.popleft()
            self._parser.Parse(b"", True)
        except (OSError, expat.ExpatError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"`{self.path}` must be XML. Received: {error}. Export it again."
            ) from error
        yield from self._ready

    def _place(self) -> str:
        return f"`{self.path}`, line {self._parser.CurrentLineNumber},"

    def _doctype(self, *_: object) -> None:
        raise wrong(self._place(), "have no document type", "<!DOCTYPE", "Remove it.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        self._text = ""
        if name == "track":
            raise wrong(
                self._place(),
                "hold single images",
                "a video with tracks",
                'Export it as "CVAT for images" or "Segmentation mask".',
            )
        if name == "image" and len(self._open) == 2:
            if "name" not in attributes:
                raise wrong(self._place(), "have a `name`", "an image without", "Correct it.")
            self._image = _Image(attributes)
        elif self._image is not None and len(self._open) == 3 and name != "tag":
            if name in _WITH_AREA and "label" not in attributes:
                raise wrong(self._place(), "have a `label`", f"a {name} without", "Correct it.")
            if name in _WITH_AREA + _WITHOUT_AREA:
                self._image.shapes.append((name, attributes))

    def _end(self, name: str) -> None:
        if self._open[-3:] == ["labels", "label", "name"]:
            self.names.append(self._text)
        if name == "image" and len(self._open) == 2 and self._image is not None:
            self._ready.append(self._image)
            self._image = None
        self._open.pop()

    def _characters(self, text: str) -> None:
        if self._open[-1:] == ["name"]:
            self._text += text
