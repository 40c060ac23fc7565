"""Learn where objects are from nothing but the classes of images: class activation maps.

Trains two small classifiers on the split train of DATA, one that averages its last maps over the
image and one that takes their maximum (Zhou et al., CVPR 2016). Of the label maps they are shown
which classes an image has, and nothing else. The map of a class, enlarged to the image, is where
the classifier sees it. The object proposal inside of which the class is seen best, moved to where
the colours change, is compared with the objects of the split val; so is the paper's box around the
largest connected part of the map above a threshold.

Written are DIR/average and DIR/maximum (run folders), DIR/cam.png (both side by side, the first
images of val), DIR/cam.json (the numbers), and DIR/pseudo: the images of train with label maps
guessed by the network that averages, 255 where in doubt, for `tfdeconv train`. A second call opens
what is trained already.

  tfdeconv draw single --objects 1 --images 2000 --val 200
  tfdeconv cam single --out cam
  tfdeconv train unet cam/pseudo --out runs/unet
  tfdeconv evaluate runs/unet single
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from tfdeconv.cli.numbers import whole

if TYPE_CHECKING:
    from tfdeconv.data.voc import Split
    from tfdeconv.weak.localise import Found

ROWS = 6
HELP = "find objects by a classifier of images: heatmaps, boxes, pseudo-labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults of the training live in `Recipe`."""
    parser.add_argument("data", metavar="DATA", help="folder in PASCAL VOC layout")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write")
    for name, kind, text in (
        ("steps", whole(1), "steps of each training (default 3000)"),
        ("input_size", whole(32), "side of the images at the end of the training (default 192)"),
        ("width", float, "factor on the channels; paper: 1 (default 0.125)"),
        ("batch_size", whole(1), "images of a step (default 24)"),
    ):
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            metavar="N",
            default=argparse.SUPPRESS,
            help=text,
        )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="default 0")


def run(args: argparse.Namespace) -> None:
    """Trains, measures, draws, writes the pseudo-labels, and prints the numbers."""
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

    out = files.ensure_writable_folder(args.out)
    train, val = read_split(args.data, "train"), read_split(args.data, "val")
    require_apart(train, out / "pseudo")
    require_objects(val)
    chosen = vars(args).keys() & vars(Recipe()).keys()
    recipe = Recipe(**{name: getattr(args, name) for name in chosen})
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
    # No pixel is given a label where every one is in doubt, and JSON has no NaN.
    numbers["pseudo_labels"] = {"mean_iou": None if math.isnan(mean_iou) else mean_iou}
    files.write_json(out / "cam.json", numbers)
    for pooling in POOLINGS:
        print(f"{pooling:<8} {_line(numbers[pooling])}")
    print(f"{out / 'pseudo'}: mean IoU of the labels given {mean_iou:.3f}")
    print(f"{out / 'cam.png'}: both poolings, side by side")


def _line(numbers: dict[str, float]) -> str:
    return (
        f"box right, class known {numbers['known']:.1%}; class and box right "
        f"{numbers['first']:.1%}; class right {numbers['classified']:.1%}; the paper's box right "
        f"{numbers['part']:.1%}; of {numbers['judged']}"
    )


def _picture(val: Split, found: dict[str, list[Found]]) -> Any:
    from tfdeconv import images
    from tfdeconv.visual.localisation import Row, Seen, draw_localisation
    from tfdeconv.weak.localise import RIGHT

    rows = []
    for several in list(zip(*found.values(), strict=True))[:ROWS]:
        one = several[0]
        seen = [
            Seen(f"{pooling} pooling", f"box IoU {each.iou:.2f}", each.heat, each.box)
            for pooling, each in zip(found, several, strict=True)
        ]
        image = images.read_image(val.image_path(one.image_id))
        rows.append(Row(image, val.class_names[one.label], one.truth, seen))
    notes = [
        "White: the object. Blue: the proposal that is seen best, moved to the edges of colours.",
        f"A box is right from an IoU of {RIGHT:g} on. The first images of the split, unchosen.",
    ]
    return draw_localisation(rows, notes)
