"""tfdeconv check drawn/"""

from __future__ import annotations

import argparse

HELP = "check a data set: every problem with the name of its file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("data", metavar="DATA", help="data set in PASCAL VOC layout")
    parser.add_argument("--split", metavar="NAME", help="only this split (default: all of them)")


def run(args: argparse.Namespace) -> int:
    """Prints a line for every problem and one for every split; returns 1 if there is a problem."""
    from tfdeconv.data import voc
    from tfdeconv.data.check import check_split

    names = [args.split] if args.split else voc.split_names(args.data) or ["train"]
    reports = [check_split(voc.read_split(args.data, name)) for name in names]
    # An image may stand in several lists; what is wrong with it is told once.
    for problem in dict.fromkeys(problem for report in reports for problem in report.problems):
        print(problem)
    for report in reports:
        for note in report.notes():
            print(f"note: {note}")
    for report in reports:
        print(report.summary())
    return int(any(report.problems for report in reports))
