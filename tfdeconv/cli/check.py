"""Checks a data set and names every bad file.

Checks the lists of images, photographs, label maps and instance maps of a data set in PASCAL VOC
layout: missing or damaged files, maps of another size than the image, labels that are not classes.
The exit status is 1 if there is a problem. Notes name masks that contain only 0 and 255, classes
that do not occur, and images that are in `train` and in `val`.

  tfdeconv check DATA
  tfdeconv check DATA --split val
"""

from __future__ import annotations

import argparse

from tfdeconv.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    options.add_data(parser)
    parser.add_argument(
        "--split", metavar="NAME", help="check only this split (default: all splits)"
    )


def run(args: argparse.Namespace) -> int:
    """Prints a line for every problem and one for every split; returns 1 if there is a problem."""
    from tfdeconv.data import voc
    from tfdeconv.data.check import check_split, compare_splits

    names = [args.split] if args.split else voc.split_names(args.data) or ["train"]
    reports = [check_split(voc.read_split(args.data, name)) for name in names]
    # An image may be in more than one list; its problems are printed once.
    for problem in dict.fromkeys(problem for report in reports for problem in report.problems):
        print(problem)
    for report in reports:
        for note in report.notes():
            print(f"note: {note}")
    by_name = dict(zip(names, reports, strict=True))
    if {"train", "val"} <= set(by_name):
        for note in compare_splits(by_name["train"], by_name["val"]):
            print(f"note: {note}")
    for report in reports:
        print(report.summary())
    return int(any(report.problems for report in reports))
