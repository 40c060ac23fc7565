"""Labels every pixel of photographs and writes a label map for each.

IMAGE|DIR are photographs (JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PPM), or folders of
them; of an animation the first frame is taken. DIR/<name>.png holds the class of every pixel, in
the colours of the label maps that the network learned from, or else of PASCAL VOC; --overlay adds
DIR/<name>_overlay.jpg to look at. A photograph that cannot be read is named, and the others are
segmented all the same.

  tfdeconv segment runs/stage2 photo.jpg holiday/ --out segmented --overlay
  tfdeconv segment runs/stage2 photo.jpg --out segmented --ensemble runs/fcn8s
  tfdeconv segment runs/fcn8s aerial.png --out segmented --window 512

With --server, a model server does the work, and MODEL is the name by which it knows the model:

  tfdeconv segment deconvnet photo.jpg --out segmented --server http://localhost:8501
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdeconv.cli import evaluate, propose, views

if TYPE_CHECKING:
    import numpy as np

    from tfdeconv.boxes import Proposals

    # For every photograph what returns it and its labels, or raises what is wrong.
    Segmented = Iterator[tuple[Path, Callable[[], tuple[np.ndarray, np.ndarray]]]]

HELP = "label every pixel of photographs"
_OF_EXPORT = ("boxes", "aggregate", "ensemble", "ensemble_mode", "crf", "release", "precision")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults live in `Segmenter`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a .keras file, run folder or preset; with --server, the name of the served model",
    )
    parser.add_argument(
        "inputs", metavar="IMAGE|DIR", nargs="+", help="photographs, or folders of them"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the label maps")
    evaluate.add_choices(parser)
    parser.add_argument(
        "--server",
        dest="url",
        metavar="URL",
        help="ask the server at http://HOST:8501 or grpc://HOST:8500, which was started on a "
        "folder of `tfdeconv export`; boxes are its grid unless --proposals is given",
    )
    parser.add_argument(
        "--overlay", action="store_true", help="write each photograph with its labels over it, too"
    )


def run(args: argparse.Namespace) -> int:
    """Segments, and prints how many label maps were written; returns 1 when a photograph failed."""
    from tfdeconv import files
    from tfdeconv.errors import UserError
    from tfdeconv.export.client import ServerUnavailable
    from tfdeconv.progress import track

    found = [path for given in args.inputs for path in propose.image_files(Path(given))]
    photographs = list(dict.fromkeys(found))
    check_names(photographs, Path(args.out))
    # Before the long work, not after it.
    out = files.ensure_writable_folder(args.out)
    segment, colours = _local_labels(args) if args.url is None else (_served_labels(args), None)
    segmented, failed = segment(photographs), 0
    if not hasattr(args, "window"):  # Each photograph has a bar of its own.
        segmented = track(segmented, "Segmenting", len(photographs))
    for path, result in segmented:
        try:
            image, labels = result()
        except ServerUnavailable:
            raise
        except UserError as error:
            print(f"tfdeconv: error: {error}", file=sys.stderr)
            failed += 1
        else:
            _write(out / path.stem, image, labels, colours, args.overlay)
    written = len(photographs) - failed
    maps = f"{written} label map{'s' * (written != 1)}"
    print(f"{out}: {maps}" + f", {failed} failed" * (failed > 0))
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
                f"Every photograph must have a name of its own. Received: `{other}` and `{path}`, "
                f"which both become `{out / path.stem}.png`. Segment them into two folders."
            )
    originals = {path.resolve() for path in photographs}
    for stem in of_stem:
        for target in (out / f"{stem}.png", out / f"{stem}_overlay.jpg"):
            if target.resolve() in originals:
                raise UserError(
                    f"`{target}` must not be written over: it is one of the photographs. Choose "
                    "another folder for the label maps."
                )


def boxes_of(path: Path, proposals: Mapping[str, Proposals]) -> np.ndarray:
    """Returns the boxes of a photograph from the contents of a proposal file.

    Raises:
        UserError: when the file has none for it.
    """
    from tfdeconv.errors import UserError

    if path.stem not in proposals:
        raise UserError(
            f"`{path}` must be among the images of the proposal file. Received: no {path.stem!r} "
            "in it. Make the file anew with `tfdeconv propose`, or leave --proposals out."
        )
    return proposals[path.stem].boxes


def _local_labels(
    args: argparse.Namespace,
) -> tuple[Callable[[Sequence[Path]], Segmented], np.ndarray | None]:
    from tfdeconv.images import read_image
    from tfdeconv.models import palette
    from tfdeconv.segmentation.prefetch import prefetch

    segmenter, proposals = evaluate.open_segmenter(args)

    def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
        image = read_image(path)
        found = segmenter.find_boxes(image) if proposals is None else boxes_of(path, proposals)
        return image, found

    def label(path: Path, prepared: Callable[[], Any]) -> tuple[np.ndarray, np.ndarray]:
        image, found = prepared()
        # With windows each photograph has a progress bar of its own.
        bar = path.name if hasattr(args, "window") else None
        return image, segmenter.segment(image, found, bar)

    def segment(photographs: Sequence[Path]) -> Segmented:
        return (
            (path, functools.partial(label, path, prepared))
            for path, prepared in prefetch(read, photographs)
        )

    return segment, palette(segmenter.model)


def _served_labels(args: argparse.Namespace) -> Callable[[Sequence[Path]], Segmented]:
    from tfdeconv import boxes
    from tfdeconv.errors import UserError
    from tfdeconv.export.client import Client, ServerUnavailable
    from tfdeconv.images import read_image
    from tfdeconv.proposals import propose
    from tfdeconv.segmentation.prefetch import prefetch

    if fixed := [name for name in _OF_EXPORT if hasattr(args, name)]:
        raise UserError(
            f"--{fixed[0].replace('_', '-')} must not come with --server, whose model has it from "
            "`tfdeconv export`. Leave it out, or export the model anew."
        )
    views.refuse_with_server(args)
    client = Client(args.url, args.model)
    chosen = getattr(args, "proposals", "grid")
    found = None if chosen in ("edges", "grid") else boxes.load(chosen)

    def read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
        image = read_image(path)
        if found is None:
            return image, propose(image).boxes if chosen == "edges" else None
        # As `Segmenter` does; servers refuse boxes of no area, and outside of the image.
        of_file = boxes_of(path, found)
        return image, of_file[boxes.area(boxes.clip(of_file, *image.shape[:2])) > 0]

    def label(path: Path, prepared: Callable[[], Any]) -> tuple[np.ndarray, np.ndarray]:
        image, sent = prepared()
        try:
            return image, client.segment(_for_server(path, image), sent).labels
        except ServerUnavailable:
            raise
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    return lambda photographs: (
        (path, functools.partial(label, path, prepared))
        for path, prepared in prefetch(read, photographs)
    )


def _for_server(path: Path, image: np.ndarray) -> bytes:
    from tfdeconv.images import encode_png

    # A server reads JPEGs and PNGs alone.
    data = path.read_bytes()
    return data if data.startswith((b"\xff\xd8", b"\x89PNG")) else encode_png(image)


def _write(
    stem: Path,
    image: np.ndarray,
    labels: np.ndarray,
    colours: np.ndarray | None,
    with_overlay: bool,
) -> None:
    from tfdeconv.files import write_bytes
    from tfdeconv.images import encode_jpeg
    from tfdeconv.labels import encode_png
    from tfdeconv.visual.overlay import overlay

    write_bytes(stem.with_name(f"{stem.name}.png"), encode_png(labels, colours))
    if with_overlay:
        write_bytes(stem.with_name(f"{stem.name}_overlay.jpg"), encode_jpeg(overlay(image, labels)))
