"""Labels every pixel of photographs and writes a label map for each.

IMAGE|DIR are photographs, or folders of them. DIR/<name>.png holds the class of every pixel, in the
colours of PASCAL VOC; --overlay adds DIR/<name>_overlay.jpg to look at. A photograph that cannot be
read is named, and the others are segmented all the same.

  tfdeconv segment runs/stage2 photo.jpg holiday/ --out segmented --overlay
  tfdeconv segment runs/stage2 photo.jpg --out segmented --ensemble runs/fcn8s
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfdeconv.cli import evaluate, propose

if TYPE_CHECKING:
    import numpy as np

    from tfdeconv.boxes import Proposals

HELP = "label every pixel of photographs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults live in `Segmenter`."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file or a run folder")
    parser.add_argument(
        "inputs", metavar="IMAGE|DIR", nargs="+", help="photographs, or folders of them"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the label maps")
    evaluate.add_choices(parser)
    parser.add_argument(
        "--overlay", action="store_true", help="write each photograph with its labels over it, too"
    )


def run(args: argparse.Namespace) -> int:
    """Segments, and prints how many label maps were written; returns 1 when a photograph failed."""
    from tfdeconv import files
    from tfdeconv.errors import UserError
    from tfdeconv.images import read_image
    from tfdeconv.progress import track

    found = [path for given in args.inputs for path in propose.image_files(Path(given))]
    photographs = list(dict.fromkeys(found))
    check_names(photographs, Path(args.out))
    # Before the long work, not after it.
    out = files.ensure_writable_folder(args.out)
    segmenter, proposals = evaluate.open_segmenter(args)
    failed = 0
    for path in track(photographs, "Segmenting"):
        try:
            image = read_image(path)
            boxes = None if proposals is None else boxes_of(path, proposals)
        except UserError as error:
            print(f"tfdeconv: error: {error}", file=sys.stderr)
            failed += 1
        else:
            _write(out / path.stem, image, segmenter.segment(image, boxes), args.overlay)
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


def _write(stem: Path, image: np.ndarray, labels: np.ndarray, with_overlay: bool) -> None:
    from tfdeconv.files import write_bytes
    from tfdeconv.images import encode_jpeg
    from tfdeconv.labels import encode_png
    from tfdeconv.visual.overlay import overlay

    write_bytes(stem.with_name(f"{stem.name}.png"), encode_png(labels))
    if with_overlay:
        write_bytes(stem.with_name(f"{stem.name}_overlay.jpg"), encode_jpeg(overlay(image, labels)))
