"""One mask an object, as in the Data Science Bowl 2018: `<id>/images/*.png`, `<id>/masks/*.png`."""

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tfdeconv.data.importers import mask_files, painting, sources
from tfdeconv.data.importers.painting import Maps, Patch, Shape
from tfdeconv.data.importers.sources import Folder, Options, Sample, Source, wrong

NAME = "object-masks"


def find(folder: Folder) -> str | None:
    """Returns why a folder holds this format, or None."""
    if folder.only is not None:
        return None
    for base, (images, masks) in _groups(folder).items():
        stems = {PurePosixPath(name).stem for name in masks}
        if (
            len(images) == 1
            and masks
            and PurePosixPath(images[0]).stem not in stems
            and base != "."
        ):
            return f"`{base}` has one image and masks of its objects"
    return None


def _groups(folder: Folder) -> dict[str, tuple[list[str], list[str]]]:
    """Returns the images and masks of every folder that has both."""
    groups: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for name in folder.photographs:
        path = PurePosixPath(name)
        if path.parent.name in ("images", "masks"):
            groups[path.parent.parent.as_posix()][path.parent.name == "masks"].append(name)
    return {base: group for base, group in groups.items() if group[0]}


def open_source(folder: Folder, options: Options) -> Source:
    """Opens the folders; the one class is `object` unless it is named."""
    groups = _groups(folder)
    chosen = [name for name in options.classes or ("object",) if name != "background"]
    if len(chosen) != 1:
        raise wrong(
            f"`{folder.root}`", "have one class", f"{len(chosen)}", "Name one with `--classes`."
        )
    names = sources.checked_names(("background", *chosen), str(folder.root))
    dropped: Counter[str] = Counter()
    notes = ["later masks lie over earlier ones", f"all masks are of the class {chosen[0]}"]
    samples = _samples(folder, groups, dropped)
    return Source(names, samples, len(groups), notes, dropped)


def _samples(
    folder: Folder, groups: dict[str, tuple[list[str], list[str]]], dropped: Counter[str]
) -> Iterator[Sample]:
    for base, (images, masks) in groups.items():
        if len(images) != 1:
            raise wrong(
                f"`{folder.root / base / 'images'}`",
                "hold one image, to which the masks belong",
                f"{len(images)}",
                "Give images and masks the same names, or a folder for each image.",
            )
        paths = [folder.path(name) for name in masks]
        image = images[0]
        draw = functools.partial(_draw, paths)
        name = PurePosixPath(image).name
        place = f"`{folder.root / base}`"
        split = sources.split_in(image)
        yield Sample(name, folder.path(image), draw, place, split, None, tuple(paths))


def _draw(paths: Sequence[Path], height: int, width: int) -> Maps:
    def shapes() -> Iterator[Shape]:
        for path in paths:
            values = mask_files.read_values(path)
            if values.shape[:2] != (height, width):
                raise wrong(
                    f"`{path}`",
                    f"be as large as its photograph, {width}x{height}",
                    f"{values.shape[1]}x{values.shape[0]}",
                    "Export it again.",
                )
            bright = values.max(axis=2) if values.ndim == 3 else values
            yield Shape(1, Patch(0, 0, bright > (127 if bright.max(initial=0) > 1 else 0)))

    return painting.paint(shapes(), height, width)
