"""Visualizes decoder activations (default), pooling switches, or the aggregation of regions.

By default: the feature maps before and after every unpooling or upsampling layer of the decoder
(Figure 4 of the paper), for the full image or the object in --box; --compare adds those of a second
network. --switches (networks with unpooling): the location of the maximum of every pooling window.
--aggregation (networks that use proposals): the labels with 1, 5, 10, 20 and 50 regions in
decreasing size (Figure 6).

  tfdeconv visualize runs/stage2 photo.jpg --out activations.png --box 40,60,200,180
  tfdeconv visualize runs/stage2 photo.jpg --out activations.png --compare runs/fcn8s
  tfdeconv visualize runs/segnet photo.jpg --out switches.png --switches
  tfdeconv visualize runs/stage2 photo.jpg --out aggregation.png --aggregation
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfdeconv.cli import options

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfdeconv.segmentation.pipeline import Pipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    options.add_model(parser)
    parser.add_argument("image", metavar="IMAGE", help="a photograph")
    parser.add_argument("--out", metavar="FILE.png", required=True, help="picture to write")
    parser.add_argument(
        "--box",
        type=_box,
        metavar="TOP,LEFT,BOTTOM,RIGHT",
        help="an object, in pixels: a network with one input size runs on the square around it, "
        "others on the full image (default: the full image)",
    )
    parser.add_argument(
        "--compare", metavar="MODEL2", help="also show a second network, below the first"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--switches", action="store_true", help="draw the switches")
    kind.add_argument(
        "--aggregation",
        action="store_true",
        help="show the aggregation of regions; --boxes, --aggregate and --proposals apply",
    )
    options.add_regions(parser)
    options.add_proposals(parser)


def run(args: argparse.Namespace) -> None:
    """Draws, writes the picture and prints its content."""
    from tfdeconv import files
    from tfdeconv.errors import UserError
    from tfdeconv.images import encode_png, read_image

    if args.aggregation and (args.box or args.compare):
        raise UserError(
            "`--aggregation` cannot be combined with --box or --compare: it shows the full image "
            "of one network. Omit one of them."
        )
    if args.switches and args.compare:
        raise UserError("`--switches` cannot be combined with --compare. Omit one of them.")
    image = read_image(args.image)
    out = options.output_file(args.out, ".png")
    draw = _aggregation if args.aggregation else _switches if args.switches else _activations
    picture, content = draw(args, image)
    files.write_bytes(out, encode_png(picture))
    print(f"{out}: {content}")


class Growth:
    """The labels of an image after some numbers of regions.

    Args:
        pipeline: Aggregates the regions.
        image: `(height, width, 3)` uint8 RGB.
        counts: The numbers of regions.

    Attributes:
        labels: Number of regions -> `(height, width)` uint8 labels.
    """

    def __init__(self, pipeline: Pipeline, image: np.ndarray, counts: Sequence[int]) -> None:
        self.pipeline = pipeline
        self.labels: dict[int, np.ndarray] = {}
        self._size, self._counts, self._done = image.shape[:2], counts, 0
        self._canvas = pipeline.start(*self._size)

    def observe(self, regions: np.ndarray, scores: tf.Tensor) -> None:
        """Adds a batch of regions; `Pipeline.combined_scores` calls it."""
        from tfdeconv.segmentation.pipeline import label_pixels

        first, last = self._done, self._done + len(regions)
        for stop in (*(count for count in self._counts if first < count < last), last):
            part = slice(self._done - first, stop - first)
            self._canvas = self.pipeline.add(self._canvas, scores[part], regions[part], *self._size)
            self._done = stop
            if stop in self._counts:
                combined = self.pipeline.finish(self._canvas)
                self.labels[stop] = label_pixels(combined, *self._size)[0].numpy()


def network_input(
    model: keras.Model, image: np.ndarray, box: tuple[float, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the input that a network has in segmentation, for a photograph or an object in it.

    Args:
        model: A network from RGB, with one square input size or without any.
        image: `(height, width, 3)` uint8 RGB.
        box: The object, top, left, bottom, right in pixels. With an input size the result is the
            square around it, black outside the image; without one it is the full image.

    Returns:
        `(rows, columns, 3)` float32, the network's input, and `(rows, columns)` uint8, 1 for the
        pixels in the box and 0 for others.

    Raises:
        UserError: when the box does not touch the image, or the network is not for RGB images.
    """
    import cv2
    import numpy as np

    from tfdeconv.data.crops import crop_image, enlarge_to_square
    from tfdeconv.data.whole_images import limited_size
    from tfdeconv.segmentation.network import sizes
    from tfdeconv.segmentation.regions import resize_and_pad, size_rule

    inside = _inside(box, *image.shape[:2])
    size = sizes(model)[0]
    if size is not None:
        region = enlarge_to_square(np.array([box or (0, 0, *image.shape[:2])]))[0]
        mask = crop_image(inside[..., None], region, size).numpy()[..., 0].astype(np.uint8)
        return crop_image(image, region, size).numpy(), mask
    resized = limited_size(image.shape[:2])
    rows, columns = resized.numpy().tolist()
    picture = resize_and_pad(image, resized, size_rule(model).fit(resized)).numpy()[0]
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[:rows, :columns] = cv2.resize(inside, (columns, rows), interpolation=cv2.INTER_NEAREST)
    return picture, mask


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


