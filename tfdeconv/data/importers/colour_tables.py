"""Lists of classes that come with masks: names in the order of the labels, some with colours."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tfdeconv.data.importers import sources
from tfdeconv.data.importers.sources import Folder, wrong


@dataclass(frozen=True)
class ClassTable:
    """The classes of masks.

    Attributes:
        path: the file.
        names: the name of every label from 0, where masks hold indices.
        colours: their packed RGB, where masks hold colours; otherwise empty.
    """

    path: Path
    names: tuple[str, ...]
    colours: tuple[int, ...] = ()


def find_table(folder: Folder) -> ClassTable | None:
    """Finds and reads the list of classes of a folder; None where there is none.

    Raises:
        UserError: when it cannot be read, or several of them differ.
    """
    found: list[ClassTable] = []
    for kind, read in _READERS.items():
        for name in folder.files:
            if PurePosixPath(name).name.lower() == kind:
                table = read(folder.path(name))
                if table is not None:
                    found.append(table)
        if found:
            break
    for other in found[1:]:
        if (other.names, other.colours) != (found[0].names, found[0].colours):
            raise wrong(
                f"`{other.path}`",
                f"list the same classes as `{found[0].path}`",
                ", ".join(other.names),
                "Import the folders one by one.",
            )
    return found[0] if found else None


def is_pixel_values(path: Path) -> bool:
    """Says whether a CSV is Roboflow's list of the classes of masks."""
    header = sources.read_text(path).partition("\n")[0].lower()
    return [part.strip() for part in header.split(",")] == ["pixel value", "class"]


def _colour(values: list[str], place: str) -> int:
    try:
        numbers = [int(value) for value in values]
        if len(numbers) != 3 or not all(0 <= number < 256 for number in numbers):
            raise ValueError
    except ValueError:
        raise wrong(place, "have three numbers 0 to 255", values, "Correct the line.") from None
    return numbers[0] << 16 | numbers[1] << 8 | numbers[2]


def _table(path: Path, rows: list[tuple[str, int]]) -> ClassTable:
    colours = [colour for _, colour in rows]
    if len(set(colours)) < len(colours):
        twice = next(colour for colour in colours if colours.count(colour) > 1)
        raise wrong(
            f"`{path}`", "give each class a colour of its own", f"#{twice:06x} twice", "Correct it."
        )
    return ClassTable(path, tuple(sources.clean_name(name) for name, _ in rows), tuple(colours))


def _named_columns(path: Path) -> ClassTable | None:
    lines = sources.read_csv(path)
    header = [name.lower() for name in next(lines, (1, []))[1]]
    if not {"r", "g", "b"} <= set(header):
        return None
    columns = [header.index(name) for name in "rgb"]
    name_column = next((i for i in range(len(header)) if i not in columns), 0)
    rows = []
    for number, line in lines:
        place = f"`{path}`, line {number},"
        if len(line) < len(header):
            raise wrong(place, f"have {len(header)} columns", line, "Correct the line.")
        rows.append((line[name_column], _colour([line[i] for i in columns], place)))
    return _table(path, rows)


def _pixel_values(path: Path) -> ClassTable | None:
    if not is_pixel_values(path):
        return None
    names: dict[int, str] = {}
    for number, line in enumerate(sources.read_text(path).splitlines()[1:], 2):
        value, _, name = line.partition(",")
        if not line.strip():
            continue
        if not value.strip().isdecimal() or int(value) > 255 or int(value) in names:
            place = f"`{path}`, line {number},"
            raise wrong(place, "begin with a new pixel value 0 to 255", line, "Correct the line.")
        names[int(value)] = sources.clean_name(name)
    if not names:
        raise wrong(f"`{path}`", "list the classes", "no line", "Export it again.")
    return ClassTable(
        path, tuple(names.get(label, f"unused_{label}") for label in range(max(names) + 1))
    )


def _label_map(path: Path) -> ClassTable | None:
    rows = []
    for number, line in enumerate(sources.read_text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(":")
        # Names may hold colons themselves.
        if len(parts) < 4:
            return None
        name, colour = ":".join(parts[:-3]), parts[-3]
        rows.append((name, _colour(colour.split(","), f"`{path}`, line {number},")))
    return _table(path, rows) if rows else None


def _label_colours(path: Path) -> ClassTable | None:
    rows = []
    for number, line in enumerate(sources.read_text(path).splitlines(), 1):
        parts = re.split(r"\s+", line.strip(), maxsplit=3)
        if parts == [""] or line.startswith("#"):
            continue
        place = f"`{path}`, line {number},"
        if len(parts) < 4:
            raise wrong(place, "be `r g b name`", line, "Correct the line.")
        rows.append((parts[3], _colour(parts[:3], place)))
    return _table(path, rows)


def _plain_names(path: Path) -> ClassTable | None:
    lines = sources.read_text(path).rstrip().splitlines()
    names = [sources.clean_name(line) for line in lines]
    # labelme counts `__ignore__` as -1.
    return ClassTable(path, tuple(names[1:] if names[:1] == ["__ignore__"] else names))


def _meta(path: Path) -> ClassTable | None:
    value = sources.read_json(path)
    names = value.get("label_map") if isinstance(value, dict) else None
    if not isinstance(names, dict) or not all(key.isdecimal() for key in names):
        return None
    ordered = [str(names[key]) for key in sorted(names, key=int)]
    colours = value.get("segmentation_colors")
    if not isinstance(colours, list) or len(colours) != len(ordered):
        return ClassTable(path, tuple(sources.clean_name(name) for name in ordered))
    place = f"`{path}`, `segmentation_colors`,"
    packed = [_colour(colour if isinstance(colour, list) else [], place) for colour in colours]
    return _table(path, list(zip(ordered, packed, strict=True)))


_READERS: dict[str, Callable[[Path], ClassTable | None]] = {
    "class_dict.csv": _named_columns,
    "labelmap.csv": _named_columns,
    "labelmap.txt": _label_map,
    "label_colors.txt": _label_colours,
    "_classes.csv": _pixel_values,
    "dataset_meta.json": _meta,
    "class_names.txt": _plain_names,
    "classes.txt": _plain_names,
}
