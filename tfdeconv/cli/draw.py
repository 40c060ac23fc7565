"""Generates a synthetic labelled data set for experiments.

The images have eight classes of textured, overlapping objects on cluttered backgrounds. The folder
has PASCAL VOC layout, so that every other command accepts it. The same seed gives the same images,
and running it again with a larger --images adds images.

  tfdeconv draw drawn --images 800 --val 100
  tfdeconv draw single --objects 1
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tfdeconv.cli.options import given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults are those of `draw_dataset`."""
    parser.add_argument(
        "out",
        metavar="OUT",
        help="new or empty folder, or a folder written by this command, to be extended",
    )
    for name, text in (
        ("images", "number of training images (default 800)"),
        ("val", "number of validation images (default 100)"),
        ("seed", "random seed (default 0)"),
        ("objects", "objects in an image, 1 to 6 (default: 2 to 6 at random)"),
    ):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=text)


def run(args: argparse.Namespace) -> None:
    """Draws the data set and prints its folder and its size."""
    from tfdeconv.data.drawn import draw_dataset

    print(describe(draw_dataset(args.out, **given(args, "images", "val", "seed", "objects"))))


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
