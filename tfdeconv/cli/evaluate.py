"""Segments the images of a labelled data set and compares them with their label maps.

DATA is a folder in PASCAL VOC layout. Printed is intersection over union of every class in percent,
over all pixels of the split at the images' own resolution, without those labelled 255.

  tfdeconv evaluate runs/stage2 DATA
  tfdeconv evaluate runs/stage2 DATA --boxes 20 --aggregate mean --json result.json --out predicted
  tfdeconv evaluate runs/stage2 DATA --ensemble runs/fcn8s
  tfdeconv evaluate runs/fcn8s DATA --flip --scales 0.75,1,1.25
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tfdeconv.cli import views
from tfdeconv.cli.numbers import whole

if TYPE_CHECKING:
    from tfdeconv.boxes import Proposals
    from tfdeconv.segmentation.segmenter import Segmenter

_CHOICES = ("boxes", "aggregate", "proposals", "ensemble", "ensemble_mode", "precision")
HELP = "measure a model on labelled images as PASCAL VOC does"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults live in `Segmenter`."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, run folder or preset")
    parser.add_argument("data", metavar="DATA", help="folder in PASCAL VOC layout")
    parser.add_argument("--split", metavar="NAME", default="val", help="default val")
    add_choices(parser)
    parser.add_argument("--json", metavar="FILE", help="write the result to this file, too")
    parser.add_argument("--out", metavar="DIR", help="write the predicted label maps here")
    parser.add_argument("--images", metavar="N", type=whole(1), help="only the first N images")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Adds how a model is to be used: for `evaluate` and `segment`."""
    add_combination(parser)
    add_proposals(parser)
    views.add_views(parser)
    parser.add_argument(
        "--ensemble",
        metavar="MODEL2",
        default=argparse.SUPPRESS,
        help="a second model for the same classes, such as an FCN, to be combined with the first",
    )
    parser.add_argument(
        "--ensemble-mode",
        choices=("mean", "product"),
        default=argparse.SUPPRESS,
        help="mean of probabilities (default), as the paper has it, or product of scores, as its "
        "release does",
    )
    parser.add_argument(
        "--crf",
        action="store_true",
        default=argparse.SUPPRESS,
        help="refine the labels to the edges of the image with a fully connected CRF",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "auto"),
        default=argparse.SUPPRESS,
        help="what networks compute in, by default what they were saved in: bfloat16 takes 0.6 of "
        "the time on hardware made for it and moves some labels; auto chooses it there",
    )
    parser.add_argument(
        "--release",
        action="store_true",
        default=argparse.SUPPRESS,
        help="do what the code of the release does where the paper says another thing: --aggregate "
        "release, --ensemble-mode product, and its parameters with --crf",
    )


def add_proposals(parser: argparse.ArgumentParser) -> None:
    """Adds where boxes come from: for `visualize`, too."""
    parser.add_argument(
        "--proposals",
        metavar="edges|grid|FILE",
        default=argparse.SUPPRESS,
        help="where boxes come from: searched for in the image (default), a grid, or a file "
        "written by `tfdeconv propose`",
    )


def add_combination(parser: argparse.ArgumentParser) -> None:
    """Adds how many boxes are used and how their scores become one: for `export`, too."""
    parser.add_argument(
        "--boxes",
        metavar="N",
        type=whole(0),
        default=argparse.SUPPRESS,
        help="the most proposals to use beside the whole image (default 50)",
    )
    parser.add_argument(
        "--aggregate",
        choices=("max", "mean", "raw_max"),
        default=argparse.SUPPRESS,
        help="how the scores of overlapping regions become one (default max)",
    )


def run(args: argparse.Namespace) -> None:
    """Evaluates and prints the table and a line of result."""
    from pathlib import Path

    from tfdeconv import files
    from tfdeconv.data.voc import read_split
    from tfdeconv.segmentation.evaluate import evaluate

    split = read_split(args.data, args.split)
    split = replace(split, ids=split.ids[: args.images])
    # Before the long work, not after it.
    if args.json is not None:
        files.ensure_writable_folder(Path(args.json).parent)
    segmenter, proposals = open_segmenter(args)
    result = evaluate(segmenter, split, proposals, args.out)
    if args.json is not None:
        files.write_json(args.json, result.as_json())
    print(result.table())
    images = f"{result.images} image{'s' * (result.images != 1)}"
    print(f"{args.model} on {split.name}: mean IoU {result.mean_iou:.4f}, {images}")


def open_segmenter(
    args: argparse.Namespace,
) -> tuple[Segmenter, Mapping[str, Proposals] | None]:
    """Opens the model with the choices made, and the proposals when they come from a file."""
    from tfdeconv import boxes
    from tfdeconv.crf import DenseCRF
    from tfdeconv.errors import UserError
    from tfdeconv.segmentation.regions import PROPOSALS
    from tfdeconv.segmentation.segmenter import Segmenter

    chosen = {name: getattr(args, name) for name in _CHOICES if hasattr(args, name)}
    chosen |= views.chosen_views(args)
    if "ensemble_mode" in chosen and "ensemble" not in chosen:
        raise UserError(
            "--ensemble-mode must come with --ensemble. Received: "
            f"--ensemble-mode {chosen['ensemble_mode']} alone. Add --ensemble MODEL2."
        )
    release = hasattr(args, "release")
    if release:
        chosen = {"aggregate": "raw_max", "ensemble_mode": "product", **chosen}
    if hasattr(args, "crf"):
        chosen["crf"] = DenseCRF.release() if release else DenseCRF()
    found = None
    if chosen.get("proposals", PROPOSALS[0]) not in PROPOSALS:
        found = boxes.load(chosen.pop("proposals"))
    return Segmenter(args.model, **chosen), found
