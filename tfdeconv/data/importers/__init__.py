"""Importers: convert the export of an annotation tool to a data set in PASCAL VOC layout.

Each format has a module with `NAME`, `find`, which says why a folder holds it, and `open_source`,
which makes the `Source` that `writing` writes.
"""

import os
from pathlib import Path
from typing import Any

from tfdeconv.data.importers import (
    ade20k,
    cityscapes,
    coco,
    cvat,
    folders,
    label_studio,
    labelme,
    lists,
    object_masks,
    panoptic,
    pets,
    run_lengths,
    supervisely,
)
from tfdeconv.data.importers.sources import Folder, Options, Source
from tfdeconv.data.importers.writing import Report, Splitting, write_data_set
from tfdeconv.errors import UserError

# Formats that would also match the generic folder format; they take precedence.
_OWN_MASKS: tuple[Any, ...] = (cityscapes, ade20k, pets, lists)
_MODULES: tuple[Any, ...] = (
    coco,
    labelme,
    cvat,
    folders,
    object_masks,
    label_studio,
    supervisely,
    panoptic,
    run_lengths,
    *_OWN_MASKS,
)
FORMATS: tuple[str, ...] = tuple(module.NAME for module in _MODULES)
__all__ = ["FORMATS", "Options", "Report", "Source", "Splitting", "import_data"]


def import_data(
    source: str | os.PathLike[str],
    data: str | os.PathLike[str],
    format_name: str = "auto",
    options: Options | None = None,
    images: str | os.PathLike[str] | None = None,
    splitting: Splitting | None = None,
    link: bool = False,
) -> Report:
    """Writes a data set in PASCAL VOC layout from what an annotation tool has exported.

    Args:
        source: The folder of the export, or its one annotation file.
        data: The folder to write, which must not exist or be empty.
        One of `FORMATS`, or "auto" to detect it.
        options: Classes, void and crowds.
        images: The folder of the photographs, where they are not in the source.
        splitting: Which image goes into which split; the source's splits by default.
        link: Whether photographs become hard links where they need no change.

    Returns:
        The `Report`, with the format and how it was recognised.

    Raises:
        UserError: when no format or more than one fits, or at the first mistake in the source.
            Nothing is written then.
    """
    root, options = Path(source), options or Options()
    if not root.exists():
        raise UserError(f"`{root}` must exist. Received: no such file or folder. Check the name.")
    photographs = None if images is None else Folder(Path(images))
    is_file = not root.is_dir()
    folder = Folder(root.parent if is_file else root, root if is_file else None, photographs)
    _keep_apart(folder.root, Path(data))
    module, why = _choose(folder, format_name)
    opened = module.open_source(folder, options)
    opened.why = f"{module.NAME} ({why})"
    return write_data_set(opened, Path(data), options, splitting or Splitting(), link)


def _keep_apart(source: Path, data: Path) -> None:
    target = data.resolve()
    if target == source.resolve() or target in source.resolve().parents:
        raise UserError(
            f"DATA must not contain the source. Received: `{data}`, which contains `{source}`. "
            "Choose another folder."
        )


def _choose(folder: Folder, name: str) -> tuple[Any, str]:
    if name != "auto":
        module = _MODULES[FORMATS.index(name)]
        why = module.find(folder)
        if why is None:
            raise UserError(
                f"`{folder.only or folder.root}` must be an export in the format {name}. Received: "
                "no file of this format. Leave out `--format`, or give the folder of the export."
            )
        return module, why
    found = [(module, why) for module in _MODULES if (why := module.find(folder))]
    if any(module in _OWN_MASKS for module, _ in found):
        found = [(module, why) for module, why in found if module is not folders]
    if len(found) == 1:
        return found[0]
    if found:
        listed = "; ".join(f"{module.NAME} ({why})" for module, why in found)
        raise UserError(
            f"`{folder.root}` matches several formats: {listed}. Choose one with `--format`, or "
            "give the folder of one of them."
        )
    raise UserError(
        f"`{folder.only or folder.root}` must be an export of an annotation tool. Received: "
        f"{_unknown(folder)}. Known formats: {', '.join(FORMATS)}."
    )


def _unknown(folder: Folder) -> str:
    names = [folder.only.name] if folder.only else list(folder.files)
    for ending, hint in ((".zip", "unpack it first"), (".parquet", "save its images as files")):
        if any(name.lower().endswith(ending) for name in names):
            return f"a {ending} file ({hint})"
    for path in folder.annotations(".xml")[:1]:
        if "<annotation>" in folder.peek(path):
            return f"XML with the root `annotation` as `{path}` (boxes of VOC or the web LabelMe)"
    return f"{len(names)} files of no known kind"
