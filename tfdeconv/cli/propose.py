"""Finds boxes that are likely to hold an object, for stage 2 and for segmenting.

DATA is a data set in PASCAL VOC layout or a folder of images. Structured edges, as the authors of
Edge Boxes use them, need a forest file (model.yml.gz of opencv_extra); gradient edges need none.

  tfdeconv propose drawn --out proposals.npz
  tfdeconv propose VOC2012 --split train --forest model.yml.gz --out proposals.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tfdeconv.cli.numbers import whole

HELP = "find object proposals in images, in parallel"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults live in `propose_files`."""
    parser.add_argument(
        "inputs", metavar="DATA|IMAGE", nargs="+", help="data sets, folders of images, or images"
    )
    parser.add_argument("--out", metavar="FILE", required=True, help="the .npz file to write")
    parser.add_argument("--split", metavar="NAME", help="only this split of the data sets")
    parser.add_argument(
        "--edges",
        choices=("auto", "structured", "gradient"),
        default=argparse.SUPPRESS,
        help="auto (default): structured when --forest is given, else gradient",
    )
    for name, metavar, kind, text in (
        ("forest", "FILE", str, "a structured forest in OpenCV's format"),
        ("max-boxes", "N", whole(1), "the most boxes of an image (default 2000)"),
        ("jobs", "N", whole(1), "worker processes (default: every core that may be used)"),
    ):
        parser.add_argument(
            f"--{name}", metavar=metavar, type=kind, default=argparse.SUPPRESS, help=text
        )


def run(args: argparse.Namespace) -> None:
    """Finds the proposals, writes them, and prints how many there are."""
    import time

    import tfdeconv
    from tfdeconv import boxes, files, proposals
    from tfdeconv.errors import UserError

    out = Path(args.out)
    if out.is_dir():
        raise UserError(f"`{out}` must be a file. Received: a folder. Name a file in it.")
    files.ensure_writable_folder(out.parent)
    images = [path for given in args.inputs for path in image_files(Path(given), args.split)]
    names = ("edges", "max_boxes", "forest", "jobs")
    chosen = {name: getattr(args, name) for name in names if hasattr(args, name)}
    begin = time.perf_counter()
    found = proposals.propose_files(images, **chosen)
    seconds = time.perf_counter() - begin
    boxes.save(out, found, {"version": tfdeconv.__version__, **chosen})
    total = sum(len(of_image.boxes) for of_image in found.values())
    print(f"{out}: {len(found)} images, {total} boxes, {seconds:.1f} seconds")


def image_files(given: Path, split: str | None = None) -> list[Path]:
    """Lists the images that one argument of the command stands for.

    Args:
        given: A data set in VOC layout (every image in `JPEGImages`), a folder of images, or an
            image.
        split: Of a data set, only the images of this split.

    Returns:
        The files: those of a folder by name, those of a split in its order, each once.

    Raises:
        UserError: when nothing is there, a folder holds no image, or a split is asked for where
            there is none.
    """
    from tfdeconv.data.voc import IMAGE_ENDINGS, read_split
    from tfdeconv.errors import UserError
    from tfdeconv.images import ENDINGS

    if split is not None:
        listed = read_split(given, split)
        return [listed.image_path(image_id) for image_id in dict.fromkeys(listed.ids)]
    if not given.is_dir():
        return [given]
    is_data_set = (given / "JPEGImages").is_dir()
    folder = given / "JPEGImages" if is_data_set else given
    endings: tuple[str, ...] = IMAGE_ENDINGS if is_data_set else ENDINGS
    # macOS leaves files of attributes that are called `._<name>`.
    images = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in endings and not path.name.startswith(".")
    )
    if not images:
        raise UserError(
            f"`{folder}` must hold images ({', '.join(endings)}). Received: a folder without any."
        )
    return images
