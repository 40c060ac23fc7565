"""The folder of a data set: PASCAL VOC's layout, for data of any kind.

`JPEGImages/<id>.jpg` (or .jpeg, .png), `SegmentationClass/<id>.png`, `SegmentationObject/<id>.png`
where there are instances, `ImageSets/Segmentation/<split>.txt` with one id a line, and an optional
`classes.txt` with one class name a line; without it the names are VOC's.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tfdeconv.errors import UserError
from tfdeconv.labels import VOC_CLASSES, read_class_names

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
_LISTS = Path("ImageSets") / "Segmentation"


@dataclass(frozen=True)
class Split:
    """The images of one split of a data set, in the order of its list.

    Attributes:
        root: The folder of the data set.
        name: The split, e.g. `"train"`.
        ids: The names in the list, without endings; an id that is listed twice is here twice.
        class_names: The name of every label from 0.
    """

    root: Path
    name: str
    ids: tuple[str, ...]
    class_names: tuple[str, ...]

    @property
    def list_path(self) -> Path:
        """The file that lists the ids."""
        return self.root / _LISTS / f"{self.name}.txt"

    def image_path(self, image_id: str) -> Path:
        """Returns the photograph of `image_id`.

        Raises:
            UserError: when there is none.
        """
        stem = self.root / "JPEGImages" / image_id
        for ending in IMAGE_ENDINGS:
            path = stem.with_name(stem.name + ending)
            if path.is_file():
                return path
        raise UserError(
            f"`{stem}.jpg` must exist (or .jpeg, .png): `{self.name}.txt` lists {image_id!r}. "
            "Add the image or take the line out of the list."
        )

    def label_path(self, image_id: str) -> Path:
        """Returns the path of the label map of `image_id`, which may be missing."""
        return self.root / "SegmentationClass" / f"{image_id}.png"

    def object_path(self, image_id: str) -> Path:
        """Returns the path of the instance map of `image_id`; not every image has one."""
        return self.root / "SegmentationObject" / f"{image_id}.png"


def split_names(root: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the names of the splits of a data set, sorted; none when `root` is no data set."""
    return tuple(sorted(file.stem for file in (Path(root) / _LISTS).glob("*.txt")))


def read_split(root: str | os.PathLike[str], split: str = "train") -> Split:
    """Reads which images belong to a split, and the names of the classes.

    Args:
        root: The folder of the data set.
        split: The name of a file in `ImageSets/Segmentation`, without `.txt`.

    Returns:
        The `Split`; no image has been opened.

    Raises:
        UserError: when the folder or the list is missing or unreadable, when the list is empty or
            holds what cannot be the name of a file, or when `classes.txt` is no list of names.
    """
    root = Path(root)
    if not (root / _LISTS).is_dir():
        raise UserError(
            f"`{root}` must be a data set in PASCAL VOC layout. Received: a path without "
            "`ImageSets/Segmentation`. Give the folder that holds `JPEGImages`."
        )
    path = root / _LISTS / f"{split}.txt"
    if not path.is_file():
        known = ", ".join(split_names(root)) or "no split at all"
        raise UserError(
            f"`{path}` must exist. Received: split {split!r}. This data set has: {known}."
        )
    classes = root / "classes.txt"
    names = read_class_names(classes) if classes.exists() else VOC_CLASSES
    return Split(root, split, _read_ids(path), names)


def _read_ids(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"`{path}` must be a readable text file. Received: {error}.") from error
    ids = tuple(line.strip() for line in lines if line.strip())
    if not ids:
        raise UserError(f"`{path}` must list at least one image. Received: an empty list.")
    for image_id in ids:
        # An id becomes part of paths, also of written files: it must stay in its folder.
        if image_id in (".", "..") or any(sign in image_id for sign in "/\\\0"):
            raise UserError(
                f"`{path}` must list file names without folder and ending, one a line. "
                f"Received: {image_id!r}."
            )
    return ids
