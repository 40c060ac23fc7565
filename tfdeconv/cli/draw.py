"""Draws a data set of its own: eight textured classes, overlapping, on cluttered backgrounds.

The folder has PASCAL VOC layout, so that every other command takes it. The same seed gives the same
pictures, and a second call with more --images keeps those that stand.

  tfdeconv draw drawn --images 800 --val 100
  tfdeconv draw single --objects 1
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "draw a labelled data set in VOC layout to try everything on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults live in `draw_dataset`."""
    parser.add_argument(
        "out", metavar="OUT", help="new or empty folder, or a drawn data set to go on with"
    )
    for name, text in (
        ("images", "number of training pictures (default 800)"),
        ("val", "number of validation pictures (default 100)"),
        ("seed", "another seed, other pictures (default 0)"),
        ("objects", "objects of a picture, 1 to 6 (default two to six, as chance has it)"),
    ):
        parser.add_argument(
            f"--{name}", type=int, metavar="N", default=argparse.SUPPRESS, help=text
        )


def run(args: argparse.Namespace) -> None:
    """Draws the data set and prints where it is and what it holds."""
    from tfdeconv.data.drawn import draw_dataset

    names = ("images", "val", "seed", "objects")
    chosen = {name: getattr(args, name) for name in names if hasattr(args, name)}
    print(describe(draw_dataset(args.out, **chosen)))


def describe(root: Path) -> str:
    """Returns one line about the data set in the folder `root`."""
    train, val = (
        len((root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split())
        for split in ("train", "val")
    )
    classes = len((root / "classes.txt").read_text().split()) - 1
    return (
        f"{root}: {train} training and {val} validation pictures, {classes} classes and background"
    )
