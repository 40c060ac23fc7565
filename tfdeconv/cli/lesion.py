"""Deletes the residual blocks of a trained network, one by one and several at random.

Without its branch a residual block hands on what it was given. A plain network breaks when a layer
is taken out; residual networks lose little with one block, and more, smoothly, with each further
one: they behave like ensembles of shallower networks (Veit, Wilber, Belongie; NIPS 2016). RUN is a
trained pspnet50, pspnet101, deeplab_aspp_resnet101, frrn_a or frrn_b. Blocks whose shortcut is a
projection, such as the first of every stage of a ResNet, have no identity to be replaced by: they
are named, and stay. Of FRRN's units, what they add to the residual stream is deleted.

Written are DIR/lesion.csv, a row for every set of blocks, and DIR/lesion.svg: the error, 1 - mean
IoU, against the number deleted (mean, lowest and highest of the sets), and without each block.

  tfdeconv train pspnet50 DATA --out runs/pspnet50
  tfdeconv lesion runs/pspnet50 DATA --out lesion
  tfdeconv lesion runs/pspnet50 DATA --out lesion --images 100 --draws 10
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tfdeconv.cli.numbers import whole

if TYPE_CHECKING:
    from tfdeconv.segmentation.lesion import Lesion

HELP = "delete a residual network's blocks and plot its error"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults of draws and seed live in `lesions`."""
    parser.add_argument("model", metavar="RUN", help="a run folder, .keras file or preset")
    parser.add_argument("data", metavar="DATA", help="folder in PASCAL VOC layout")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--split", metavar="NAME", default="val", help="default val")
    parser.add_argument(
        "--images", metavar="N", type=whole(1), default=20, help="the first N images; default 20"
    )
    parser.add_argument(
        "--draws",
        metavar="N",
        type=whole(1),
        default=argparse.SUPPRESS,
        help="random sets of every number of blocks (default 5)",
    )
    parser.add_argument(
        "--seed", metavar="N", type=whole(0), default=argparse.SUPPRESS, help="default 0"
    )


def run(args: argparse.Namespace) -> None:
    """Measures, writes both files and prints what single blocks and halves of them cost."""
    from dataclasses import replace

    from tfdeconv import files
    from tfdeconv.data.voc import read_split
    from tfdeconv.models import load_for_inference
    from tfdeconv.segmentation.lesion import lesions
    from tfdeconv.visual.lesion import draw_lesions
    from tfdeconv.visual.plots import as_document

    split = read_split(args.data, args.split)
    split = replace(split, ids=split.ids[: args.images])
    model, out = load_for_inference(args.model), files.ensure_writable_folder(args.out)
    chosen = {name: getattr(args, name) for name in ("draws", "seed") if name in args}
    found, projected = lesions(model, split, **chosen)
    intact = found[0].error
    single = {one.deleted[0]: one.error for one in found if len(one.deleted) == 1}
    several: dict[int, list[float]] = {}
    for one in found:
        if len(one.deleted) > 1:
            several.setdefault(len(one.deleted), []).append(one.error)
    files.write_text(out / "lesion.csv", _table(found))
    images = f"{len(split.ids)} image{'s' * (len(split.ids) != 1)}"
    title = f"{model.name} on {images} of {split.name}"
    figure = draw_lesions(title, intact, single, several)
    files.write_text(out / "lesion.svg", as_document(figure))
    if projected:
        print(f"not deleted, their shortcuts being projections: {', '.join(projected)}")
    worst = max(single, key=lambda name: single[name])
    mean = sum(single.values()) / len(single)
    print(f"error (1 - mean IoU) of the whole network: {intact:.4f}")
    print(f"without one block: mean {mean:.4f}, highest {single[worst]:.4f} without {worst}")
    for count, errors in several.items():
        print(f"without {count} blocks: mean {sum(errors) / len(errors):.4f}")
    print(f"{out / 'lesion.svg'}: {title}")


def _table(found: list[Lesion]) -> str:
    rows = ["deleted,mean_iou,pixel_accuracy,blocks"]
    for one in found:
        numbers = f"{len(one.deleted)},{one.mean_iou:.6f},{one.pixel_accuracy:.6f}"
        rows.append(f"{numbers},{' '.join(one.deleted)}")
    return "\n".join(rows) + "\n"
