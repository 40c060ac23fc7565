"""Walks one photograph from proposals to the final labels, on one self-contained HTML page.

The page shows the photograph, edges and proposals, the regions chosen, what the network says of
some of them, aggregation with more and more regions, probabilities and confidence, the labels
before and behind the CRF, and how long each step took. For a network that sees whole images it has
the steps that there are. With --truth it shows what is wrong, too.

  tfdeconv walkthrough runs/stage2 photo.jpg --out page.html
  tfdeconv walkthrough runs/stage2 photo.jpg --out page.html --boxes 20 --aggregate mean
  tfdeconv walkthrough runs/fcn8s DATA/JPEGImages/a.jpg --out page.html \\
      --truth DATA/SegmentationClass/a.png
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tfdeconv.cli import evaluate

if TYPE_CHECKING:
    import numpy as np

    from tfdeconv.segmentation.segmenter import Segmenter

HELP = "explain what is made of one photograph, step by step, on a page of HTML"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; how regions are chosen and combined as for `segment`."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, run folder or preset")
    parser.add_argument("image", metavar="IMAGE", help="a photograph")
    parser.add_argument("--out", metavar="FILE.html", required=True, help="the page to write")
    parser.add_argument("--truth", metavar="LABELS.png", help="its label map, to show errors")
    evaluate.add_combination(parser)
    evaluate.add_proposals(parser)


def run(args: argparse.Namespace) -> None:
    """Walks, writes the page and prints its path and weight."""
    from tfdeconv import files
    from tfdeconv.cli.segment import boxes_of
    from tfdeconv.cli.walkthrough_steps import walk
    from tfdeconv.errors import UserError
    from tfdeconv.images import read_image
    from tfdeconv.visual.walkthrough import walkthrough_page

    out, path = Path(args.out), Path(args.image)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"`--out` must be an .html file. Received: `{out}`. Give it that ending.")
    started = time.perf_counter()
    image = read_image(path)
    times = {"reading the photograph": time.perf_counter() - started}
    # Before the long work, not after it.
    files.ensure_writable_folder(out.parent)
    segmenter, proposals = evaluate.open_segmenter(args)
    truth = None if args.truth is None else _truth(args, image, segmenter)
    boxes = None if proposals is None else boxes_of(path, proposals)
    page = walkthrough_page(walk(segmenter, image, boxes, truth, path.name, times))
    page.write(out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {sum(times.values()):.1f} s")


def _truth(args: argparse.Namespace, image: np.ndarray, segmenter: Segmenter) -> np.ndarray:
    import numpy as np

    from tfdeconv.errors import UserError
    from tfdeconv.images import read_labels
    from tfdeconv.labels import IGNORE_LABEL

    truth = read_labels(args.truth, segmenter.class_names)
    if truth.shape != image.shape[:2]:
        raise UserError(
            f"`{args.truth}` must be as large as the photograph, {image.shape[1]}x"
            f"{image.shape[0]}. Received: {truth.shape[1]}x{truth.shape[0]}. Give that of the "
            "photograph."
        )
    judged = truth[truth != IGNORE_LABEL]
    if judged.size and (most := int(np.max(judged))) >= segmenter.num_classes:
        raise UserError(
            f"`{args.truth}` must have labels below {segmenter.num_classes}, the network's "
            f"classes. Received: {most}. Take a network that was trained on the same classes."
        )
    return truth
