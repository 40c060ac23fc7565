"""Kaggle's CSVs of run lengths: an object a row, pairs of start (from 1) and length."""

import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from tfdeconv.data.importers import painting, sources
from tfdeconv.data.importers.painting import Maps, Patch, Shape
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong

NAME = "run-lengths"
_IMAGE = ("imageid", "image_id", "image", "id", "imageid_classid", "image_label", "img")
_RUNS = ("encodedpixels", "rle", "rle_mask", "annotation", "segmentation", "rle_encoding")
_CLASS = ("classid", "class_id", "class", "label", "cell_type")


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    path = _path(folder)
    return f"`{path}` has a column of run lengths" if path else None


def _path(folder: Folder) -> Path | None:
    for path in folder.annotations(".csv"):
        header = folder.peek(path).partition("\n")[0].lower()
        names = [name.strip().strip('"') for name in header.split(",")]
        if any(name in names for name in _RUNS) and any(name in names for name in _IMAGE):
            return path
    return None


def open_source(folder: Folder, options: Options) -> Source:
    """Reads all rows; they must fit into memory."""
    path = _path(folder)
    if path is None:
        raise wrong(f"`{folder.root}`", "hold a CSV of run lengths", "none", "Check the name.")
    rows: dict[str, list[tuple[str, str, int]]] = {}
    found: dict[str, None] = {}
    for name, label, runs, line in _rows(path):
        rows.setdefault(name, [])
        if runs:
            rows[name].append((label, runs, line))
            found[label] = None
    names, labels = sources.class_labels(sorted(found) or ["object"], options, str(path))
    order = "rows" if options.along_rows else "columns"
    other = "columns" if options.along_rows else "rows"
    notes = [f"run lengths go along the {order}; `--rle-order {other}` is the other way"]
    source = Source(names, (), len(rows), notes)
    source.samples = _samples(folder, options, path, rows, labels, source.dropped)
    return source


def _rows(path: Path) -> Iterator[tuple[str, str, str, int]]:
    """Yields image, class, run lengths and line."""
    lines = sources.read_csv(path)
    header = [name.lower() for name in next(lines)[1]]
    image, runs = (
        next(i for i, name in enumerate(header) if name in known) for known in (_IMAGE, _RUNS)
    )
    label = next((i for i, name in enumerate(header) if name in _CLASS and i != image), None)
    for number, line in lines:
        if len(line) != len(header):
            place = f"`{path}`, line {number},"
            raise wrong(place, f"have {len(header)} columns", line, "Correct the line.")
        name, text = line[image], line[runs]
        found = line[label] if label is not None else "object"
        base, _, end = name.rpartition("_")
        # `<image>.jpg_<class>` in one column.
        if label is None and PurePosixPath(base).suffix:
            name, found = base, end
        found = f"class_{found}" if found.isdecimal() else sources.clean_name(found)
        yield name, found, text, number


def _samples(
    folder: Folder,
    options: Options,
    path: Path,
    rows: dict[str, list[tuple[str, str, int]]],
    labels: dict[str, int],
    dropped: Counter[str],
) -> Iterator[Sample]:
    by_stem = {PurePosixPath(name).stem: name for name in folder.images.photographs}
    for name, objects in sorted(rows.items()):
        image = folder.images.find_photograph(name, ["images", "."])
        if image is None and name in by_stem:
            image = folder.images.path(by_stem[name])
        if image is None:
            dropped["images whose photograph is missing"] += 1
            continue
        draw = functools.partial(_draw, path, objects, labels, options.along_rows)
        place = f"`{path}`, image {name!r},"
        found = image.relative_to(folder.images.root).as_posix()
        short, split = sources.short_name(found), sources.split_in(found)
        yield Sample(short, image, draw, place, split, None, (path,))


def _draw(
    path: Path,
    objects: list[tuple[str, str, int]],
    labels: dict[str, int],
    along_rows: bool,
    height: int,
    width: int,
) -> Maps:
    def shapes() -> Iterator[Shape | str]:
        for name, text, line in objects:
            label = labels.get(name)
            if label is None:
                yield "objects of an unknown class"
                continue
            try:
                mask = _decode(text, height * width)
            except ValueError as error:
                place = f"`{path}`, line {line},"
                raise wrong(place, "have usable run lengths", error, "Correct it.") from error
            shape = mask.reshape(height, width) if along_rows else mask.reshape(width, height).T
            yield Shape(label, Patch(0, 0, shape))

    return painting.paint(shapes(), height, width)


def _decode(text: str, pixels: int) -> np.ndarray:
    try:
        numbers = np.array([int(number) for number in text.split()], np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError("run lengths that are no whole numbers") from error
    if len(numbers) % 2:
        raise ValueError("a start without a length")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    in_image = (starts >= 0) & (starts < pixels) & (lengths >= 0) & (lengths <= pixels - starts)
    if not in_image.all():
        raise ValueError(f"a run beyond the {pixels} pixels of the image")
    if (starts[1:] < starts[:-1] + lengths[:-1]).any():
        raise ValueError("runs that overlap or are not in order")
    changes = np.zeros(pixels + 1, np.int8)
    np.add.at(changes, starts, 1)
    np.add.at(changes, starts + lengths, -1)
    return np.cumsum(changes[:-1], dtype=np.int8).astype(bool)
