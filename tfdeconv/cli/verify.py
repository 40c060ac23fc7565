"""Compares an exported model with its original.

A SavedModel folder is loaded with `tf.saved_model.load` in a process without Keras and tfdeconv. A
.tflite or .onnx file runs in LiteRT or ONNX Runtime. Scores and labels are compared (of an int8
file only labels); the exit status is 1 if they differ.

  tfdeconv verify served runs/stage2
  tfdeconv verify regions.tflite runs/stage2
"""

import argparse

from tfdeconv.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "exported",
        metavar="EXPORTED",
        help="a folder of `tfdeconv export`, one of its versions, or a file",
    )
    options.add_model(parser)


def run(args: argparse.Namespace) -> int:
    """Compares, prints the differences and returns 1 where they are too large."""
    from tfdeconv.export import verify

    verification = verify(args.exported, args.model)
    for line in verification.log:
        print(line)
    verdict = "does what" if verification.agrees else "does NOT do what"
    print(f"{args.exported} {verdict} {args.model} does: {verification}")
    return 0 if verification.agrees else 1
