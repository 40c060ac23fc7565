"""Verifies that an exported model gives the results of the original model.

A SavedModel folder is loaded with `tf.saved_model.load` in a process without Keras and tfdeconv. A
.tflite or .onnx file runs in LiteRT or ONNX Runtime. Logits and labels are compared (only labels
for int8 files); the exit status is 1 if they differ by more than the tolerance.

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
        help="folder written by `tfdeconv export` (the newest version is used), one version, or "
        "a .tflite or .onnx file",
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
