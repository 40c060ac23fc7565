"""Lesion study: evaluates a residual network with blocks removed and plots the error.

Removing the branch of a residual block leaves the identity. A plain network breaks when a layer is
removed; residual networks lose little with one block and degrade smoothly with more, like ensembles
of shallower networks (Veit, Wilber, Belongie; NIPS 2016). MODEL is a trained pspnet50, pspnet101,
deeplab_aspp_resnet101, frrn_a or frrn_b. Blocks whose shortcut is a projection, such as the first
of every stage of a ResNet, are not removed; their names are printed. In the units of FRRN the
addition to the residual stream is removed.

Writes DIR/lesion.csv, a row for every set of blocks, and DIR/lesion.svg: the error, 1 - mean IoU,
against the number of removed blocks (mean, minimum and maximum over the sets), and for each single
removed block.

  tfdeconv train pspnet50 DATA --out runs/pspnet50
  tfdeconv lesion runs/pspnet50 DATA --out lesion
  tfdeconv lesion runs/pspnet50 DATA --out lesion --images 100 --draws 10
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tfdeconv.cli import options

if TYPE_CHECKING:
    from tfdeconv.segmentation.lesion import Lesion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults of draws and seed are those of `lesions`."""
    options.add_model(parser)
    options.add_split(parser, images=20)
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write")
    options.add_number(
        parser, "draws", "random sets of blocks per number of removed blocks (default 5)"
    )
    options.add_number(parser, "seed", "random seed (default 0)", least=0)


def run(args: argparse.Namespace) -> None:
    """Measures, writes both files and prints the error with blocks deleted."""
    from tfdeconv import files
    from tfdeconv.models import load_for_inference
    from tfdeconv.segmentation.lesion import lesions
    from tfdeconv.visual.plots import as_document, lesion_plot

    split = options.read_split(args)
    model, out = load_for_inference(args.model), files.ensure_writable_folder(args.out)
    found, projected = lesions(model, split, **options.given(args, "draws", "seed"))
    intact = found[0].error
    single = {one.deleted[0]: one.error for one in found if len(one.deleted) == 1}
    sets: dict[int, list[float]] = {}
    for one in found:
        if len(one.deleted) > 1:
            sets.setdefault(len(one.deleted), []).append(one.error)
    files.write_text(out / "lesion.csv", _table(found))
    title = f"{model.name} on {options.counted(len(split.ids), 'image')} of {split.name}"
    figure = lesion_plot(title, intact, single, sets)
    files.write_text(out / "lesion.svg", as_document(figure))
    if projected:
        print(f"not deleted, since their shortcut is a projection: {', '.join(projected)}")
    worst = max(single, key=lambda name: single[name])
    mean = sum(single.values()) / len(single)
    print(f"error (1 - mean IoU) of the full network: {intact:.4f}")
    print(f"without one block: mean {mean:.4f}, highest {single[worst]:.4f} without {worst}")
    for count, errors in sets.items():
        print(f"without {count} blocks: mean {sum(errors) / len(errors):.4f}")
    print(f"{out / 'lesion.svg'}: {title}")


def _table(found: list[Lesion]) -> str:
    rows = ["deleted,mean_iou,pixel_accuracy,blocks"]
    for one in found:
        numbers = f"{len(one.deleted)},{one.mean_iou:.6f},{one.pixel_accuracy:.6f}"
        rows.append(f"{numbers},{' '.join(one.deleted)}")
    return "\n".join(rows) + "\n"
