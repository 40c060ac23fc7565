"""Imports the export of an annotation tool as a data set.

The data set has PASCAL VOC layout: photographs, label maps, instance maps where the source has
instances, lists of the splits and `classes.txt`. It is written completely or not at all; after an
interruption the same command continues. These formats are recognised: COCO (instances, stuff,
panoptic), labelme, CVAT, Label Studio, Supervisely, Roboflow masks, folders of images and masks,
one mask an object, run lengths in a CSV, lists of pairs, Cityscapes, ADE20K, CamVid, Oxford pets.

  tfdeconv import export/ DATA --val 0.2
  tfdeconv import images_and_masks/ DATA --classes background,road,car
  tfdeconv import annotations/instances_val.json DATA --images val2017/
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("source", metavar="SOURCE", help="folder of the export, or its one file")
    parser.add_argument("data", metavar="DATA", help="folder to write, in PASCAL VOC layout")
    parser.add_argument(
        "--format",
        metavar="NAME",
        default="auto",
        help="name of the format (default: recognised)",
    )
    parser.add_argument(
        "--val", type=float, default=0, metavar="SHARE", help="share of `train` to put into `val`"
    )
    parser.add_argument("--split", metavar="NAME", help="put all images into this split")
    parser.add_argument(
        "--classes",
        metavar="NAMES",
        help="names of the classes in order, with commas, or a file with one a line; others are "
        "left out",
    )
    parser.add_argument(
        "--void", metavar="NAMES", default="", help="classes or labels to ignore, with commas"
    )
    parser.add_argument(
        "--crowd",
        choices=("auto", "void", "object"),
        default="auto",
        help="what annotations with `iscrowd` are in instance maps (default: by their writer)",
    )
    parser.add_argument(
        "--rle-order",
        choices=("columns", "rows"),
        default="columns",
        help="how run lengths in a CSV go (default: columns)",
    )
    parser.add_argument("--images", metavar="FOLDER", help="photographs, if not in SOURCE")
    parser.add_argument(
        "--link", action="store_true", help="hard links in place of copies of photographs"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the data set and prints what was found and assumed."""
    from tfdeconv.data import importers
    from tfdeconv.data.importers import Options, Splitting
    from tfdeconv.errors import UserError

    if args.format not in ("auto", *importers.FORMATS):
        raise UserError(
            f"`--format` must be auto or one of {', '.join(importers.FORMATS)}. Received: "
            f"{args.format!r}."
        )
    if not 0 <= args.val < 1 or (args.val and args.split):
        raise UserError(
            "`--val` must be a share between 0 and 1, and not be given with `--split`. Received: "
            f"{args.val}."
        )
    report = importers.import_data(
        args.source,
        args.data,
        args.format,
        Options(_classes(args.classes), _names(args.void), args.crowd, args.rle_order == "rows"),
        args.images,
        Splitting(args.val, args.split),
        args.link,
    )
    print("\n".join(report.lines()))
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _classes(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    from pathlib import Path

    from tfdeconv.data.importers import sources

    if not Path(text).is_file():
        return _names(text)
    lines = sources.read_text(Path(text)).splitlines()
    return tuple(line.strip() for line in lines if line.strip())