def _inside(box: tuple[float, ...] | None, height: int, width: int) -> np.ndarray:
    import numpy as np

    from tfdeconv import boxes
    from tfdeconv.errors import UserError

    box = box or (0, 0, height, width)
    inside = np.round(boxes.clip(np.array(box), height, width)).astype(int)
    if boxes.area(inside)[0] == 0:
        raise UserError(
            f"`--box` must show some of the image, {height} pixels high and {width} wide. "
            f"Received: {','.join(f'{edge:g}' for edge in box)} (top,left,bottom,right)"
        )
    (top, left, bottom, right), *_ = inside
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def _activations(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.models import class_names, load_for_inference
    from tfdeconv.segmentation.averaging import require_same_classes
    from tfdeconv.visual.activations import decoder_activations, draw_activations, name_of

    model = load_for_inference(args.model)
    picture, inside = network_input(model, image, args.box)
    networks = [(picture, decoder_activations(model, picture, inside))]
    label, names = networks[0][1].label, class_names(model)
    if args.compare:
        other = load_for_inference(args.compare)
        picture, _ = network_input(other, image, args.box)
        require_same_classes(model, other, "--compare")
        networks.append((picture, decoder_activations(other, picture, label=label)))
    steps = sum(len(found.steps) for _, found in networks)
    what = f"'{names[label]}'" if names else name_of(label, names)
    content = f"{options.counted(steps, 'step')} of the decoder for {what}"
    return draw_activations(networks, names), content


def _switches(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.models import class_names, load_for_inference
    from tfdeconv.visual.switches import draw_switches, network_switches

    model = load_for_inference(args.model)
    picture, inside = network_input(model, image, args.box)
    found = network_switches(model, picture, inside)
    count = len(found.levels)
    sheet = draw_switches(picture, found, class_names(model))
    return sheet, f"the switches of {options.counted(count, 'pooling')}"


def _aggregation(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, str]:
    from tfdeconv.errors import UserError
    from tfdeconv.models import class_names
    from tfdeconv.visual.regions import by_size, draw_aggregation, panel_counts

    segmenter, proposals = options.open_segmenter(args)
    if segmenter.input_size is None:
        raise UserError(
            f"`{args.model}` must be a network with one input size. Received: one for images of "
            "any size, which has no regions to aggregate. Leave --aggregation out."
        )
    found = None if proposals is None else options.boxes_of(Path(args.image), proposals)
    regions, pipeline = by_size(segmenter.regions(image, found)), segmenter.pipeline
    growth = Growth(pipeline, image, panel_counts(len(regions)))
    for first in range(0, len(regions), pipeline.batch_size):
        batch = regions[first : first + pipeline.batch_size]
        growth.observe(batch, pipeline.region_scores(image, batch))
    picture = draw_aggregation(image, regions, growth.labels, class_names(segmenter.model))
    return picture, f"{len(growth.labels)} steps, up to {len(regions)} regions"
