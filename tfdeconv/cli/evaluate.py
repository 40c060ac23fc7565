"""Evaluates a model on a labelled data set (IoU per class, mean IoU, pixel accuracy).

Prints the intersection over union (IoU) of every class in percent, over all pixels of the split at
the original resolution, as the PASCAL VOC devkit does. Pixels labelled 255 are ignored.

  tfdeconv evaluate runs/stage2 DATA
  tfdeconv evaluate runs/stage2 DATA --boxes 20 --aggregate mean --json result.json --out predicted
  tfdeconv evaluate runs/stage2 DATA --ensemble runs/fcn8s
  tfdeconv evaluate runs/fcn8s DATA --flip --scales 0.75,1,1.25
"""

from __future__ import annotations

import argparse

from tfdeconv.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults are those of `Segmenter`."""
    options.add_model(parser)
    options.add_split(parser)
    parser.add_argument(
        "--json", metavar="FILE", help="also write the result as JSON (fractions, not percent)"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="also write the predicted label maps to this folder"
    )
    options.add_segmentation(parser)


def run(args: argparse.Namespace) -> None:
    """Evaluates and prints the table and a line of result."""
    from pathlib import Path

    from tfdeconv import files
    from tfdeconv.segmentation.evaluate import evaluate

    split = options.read_split(args)
    # Before the long computation, not after it.
    if args.json is not None:
        files.ensure_writable_folder(Path(args.json).parent)
    segmenter, proposals = options.open_segmenter(args)
    result = evaluate(segmenter, split, proposals, args.out)
    if args.json is not None:
        files.write_json(args.json, result.as_json())
    print(result.table())
    images = options.counted(result.images, "image")
    print(f"{args.model} on {split.name}: mean IoU {result.mean_iou:.4f}, {images}")
