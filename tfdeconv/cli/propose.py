"""Finds object proposals in images (Edge Boxes).

Proposals are boxes that are likely to hold an object. Training of stage 2 needs them; segmentation
computes its own unless it is given this file. With --forest (model.yml.gz of opencv_extra)
structured edges are used, as by the authors of Edge Boxes; the default gradient edges need no file.

  tfdeconv propose DATA --out proposals.npz
  tfdeconv propose VOC2012 --split train --forest model.yml.gz --out proposals.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tfdeconv.cli.options import add_number, given, image_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults are those of `propose_files`."""
    parser.add_argument(
        "inputs", metavar="DATA|IMAGE", nargs="+", help="data sets, folders of images, or images"
    )
    parser.add_argument("--out", metavar="FILE", required=True, help=".npz file to write")
    parser.add_argument("--split", metavar="NAME", help="only this split of the data sets")
    parser.add_argument(
        "--edges",
        choices=("auto", "structured", "gradient"),
        help="auto (default): structured with --forest, gradient without",
    )
    parser.add_argument("--forest", metavar="FILE", help="structured forest in OpenCV's format")
    add_number(parser, "max-boxes", "maximum number of boxes per image (default 2000)")
    add_number(parser, "jobs", "worker processes (default: all cores)")


def run(args: argparse.Namespace) -> None:
    """Finds the proposals, writes them, and prints how many there are."""
    import time

    import tfdeconv
    from tfdeconv import boxes, files, proposals
    from tfdeconv.errors import UserError

    out = Path(args.out)
    if out.is_dir():
        raise UserError(f"`{out}` must be a file. Received: a folder. Name a file in it.")
    files.ensure_writable_folder(out.parent)
    images = [path for name in args.inputs for path in image_files(Path(name), args.split)]
    chosen = given(args, "edges", "max_boxes", "forest", "jobs")
    begin = time.perf_counter()
    found = proposals.propose_files(images, **chosen)
    seconds = time.perf_counter() - begin
    boxes.save(out, found, {"version": tfdeconv.__version__, **chosen})
    total = sum(len(of_image.boxes) for of_image in found.values())
    print(f"{out}: {len(found)} images, {total} boxes, {seconds:.1f} seconds")
