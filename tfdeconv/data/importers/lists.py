"""Lists of images with their masks: two columns of paths, or Hugging Face's `metadata.csv`."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tfdeconv import images
from tfdeconv.data.importers import camvid, folders, sources
from tfdeconv.data.importers.folders import Pair
from tfdeconv.data.importers.sources import Folder, Options, Source, wrong

NAME = "lists"
_METADATA = ("metadata.csv", "metadata.jsonl")


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    found = _lists(folder)
    return f"`{found[0]}` lists images and masks" if found else None


def _lists(folder: Folder) -> list[str]:
    if folder.only is not None:
        return []
    found = []
    for name in folder.files:
        path = PurePosixPath(name)
        if path.name in _METADATA:
            text = folder.peek(folder.root / name).partition("\n")[0]
            if text.count("file_name") > 1:
                found.append(name)
        elif path.suffix == ".txt":
            lines = folder.peek(folder.root / name).splitlines()
            if lines and _columns(lines[0]):
                found.append(name)
    return found


def _columns(line: str) -> tuple[str, str] | None:
    parts = line.split()
    # The release's lists have a box behind the paths.
    both = len(parts) in (2, 6) and all(p.lower().endswith(images.ENDINGS) for p in parts[:2])
    return (parts[0], parts[1]) if both else None


def open_source(folder: Folder, options: Options) -> Source:
    """Finds the files that the lists name."""
    found: dict[tuple[str, str], Pair] = {}
    dropped: Counter[str] = Counter()
    paths = _Paths(folder.images.photographs), _Paths(folder.photographs)
    for name in _lists(folder):
        split = sources.split_of(PurePosixPath(name).stem) or sources.split_in(name)
        above = PurePosixPath(name).parent
        for image, mask in _rows(folder, name):
            both = (paths[0].find(image, above), paths[1].find(mask, above))
            if both[0] is None or both[1] is None:
                dropped["lines whose files are missing"] += 1
            else:
                # `trainval` holds the images of both again.
                found.setdefault((both[0], both[1]), Pair(both[0], both[1], split))
    if not found:
        raise wrong(
            f"`{folder.root / _lists(folder)[0]}`",
            "name files of the folder that is imported",
            "none of them",
            "Give the folder that its paths begin in.",
        )
    known = camvid.TABLES if "camvid" in _start(folder).lower() else ()
    return folders.open_pairs(folder, sorted(found.values()), dropped, options, known)


def _start(folder: Folder) -> str:
    return f"{folder.root.name} {folder.peek(folder.root / _lists(folder)[0])[:1000]}"


def _rows(folder: Folder, name: str) -> Iterator[tuple[str, str]]:
    path = folder.path(name)
    lines = sources.read_text(path).splitlines()
    if name.endswith(".txt"):
        for number, line in enumerate(lines, 1):
            columns = _columns(line)
            if columns is not None:
                yield columns
            elif line.strip():
                place = f"`{path}`, line {number},"
                raise wrong(place, "have the paths of an image and a mask", line, "Correct it.")
        return
    rows: Iterable[object]
    if name.endswith(".csv"):
        header, *others = (columns for _, columns in sources.read_csv(path))
        rows = (dict(zip(header, columns, strict=False)) for columns in others)
    else:
        rows = (_object(line, f"`{path}`, line {n},") for n, line in enumerate(lines, 1) if line)
    for number, row in enumerate(rows, 1):
        values = row if isinstance(row, dict) else {}
        keys = [key for key in values if isinstance(key, str) and key.endswith("file_name")]
        masks = [key for key in keys if any(word in key for word in ("mask", "label", "annot"))]
        rest = [key for key in keys if key not in masks]
        both = [values.get(one[0]) for one in (rest, masks) if len(one) == 1]
        if len(both) != 2 or not all(isinstance(value, str) and value for value in both):
            raise wrong(
                f"`{path}`, row {number},",
                "have an image in one column `..file_name` and a mask in another",
                row,
                "Call them `file_name` and `mask_file_name`.",
            )
        yield str(both[0]), str(both[1])


def _object(line: str, place: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise wrong(place, "be JSON", error, "Correct it.") from error


class _Paths:
    """The listed files of a folder, found by the end of a path."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = frozenset(names)

    def find(self, name: str, above: PurePosixPath) -> str | None:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        inside = (above / "/".join(parts)).as_posix()
        if inside in self.names:
            return inside
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if end in self.names), None)
