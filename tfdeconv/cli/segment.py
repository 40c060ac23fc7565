"""Segments images: writes a label map for each image.

IMAGE|DIR are images (JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PPM) or folders of them. For
each image OUT/<name>.png is written: the index of every pixel's class, with the palette of the
training data or of PASCAL VOC. --overlay also writes OUT/<name>_overlay.jpg. If an image cannot be
read, an error is printed, the other images are still segmented, and the exit status is 1.

  tfdeconv segment runs/stage2 photo.jpg holiday/ --out segmented --overlay
  tfdeconv segment runs/stage2 photo.jpg --out segmented --ensemble runs/fcn8s --crf
  tfdeconv segment runs/fcn8s aerial.png --out segmented --window 512

With --server the model runs on a server. MODEL is its name there, `deconvnet` in the configuration
that `tfdeconv export --server` writes:

  tfdeconv segment deconvnet photo.jpg --out segmented --server http://localhost:8501
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdeconv.cli import options

if TYPE_CHECKING:
    import numpy as np

    from tfdeconv.boxes import Proposals

    # Reads a photograph and its boxes, in a thread; and labels it, with a description for a
    # progress bar of its own.
    Read = Callable[[Path], tuple[np.ndarray, Any]]
    Label = Callable[[Path, np.ndarray, Any], np.ndarray]

# What the exported model decides, and what no exported model does.
_EXPORTED = ("boxes", "aggregate", "ensemble", "ensemble_mode", "crf", "release", "precision")
_NOT_SERVED = ("window", "overlap", "flip", "scales")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults are those of `Segmenter`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a run folder, .keras file or preset; with --server, the name of the served model",
    )
    parser.add_argument(
        "inputs", metavar="IMAGE|DIR", nargs="+", help="photographs, or folders of them"
    )
    parser.add_argument("--out", metavar="OUT", required=True, help="folder for the label maps")
    parser.add_argument(
        "--overlay", action="store_true", help="also write the images with the labels overlaid"
    )
    options.add_segmentation(parser)
    parser.add_argument(
        "--server",
        dest="url",
        metavar="URL",
        help="use the model server at http://HOST:8501 or grpc://HOST:8500, which serves a folder "
        "of `tfdeconv export`; boxes are the server's grid unless --proposals is given",
    )


def run(args: argparse.Namespace) -> int:
    """Segments, and prints how many label maps were written; returns 1 when a photograph failed."""
    from tfdeconv import files
    from tfdeconv.errors import UserError
    from tfdeconv.export.client import ServerUnavailable
    from tfdeconv.progress import track
    from tfdeconv.segmentation.prefetch import prefetch

    found = [path for name in args.inputs for path in options.image_files(Path(name))]
    photographs = list(dict.fromkeys(found))
    check_names(photographs, Path(args.out))
    # Before the long computation, not after it.
    out = files.ensure_writable_folder(args.out)
    read, label, colours = _with_model(args) if args.url is None else _with_server(args)
    segmented, failed = prefetch(read, photographs), 0
    if args.window is None:  # With windows each photograph has a bar of its own.
        segmented = track(segmented, "Segmenting", len(photographs))
    for path, prepared in segmented:
        try:
            image, found_boxes = prepared()
            labels = label(path, image, found_boxes)
        except ServerUnavailable:
            raise
        except UserError as error:
            print(f"tfdeconv: error: {error}", file=sys.stderr)
            failed += 1
        else:
            _write(out / path.stem, image, labels, colours, args.overlay)
    written = len(photographs) - failed
    print(f"{out}: {options.counted(written, 'label map')}" + f", {failed} failed" * (failed > 0))
    return 1 if failed else 0


def check_names(photographs: Sequence[Path], out: Path) -> None:
    """Makes sure that no label map is written over another one or over a photograph.

    Raises:
        UserError: when one would be.
    """
    from tfdeconv.errors import UserError

    of_stem: dict[str, Path] = {}
    for path in photographs:
        other = of_stem.setdefault(path.stem, path)
        if other != path:
            raise UserError(
                f"Two images would be written to one file: `{other}` and `{path}` both give "
                f"`{out / path.stem}.png`. Segment them into two folders."
            )
    originals = {path.resolve() for path in photographs}
    for stem in of_stem:
        for target in (out / f"{stem}.png", out / f"{stem}_overlay.jpg"):
            if target.resolve() in originals:
                raise UserError(
                    f"`{target}` must not be written over: it is one of the photographs. Choose "
                    "another folder for the label maps."
                )


def _with_model(args: argparse.Namespace) -> tuple[Read, Label, np.ndarray | None]:
    from tfdeconv.images import read_image
    from tfdeconv.models import palette

    segmenter, proposals = options.open_segmenter(args)

    def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
        image = read_image(path)
        if proposals is None:
            return image, segmenter.find_boxes(image)
        return image, options.boxes_of(path, proposals)

    def label(path: Path, image: np.ndarray, found: np.ndarray) -> np.ndarray:
        return segmenter.segment(image, found, None if args.window is None else path.name)

    return read, label, palette(segmenter.model)


def _with_server(args: argparse.Namespace) -> tuple[Read, Label, None]:
    from tfdeconv import boxes
    from tfdeconv.errors import UserError
    from tfdeconv.export.client import Client, ServerUnavailable
    from tfdeconv.images import read_image

    options.refuse(
        args,
        _EXPORTED,
        "is not supported with --server: `tfdeconv export` sets what a served model does. Omit it, "
        "or segment locally.",
    )
    options.refuse(
        args,
        _NOT_SERVED,
        "is not supported with --server: a served model runs on each image once. Omit it, or "
        "give a .keras file and no --server.",
    )
    client, source = Client(args.url, args.model), args.proposals or "grid"
    proposals = None if source in ("edges", "grid") else boxes.load(source)

    def read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
        image = read_image(path)
        return image, None if source == "grid" else _boxes_to_send(path, image, proposals)

    def label(path: Path, image: np.ndarray, sent: np.ndarray | None) -> np.ndarray:
        try:
            return client.segment(_for_server(path, image), sent).labels
        except ServerUnavailable:
            raise
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    return read, label, None


def _boxes_to_send(
    path: Path, image: np.ndarray, proposals: Mapping[str, Proposals] | None
) -> np.ndarray:
    from tfdeconv import boxes
    from tfdeconv.proposals import propose

    if proposals is None:
        return propose(image).boxes
    # As `Segmenter` does; servers refuse boxes without area, and outside the image.
    found = options.boxes_of(path, proposals)
    return found[boxes.area(boxes.clip(found, *image.shape[:2])) > 0]


def _for_server(path: Path, image: np.ndarray) -> bytes:
    from tfdeconv.images import encode_png

    # A server reads JPEG and PNG alone.
    data = path.read_bytes()
    return data if data.startswith((b"\xff\xd8", b"\x89PNG")) else encode_png(image)


def _write(
    stem: Path, image: np.ndarray, labels: np.ndarray, colours: np.ndarray | None, overlaid: bool
) -> None:
    from tfdeconv.files import write_bytes
    from tfdeconv.images import encode_jpeg
    from tfdeconv.labels import encode_png
    from tfdeconv.visual.pictures import overlay

    write_bytes(stem.with_name(f"{stem.name}.png"), encode_png(labels, colours))
    if overlaid:
        write_bytes(stem.with_name(f"{stem.name}_overlay.jpg"), encode_jpeg(overlay(image, labels)))
