"""Converts the export of an annotation tool to a data set in PASCAL VOC layout.

It writes images, label maps, instance maps if the source has instances, lists of the splits and
`classes.txt`. The data set is written completely or not at all; after an interruption, the same
command continues. These formats are detected: COCO (instances, stuff, panoptic), labelme, CVAT,
Label Studio, Supervisely, Roboflow masks, folders of images and masks, one mask file per object
(2018 Data Science Bowl), CSV files with run-length encoding, lists of image and mask paths,
Cityscapes, ADE20K, CamVid, Oxford Pets.

  tfdeconv import export/ DATA --val 0.2
  tfdeconv import images_and_masks/ DATA --classes background,road,car
  tfdeconv import annotations/instances_val.json DATA --images val2017/
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "source", metavar="SOURCE", help="folder of the export, or its annotation file"
    )
    parser.add_argument("data", metavar="DATA", help="folder to write, in PASCAL VOC layout")
    parser.add_argument(
        "--format",
        metavar="NAME",
        default="auto",
        help="format of SOURCE (default auto: detected); a wrong name lists all",
    )
    parser.add_argument(
        "--val",
        type=float,
        default=0,
        metavar="SHARE",
        help="fraction of the training images to move to a validation split, e.g. 0.2 (default 0)",
    )
    parser.add_argument("--split", metavar="NAME", help="put all images into this split")
    parser.add_argument(
        "--classes",
        metavar="NAMES",
        help="comma-separated class names in label order, or a file with one name per line; "
        "other classes are left out",
    )
    parser.add_argument(
        "--void",
        metavar="NAMES",
        default="",
        help="comma-separated class names, or label values of masks, to ignore (label 255)",
    )
    parser.add_argument(
        "--crowd",
        choices=("auto", "void", "object"),
        default="auto",
        help="how COCO annotations with iscrowd=1 appear in instance maps: void, or objects; "
        "auto: objects if CVAT wrote the file, otherwise void (default auto)",
    )
    parser.add_argument(
        "--rle-order",
        choices=("columns", "rows"),
        default="columns",
        help="pixel order of run lengths in a CSV: down columns, as at Kaggle, or along rows "
        "(default columns)",
    )
    parser.add_argument(
        "--images", metavar="FOLDER", help="folder of the images, if they are not in SOURCE"
    )
    parser.add_argument(
        "--link",
        action="store_true",
        help="create hard links to the images instead of copying them",
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
    if not 0 <= args.val < 1:
        raise UserError(f"`--val` must be at least 0 and below 1. Received: {args.val}.")
    if args.val and args.split:
        raise UserError("`--val` cannot be used with `--split`. Omit one of them.")
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
