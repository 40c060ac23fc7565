"""What readers of annotation formats share: the folder to import, its classes and its images.

A reader looks at a `Folder`, says whether it holds its format (`find`), and opens it as a `Source`
whose samples are made one at a time. Paths that stand in annotations are looked up in the folder's
listing, so that none of them leads out of it.
"""

from __future__ import annotations

import csv
import json
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tfdeconv import images
from tfdeconv.data.importers.painting import Maps
from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL

BACKGROUND = frozenset(("background", "_background_", "__background__"))
IMAGE_FOLDERS = frozenset(("images", "image", "imgs", "img", "jpegimages"))
_VOID = frozenset(("__ignore__", "void"))
_PEEK = 1 << 16
_CHUNK = 1 << 20
_MAX_ELEMENT = 1 << 28
_SPLITS = {
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}


@dataclass(frozen=True)
class Options:
    """What the user may decide about an import.

    Attributes:
        classes: names of the labels from 0; None takes those of the source.
        void: class names, labels of index masks or colours `#rrggbb` that become void.
        crowd: whether COCO's crowds are "void" in the instance map or an "object"; "auto" decides
            by the program that wrote the file.
        along_rows: whether run lengths in CSVs go along the rows and not down the columns.
    """

    classes: tuple[str, ...] | None = None
    void: tuple[str, ...] = ()
    crowd: str = "auto"
    along_rows: bool = False


@dataclass(frozen=True)
class Sample:
    """One image of a source.

    Attributes:
        name: path of the photograph within its split, with `/`; becomes the id.
        photograph: its file, or the bytes of it.
        draw: makes the maps, given the height and width of the upright photograph.
        place: the file, and the place in it, where the annotation stands.
        split: the split that the source puts it into, if any.
        size: `(height, width)` that the annotation was made for, None if it does not say.
        files: what the maps are made from; when one of them changes, they are made anew.
    """

    name: str
    photograph: Path | bytes
    draw: Callable[[int, int], Maps]
    place: str
    split: str | None = None
    size: tuple[int, int] | None = None
    files: tuple[Path, ...] = ()


@dataclass
class Source:
    """An opened source.

    Attributes:
        names: the class of every label from 0.
        samples: the images, in a fixed order.
        total: how many there are, if that is known.
        notes: what was assumed.
        dropped: what was left out, and how often; filled while the samples are read.
        colours: `(n, 3)` uint8 RGB of the labels, None for PASCAL VOC's.
        why: the format and how it was recognised.
    """

    names: tuple[str, ...]
    samples: Iterable[Sample]
    total: int | None = None
    notes: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    colours: np.ndarray | None = None
    why: str = ""


