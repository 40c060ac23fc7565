"""Runs an exported folder in a fresh process and compares it with its model.

The process loads the folder by `tf.saved_model.load` and can import neither Keras nor tfdeconv.
Scores and labels are compared; exit status 1 where they differ.

  tfdeconv verify served runs/stage2

A .tflite or .onnx file is run in LiteRT or ONNX Runtime, and its scores and labels are compared; of
an int8 file the share of equal labels alone counts.

  tfdeconv verify regions.tflite runs/stage2
"""

import argparse

HELP = "run an exported folder in a fresh process and compare it with its model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "exported",
        metavar="EXPORTED",
        help="a folder of `tfdeconv export`, one version in it, or a file",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="the .keras file, run folder or preset that it came from"
    )


def run(args: argparse.Namespace) -> int:
    """Compares, prints the differences and returns 1 where they are too large."""
    from tfdeconv.export import verify

    verification = verify(args.exported, args.model)
    for line in verification.log:
        print(line)
    verdict = "does what" if verification.agrees else "does NOT do what"
    print(f"{args.exported} {verdict} {args.model} does: {verification}")
    return 0 if verification.agrees else 1
