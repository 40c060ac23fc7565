"""Draws what happens inside: activations through the decoder, or aggregation step by step.

Without --aggregation: a map of every unpooling and of the last deconvolution behind it, from the
bottleneck to the image (Figure 4 of the paper), for the whole image or the object in --box; with
--beside the upsampling layers of another network, too. With --aggregation: what is found in the
image with 1, 5, 10, 20 and 50 regions in decreasing size (Figure 6).

  tfdeconv visualize runs/stage2 photo.jpg --out activations.png --box 40,60,200,180
  tfdeconv visualize runs/stage2 photo.jpg --out activations.png --beside runs/fcn8s
  tfdeconv visualize runs/stage2 photo.jpg --out aggregation.png --aggregation
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from tfdeconv.cli import evaluate

if TYPE_CHECKING:
    import numpy as np

# What a network that takes any size is shown: the paper's input.
_OPEN_SIZE = 224
HELP = "draw the activations of the decoder, or aggregation with more and more regions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file or a run folder")
    parser.add_argument("image", metavar="IMAGE", help="a photograph")
    parser.add_argument("--out", metavar="FILE.png", required=True, help="the picture to write")
    parser.add_argument(
        "--box",
        type=_box,
        metavar="TOP,LEFT,BOTTOM,RIGHT",
        help="the object in pixels; it is shown with the margin that the network sees (default: "
        "the whole image)",
    )
    parser.add_argument("--beside", metavar="MODEL2", help="another network, for a row of its own")
    parser.add_argument(
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
    image = read_image(args.image)
    # Before the long work, not after it.
    files.ensure_writable_folder(out.parent)
    picture, said = (_aggregation if args.aggregation else _activations)(args, image)
    files.write_bytes(out, encode_png(picture))
    print(f"{out}: {said}")


def _activations(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.inference.checks import sizes
    from tfdeconv.models import class_names, load_model
    from tfdeconv.visual.activation_panels import draw_activations
    from tfdeconv.visual.activations import unpooling_activations, upsampling_activations

    model = load_model(args.model)
    size = sizes(model)[0] or _OPEN_SIZE
    crop, inside = _crop(image, args.box, size)
    shown = unpooling_activations(model, crop, inside)
    beside = None
    if args.beside:
        other = load_model(args.beside)
        crop_beside, _ = _crop(image, args.box, sizes(other)[0] or size)
        beside = upsampling_activations(other, crop_beside, shown.label)
    names = class_names(model)
    count = sum(map(len, (*shown.rows, *(beside.rows if beside else ()))))
    what = f"'{names[shown.label]}'" if names else f"class {shown.label}"
    return draw_activations(crop, shown, beside, names), f"{count} activations for {what}"


def _aggregation(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.cli.segment import boxes_of
    from tfdeconv.errors import UserError
    from tfdeconv.inference.combiner import Combiner
    from tfdeconv.models import class_names
    from tfdeconv.visual.aggregation import by_size, draw_aggregation, panel_counts

    segmenter, proposals = evaluate.open_segmenter(args)
    if segmenter.input_size is None:
        raise UserError(
            f"`{args.model}` must be a network that sees regions of one size. Received: one that "
            "sees whole images, of which there is nothing to aggregate."
        )
    found = None if proposals is None else boxes_of(Path(args.image), proposals)
    regions = by_size(segmenter.regions(image, found))
    height, width = image.shape[:2]
    combiner = Combiner(segmenter.num_classes, segmenter.aggregate)
    canvas, done, labels = combiner.start(height, width), 0, {}
    for count in panel_counts(len(regions)):
        while done < count:
            batch = regions[done : min(done + segmenter.batch_size, count)]
            scores = segmenter.region_scores(image, batch)
            canvas = combiner.add(canvas, scores, batch, height, width)
            done += len(batch)
        labels[count] = combiner.labels(canvas, height, width)
    picture = draw_aggregation(image, regions, labels, class_names(segmenter.model))
    return picture, f"{len(labels)} steps, up to {done} regions"


def _crop(
    image: np.ndarray, box: tuple[float, ...] | None, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the network is shown of a box or the whole image, and which pixels are in the box."""
    import numpy as np

    from tfdeconv import boxes
    from tfdeconv.data.crops import crop_image
    from tfdeconv.errors import UserError

    height, width = image.shape[:2]
    box = box or (0, 0, height, width)
    inside = np.round(boxes.clip(np.array(box), height, width)).astype(int)
    if boxes.area(inside)[0] == 0:
        raise UserError(
            f"`--box` must show some of the image, {height} pixels high and {width} wide. "
            f"Received: {','.join(f'{edge:g}' for edge in box)} (top,left,bottom,right)"
        )
    (top, left, bottom, right), *_ = inside
    mask = np.zeros((height, width, 1), np.uint8)
    mask[top:bottom, left:right] = 1
    region = boxes.enlarge_to_square(np.array(box))[0]
    return tuple(crop_image(whole, region, size).numpy() for whole in (image, mask))


def _box(text: str) -> tuple[float, ...]:
    try:
        top, left, bottom, right = edges = tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be four numbers, not {text!r}") from None
    if not all(map(math.isfinite, edges)) or max(map(abs, edges)) >= 2**29:
        raise argparse.ArgumentTypeError(f"must be pixels of an image, not {text!r}")
    if bottom <= top or right <= left:
        raise argparse.ArgumentTypeError(f"must have an area, top above bottom, not {text!r}")
    return edges