class Folder:
    """A folder and the names of the files below it.

    Hidden files and links to other folders are left out.

    Attributes:
        root: the folder.
        only: the one annotation file to read, where the user has named it.
        images: the folder of the photographs, this one unless the user has named another.
    """

    def __init__(self, root: Path, only: Path | None = None, images: Folder | None = None) -> None:
        self.root, self.only, self.images = root, only, images or self

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths of the files relative to the folder, with `/`, sorted."""
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if not _is_hidden(name)]
            inside = Path(folder).relative_to(self.root)
            found += [(inside / name).as_posix() for name in names if not _is_hidden(name)]
        return tuple(sorted(found))

    @cached_property
    def photographs(self) -> tuple[str, ...]:
        """Those of the files whose endings are those of images."""
        return tuple(name for name in self.files if name.lower().endswith(images.ENDINGS))

    @cached_property
    def _by_key(self) -> dict[str, str]:
        return {_key(name): name for name in reversed(self.photographs)}

    @cached_property
    def _by_base(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for name in self.photographs:
            found[_key(name.rpartition("/")[2])].append(name)
        return found

    def annotations(self, *endings: str) -> list[Path]:
        """Returns the files with one of these endings; only the named one where one was named."""
        if self.only is not None:
            return [self.only] if self.only.name.lower().endswith(endings) else []
        return [self.root / name for name in self.files if name.lower().endswith(endings)]

    def path(self, name: str) -> Path:
        """Returns a listed file; one that is a link must stay inside the folder.

        Raises:
            UserError: when it leads out.
        """
        path = self.root / name
        if path.is_symlink() and not path.resolve().is_relative_to(self.root.resolve()):
            raise UserError(
                f"`{path}` must lie in the folder that is imported. Received: a link to "
                f"`{path.resolve()}`. Copy the file, or give its folder with `--images`."
            )
        return path

    def find_photograph(self, name: str, folders: Iterable[str] = ()) -> Path | None:
        """Finds the photograph that an annotation names.

        Args:
            name: What the annotation says: a file name or a path, of Windows too.
            folders: Folders in which it is looked for first, relative to the root.

        Returns:
            The file: `name` in one of the folders or, if that is unique, a file of the same name
            anywhere. None when there is none. Nothing outside the folder is ever found.
        """
        name = name.replace("\\", "/")
        plain = PurePosixPath(name)
        if not plain.is_absolute() and ".." not in plain.parts:
            for folder in folders:
                found = self._by_key.get(_key((PurePosixPath(folder) / plain).as_posix()))
                if found is not None:
                    return self.path(found)
        same = self._by_base.get(_key(name.rpartition("/")[2]), [])
        return self.path(same[0]) if len(same) == 1 else None

    def peek(self, path: Path) -> str:
        """Returns the beginning and the end of a text file, 64 KiB of each."""
        try:
            with open(path, "rb") as file:
                start = file.read(_PEEK)
                file.seek(max(os.fstat(file.fileno()).st_size - _PEEK, len(start)))
                data = start + file.read(_PEEK)
        except OSError:
            return ""
        return data.decode("utf-8", "replace").lstrip("\ufeff")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def split_of(name: str | None) -> str | None:
    """Returns our name of a split: `valid` is `val`, `train2017` is `train`, `default` is none."""
    plain = re.sub(r"_?\d{4}$", "", (name or "").lower())
    plain = _SPLITS.get(plain, plain)
    return plain if plain in ("train", "val", "test", "trainval") else None


def split_in(path: str) -> str | None:
    """Returns the split that a folder on the way to `path` names, None if none does."""
    found = (split_of(part) for part in PurePosixPath(path).parts[:-1])
    return next((split for split in found if split), None)


def clean_name(name: object) -> str:
    """Returns a class name that fits on a line: no line breaks, blanks or control characters."""
    text = " ".join(str(name).split())
    return "".join(sign if sign.isprintable() else "_" for sign in text) or "unnamed"


def class_labels(
    found: Iterable[str], options: Options, place: str
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Decides the label of every class by its name.

    Args:
        found: The names in the source, in the order of their labels.
        options: Those of the user.
        place: The file for errors.

    Returns:
        The names of the labels from 0, the background, and the label of each name: 255 for void. A
        name that is missing is none of the user's classes.

    Raises:
        UserError: when there is no class, or more than 254 besides the background.
    """
    found = list(dict.fromkeys(clean_name(name) for name in found))
    unknown = [name for name in options.void if name not in found]
    if unknown:
        raise wrong(
            f"`{place}`", "have the class that `--void` names", unknown[0], f"It has: {found}."
        )
    void = {name for name in found if name.lower() in _VOID} | set(options.void)
    wanted = found if options.classes is None else options.classes
    names = [name for name in wanted if name.lower() not in BACKGROUND and name not in void]
    labels = {name: 0 for name in found if name.lower() in BACKGROUND}
    labels |= {name: label for label, name in enumerate(names, 1)}
    labels |= dict.fromkeys(void, IGNORE_LABEL)
    return checked_names(("background", *names), place), labels


def checked_names(names: Sequence[str], place: str) -> tuple[str, ...]:
    """Returns the names if a data set can have them.

    Raises:
        UserError: when they are fewer than 2 or more than 255, or one occurs twice.
    """
    if not 2 <= len(names) <= IGNORE_LABEL or len(set(names)) < len(names):
        raise UserError(
            f"`{place}` must have 1 to 254 different classes besides the background. Received: "
            f"{len(names) - 1}{' (' + ', '.join(names[1:8]) + ')' if names[1:] else ''}. Choose "
            "them with `--classes`."
        )
    return tuple(names)


def wrong(place: str, rule: str, received: object, remedy: str) -> UserError:
    """Returns the error for a mistake in an annotation file."""
    text = str(received)
    return UserError(f"{place} must {rule}. Received: {text[:200]}. {remedy}")


def read_text(path: Path) -> str:
    """Reads a small text file in UTF-8 or, with a mark, UTF-16.

    Raises:
        UserError: when it cannot be read, or is in another encoding or larger than 256 MiB.
    """
    try:
        if path.stat().st_size > _MAX_ELEMENT:
            raise UserError(
                f"`{path}` must be at most 256 MiB. Received: {path.stat().st_size} bytes."
            )
        data = path.read_bytes()
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"`{path}` must be a readable text file. Received: {error}.") from error


