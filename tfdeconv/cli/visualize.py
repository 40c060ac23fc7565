"""Draws what happens inside: activations through the decoder, switches, or aggregation.

By default a map of every layer that makes maps larger again, above it the map that it is made of,
from the bottleneck to the image (Figure 4 of the paper): for the whole image or the object in
--box; with --beside those of another network, too. With --switches, for networks that unpool: where
in the image the maximum of every pooling window stood. With --aggregation, for networks that see
regions: what is found with 1, 5, 10, 20 and 50 regions in decreasing size (Figure 6).

  tfdeconv visualize runs/stage2 photo.jpg --out activations.png --box 40,60,200,180
  tfdeconv visualize runs/stage2 photo.jpg --out activations.png --beside runs/fcn8s
  tfdeconv visualize runs/segnet photo.jpg --out switches.png --switches
  tfdeconv visualize runs/stage2 photo.jpg --out aggregation.png --aggregation
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tfdeconv.cli import evaluate
from tfdeconv.cli.shown import box_of, shown_to

if TYPE_CHECKING:
    import numpy as np

HELP = "draw the activations of the decoder, the switches, or aggregation with more regions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, run folder or preset")
    parser.add_argument("image", metavar="IMAGE", help="a photograph")
    parser.add_argument("--out", metavar="FILE.png", required=True, help="the picture to write")
    parser.add_argument(
        "--box",
        type=box_of,
        metavar="TOP,LEFT,BOTTOM,RIGHT",
        help="the object in pixels; a network for squares is shown it with the margin that it "
        "sees, one for every size the whole image (default: the whole image)",
    )
    parser.add_argument("--beside", metavar="MODEL2", help="another network, for rows of its own")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--switches",
        action="store_true",
        help="draw where the maximum of every pooling window stood",
    )
    kind.add_argument(
        "--aggregation",
        action="store_true",
        help="draw aggregation; the choices below belong to it",
    )
    evaluate.add_combination(parser)
    evaluate.add_proposals(parser)


def run(args: argparse.Namespace) -> None:
    """Draws and prints what the picture shows."""
    from tfdeconv import files
    from tfdeconv.errors import UserError
    from tfdeconv.images import encode_png, read_image

    out = Path(args.out)
    if out.suffix.lower() != ".png":
        raise UserError(f"`--out` must be a .png file. Received: `{out}`. Give it that ending.")
    if args.aggregation and (args.box or args.beside):
        raise UserError(
            "`--aggregation` must stand alone: it shows the whole image. Received: --box or "
            "--beside. Leave one of them out."
        )
    if args.switches and args.beside:
        raise UserError("`--switches` must come without --beside. Leave one of them out.")
    image = read_image(args.image)
    # Before the long work, not after it.
    files.ensure_writable_folder(out.parent)
    draw = _aggregation if args.aggregation else _switches if args.switches else _activations
    picture, said = draw(args, image)
    files.write_bytes(out, encode_png(picture))
    print(f"{out}: {said}")


def _activations(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.models import class_names, load_for_inference
    from tfdeconv.segmentation.averaging import require_same_classes
    from tfdeconv.visual.activation_panels import draw_activations
    from tfdeconv.visual.activations import decoder_activations

    model = load_for_inference(args.model)
    picture, inside = shown_to(model, image, args.box)
    shown = decoder_activations(model, picture, inside)
    beside = picture_beside = None
    if args.beside:
        other = load_for_inference(args.beside)
        picture_beside, _ = shown_to(other, image, args.box)
        require_same_classes(model, other, "--beside")
        beside = decoder_activations(other, picture_beside, label=shown.label)
    names = class_names(model)
    steps = len(shown.steps) + (len(beside.steps) if beside else 0)
    what = f"'{names[shown.label]}'" if names else f"class {shown.label}"
    sheet = draw_activations(picture, shown, beside, names, picture_beside)
    return sheet, f"{steps} step{'s' * (steps != 1)} of the decoder for {what}"


def _switches(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.models import class_names, load_for_inference
    from tfdeconv.visual.switch_panels import draw_switches
    from tfdeconv.visual.switches import network_switches

    model = load_for_inference(args.model)
    picture, inside = shown_to(model, image, args.box)
    found = network_switches(model, picture, inside)
    count = len(found.levels)
    sheet = draw_switches(picture, found, class_names(model))
    return sheet, f"the switches of {count} pooling{'s' * (count != 1)}"


def _aggregation(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.cli.segment import boxes_of
    from tfdeconv.errors import UserError
    from tfdeconv.models import class_names
    from tfdeconv.segmentation.pipeline import label_pixels
    from tfdeconv.visual.aggregation import by_size, draw_aggregation, panel_counts

    segmenter, proposals = evaluate.open_segmenter(args)
    if segmenter.input_size is None:
        raise UserError(
            f"`{args.model}` must be a network that sees regions of one size. Received: one that "
            "sees whole images, of which there is nothing to aggregate. Leave --aggregation out."
        )
    found = None if proposals is None else boxes_of(Path(args.image), proposals)
    regions = by_size(segmenter.regions(image, found))
    height, width = image.shape[:2]
    pipeline = segmenter.pipeline
    canvas, done, labels = pipeline.start(height, width), 0, {}
    for count in panel_counts(len(regions)):
        while done < count:
            batch = regions[done : min(done + pipeline.batch_size, count)]
            scores = pipeline.region_scores(image, batch)
            canvas = pipeline.add(canvas, scores, batch, height, width)
            done += len(batch)
        labels[count] = label_pixels(pipeline.finish(canvas), height, width)[0].numpy()
    picture = draw_aggregation(image, regions, labels, class_names(segmenter.model))
    return picture, f"{len(labels)} steps, up to {done} regions"
