"""Localises objects with image-level labels only (class activation maps).

Trains two small classifiers on the split train of DATA, one with average and one with maximum
pooling over its last maps (Zhou et al., CVPR 2016). Only the list of classes is read from each
label map. The map of a class, resized to the image, is its heatmap. Two boxes are compared with the
objects of the split val: the object proposal with the best score, refined to edges in the image,
and the box of Zhou et al., around the largest connected component of the thresholded map.

Writes DIR/average and DIR/maximum (run folders), DIR/cam.png (heatmaps of the first images of val),
DIR/cam.json (the metrics), and DIR/pseudo: the images of train with pseudo-labels of the network
with average pooling, 255 where uncertain, for `tfdeconv train`. Classifiers that DIR contains are
reused.

  tfdeconv draw single --objects 1 --images 2000 --val 200
  tfdeconv cam single --out cam
  tfdeconv train unet cam/pseudo --out runs/unet
  tfdeconv evaluate runs/unet single
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from tfdeconv.cli import options

if TYPE_CHECKING:
    from tfdeconv.data.voc import Split
    from tfdeconv.weak.localise import Found

ROWS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults of the training are those of `Recipe`."""
    options.add_data(parser)
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write")
    options.add_number(parser, "steps", "steps of each training (default 3000)")
    options.add_number(
        parser, "input-size", "image size in the last training phase (default 192)", least=32
    )
    parser.add_argument(
        "--width",
        metavar="W",
        type=float,
        help="multiplier for the number of channels (default 0.125; published network: 1)",
    )
    options.add_number(parser, "batch-size", "images of a batch (default 24)")
    options.add_number(parser, "seed", "random seed (default 0)", least=0, default=0)


def run(args: argparse.Namespace) -> None:
    """Trains, measures, draws, writes the pseudo-labels, and prints the measures."""
    from tfdeconv import files
    from tfdeconv.data.voc import read_split
    from tfdeconv.images import encode_png
    from tfdeconv.models.cam import POOLINGS
    from tfdeconv.proposals import propose_files
    from tfdeconv.weak import localise
    from tfdeconv.weak.boxes import CANDIDATES
    from tfdeconv.weak.localise import Localiser
    from tfdeconv.weak.pseudo_labels import require_apart, write_pseudo_set
    from tfdeconv.weak.train import Recipe, require_objects, train_classifier

    train, val = read_split(args.data, "train"), read_split(args.data, "val")
    out = files.ensure_writable_folder(args.out)
    require_apart(train, out / "pseudo")
    require_objects(val)
    recipe = Recipe(**options.given(args, *vars(Recipe())))
    numbers: dict[str, Any] = {}
    found: dict[str, list[Found]] = {}
    localisers = {}
    paths = [val.image_path(image_id) for image_id in dict.fromkeys(val.ids)]
    candidates = propose_files(paths, max_boxes=CANDIDATES)
    for pooling in POOLINGS:
        print(f"--- {pooling} pooling", flush=True)
        model = train_classifier(train, out / pooling, pooling, recipe, args.seed)
        localisers[pooling] = Localiser(model, recipe.input_size)
        found[pooling] = []
        for one in localise.localise(localisers[pooling], val, candidates):
            kept = one if len(found[pooling]) < ROWS else one._replace(heat=None)
            found[pooling].append(kept)
        numbers[pooling] = localise.summary(found[pooling])._asdict()
    files.write_bytes(out / "cam.png", encode_png(_picture(val, found)))
    mean_iou = write_pseudo_set(localisers["average"], train, out / "pseudo")
    # Where all pixels are uncertain, there is no IoU, and JSON has no NaN.
    numbers["pseudo_labels"] = {"mean_iou": None if math.isnan(mean_iou) else mean_iou}
    files.write_json(out / "cam.json", numbers)
    for pooling in POOLINGS:
        print(f"{pooling:<8} {_line(numbers[pooling])}")
    print(f"{out / 'pseudo'}: mean IoU of the pseudo-labels {mean_iou:.3f}")
    print(f"{out / 'cam.png'}: both poolings, side by side")


def _line(numbers: dict[str, float]) -> str:
    return (
        f"box right, class known {numbers['known']:.1%}; class and box right "
        f"{numbers['first']:.1%}; class right {numbers['classified']:.1%}; the paper's box right "
        f"{numbers['part']:.1%}; of {numbers['judged']}"
    )


def _picture(val: Split, found: dict[str, list[Found]]) -> Any:
    from tfdeconv import images
    from tfdeconv.visual.regions import Heatmap, Row, draw_heatmaps
    from tfdeconv.weak.localise import RIGHT

    rows = []
    for of_poolings in list(zip(*found.values(), strict=True))[:ROWS]:
        one = of_poolings[0]
        heatmaps = [
            Heatmap(f"{pooling} pooling", f"box IoU {each.iou:.2f}", each.heat, each.box)
            for pooling, each in zip(found, of_poolings, strict=True)
        ]
        image = images.read_image(val.image_path(one.image_id))
        rows.append(Row(image, val.class_names[one.label], one.truth, heatmaps))
    notes = [
        "White: the object. Blue: the proposal with the best score, refined to edges.",
        f"A box is right from an IoU of {RIGHT:g} on. The first images of the split.",
    ]
    return draw_heatmaps(rows, notes)
