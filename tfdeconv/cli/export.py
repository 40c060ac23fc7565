"""Writes a SavedModel that TensorFlow Serving and its like can load.

OUT/1 (then OUT/2, ...) gets the signatures `segment` (photographs and boxes to labels and
confidence) and `regions` (crops to scores), and needs neither Python nor Keras to run.

  tfdeconv export runs/stage2 served
"""

import argparse

from tfdeconv.cli.evaluate import add_combination

HELP = "write a SavedModel that a model server can load"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults live in `export_saved_model`."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file or a run folder")
    parser.add_argument("out", metavar="OUT", help="folder of versions; a new one is added")
    add_combination(parser)


def run(args: argparse.Namespace) -> None:
    """Exports the model and prints where it is."""
    from tfdeconv.export import export_saved_model
    from tfdeconv.models import load_model

    chosen = {name: getattr(args, name) for name in ("boxes", "aggregate") if hasattr(args, name)}
    folder = export_saved_model(load_model(args.model), args.out, **chosen)
    print(f"{folder}: to check it, tfdeconv verify {folder} {args.model}")