def read_csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the number and the columns of each line that is not empty, without blanks around.

    Raises:
        UserError: as `read_text`, and when it is no CSV.
    """
    csv.field_size_limit(_MAX_ELEMENT)
    reader = csv.reader(read_text(path).splitlines())
    try:
        for columns in reader:
            if any(column.strip() for column in columns):
                yield reader.line_num, [column.strip() for column in columns]
    except csv.Error as error:
        raise wrong(
            f"`{path}`, line {reader.line_num},", "be a line of a CSV", error, "Correct it."
        ) from error


def read_json(path: Path) -> Any:
    """Reads a small JSON file.

    Raises:
        UserError: when it is none, names the line, or is larger than 256 MiB.
    """
    try:
        return json.loads(read_text(path), parse_constant=_refuse_constant)
    except UserError:
        raise
    except (ValueError, RecursionError) as error:
        raise _no_json(path, error) from error


def iterate_json(path: Path) -> Iterator[tuple[str, Any]]:
    """Reads a JSON file of any size, an element at a time.

    Args:
        path: A file that holds an object, most of it in lists, or a list.

    Yields:
        For every list of the object its key and one element after the other, for other values the
        key and the value. For a list at the top the key is "".

    Raises:
        UserError: when it is no such file, or one element is larger than 256 MiB.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            yield from _Elements(file).top()
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise _no_json(path, error) from error


def _no_json(path: Path, error: Exception) -> UserError:
    reason = "more than a thousand levels" if isinstance(error, RecursionError) else error
    return UserError(f"`{path}` must be JSON. Received: {reason}. Export it again.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the number {name}")


class _Elements:
    """Decodes one element at a time from a window over the text of a file."""

    def __init__(self, file: Any) -> None:
        self.file, self.text, self.at, self.behind, self.ended = file, "", 0, 0, False
        self.decoder = json.JSONDecoder(parse_constant=_refuse_constant)

    def top(self) -> Iterator[tuple[str, Any]]:
        sign = self.next_sign()
        if sign == "[":
            yield from (("", value) for value in self.array())
        elif sign == "{":
            self.at += 1
            while self.next_sign() != "}":
                key = self.value()
                self.expect(":")
                if self.next_sign() == "[":
                    yield from ((str(key), value) for value in self.array())
                else:
                    yield str(key), self.value()
                self.comma("}")
            self.at += 1
        else:
            raise ValueError(f"a file that begins with {sign!r}")
        if self.next_sign():
            raise ValueError(f"extra text after the end, at character {self.behind + self.at}")

    def array(self) -> Iterator[Any]:
        self.at += 1
        while self.next_sign() != "]":
            yield self.value()
            self.comma("]")
        self.at += 1

    def comma(self, end: str) -> None:
        if self.next_sign() == end:
            return
        self.expect(",")
        if self.next_sign() == end:
            raise ValueError(f"a comma before {end!r} at character {self.behind + self.at}")

    def expect(self, sign: str) -> None:
        if self.next_sign() != sign:
            raise ValueError(
                f"{self.next_sign()!r} in place of {sign!r} at character {self.behind + self.at}"
            )
        self.at += 1

    def next_sign(self) -> str:
        while True:
            while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.text) or not self.more(_CHUNK):
                return self.text[self.at : self.at + 1]

    def value(self) -> Any:
        size = _CHUNK
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
                # A number at the end of the window may go on behind it.
                if end < len(self.text) or self.ended or isinstance(value, str | list | dict):
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                if self.ended:
                    raise ValueError(
                        f"{error.msg} at character {self.behind + error.pos}"
                    ) from error
            if len(self.text) - self.at > _MAX_ELEMENT:
                raise ValueError(f"an element of more than {_MAX_ELEMENT >> 20} MiB")
            self.more(size)
            size *= 2

    def more(self, size: int) -> bool:
        read = self.file.read(size)
        self.behind += self.at
        self.text, self.at = self.text[self.at :] + read, 0
        self.ended = not read
        return bool(read)


def stated_size(height: object, width: object) -> tuple[int, int] | None:
    """Returns the size that an annotation states; None when it states none."""
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def short_name(path: str) -> str:
    """Returns a path without the folders in front that only say "images" or name a split."""
    parts = list(PurePosixPath(path.replace("\\", "/")).parts)
    while len(parts) > 1 and (parts[0].lower() in IMAGE_FOLDERS or split_of(parts[0])):
        del parts[0]
    return "/".join(part for part in parts if part not in ("/", "..", "."))
