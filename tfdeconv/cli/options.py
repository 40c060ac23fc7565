"""Options that commands share, and the segmenter that they describe.

An option that is not given is None, a switch False: the library holds the defaults. Numbers are
checked here as the library checks them, which is not imported for `--help`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdeconv.choices import LARGEST_WINDOW, MOST_OVERLAP, SCALES

if TYPE_CHECKING:
    import numpy as np

    from tfdeconv.boxes import Proposals
    from tfdeconv.data.voc import Split
    from tfdeconv.segmentation.segmenter import Segmenter

_AUTO = "auto"
# Arguments of `Segmenter` by the same name.
_SEGMENTER = (
    *("boxes", "aggregate", "proposals", "window", "overlap", "flip", "scales"),
    *("ensemble", "ensemble_mode", "precision"),
)


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Returns the `type` of an argument that is a whole number.

    Args:
        least: The smallest one allowed.
        most: The largest one allowed; None for any.

    Example:

    >>> whole_number(2, 255)("21")
    21
    """

    def number(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            span = f"at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {span}, not {text}")
        return value

    # argparse names the kind of a text that is no number.
    number.__name__ = "whole number"
    return number


def add_number(
    parser: argparse.ArgumentParser,
    name: str,
    text: str,
    least: int = 1,
    default: int | None = None,
) -> None:
    """Adds an option that is a whole number."""
    parser.add_argument(
        f"--{name}", metavar="N", type=whole_number(least), default=default, help=text
    )


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Returns those of the options that were given, by name."""
    values = {name: vars(args).get(name) for name in names}
    return {name: one for name, one in values.items() if one is not None and one is not False}


def refuse(args: argparse.Namespace, names: tuple[str, ...], reason: str) -> None:
    """Refuses options that do not go with the others.

    Raises:
        UserError: when one of them was given: its name, then `reason`.
    """
    from tfdeconv.errors import UserError

    for name in given(args, *names):
        raise UserError(f"--{name.replace('_', '-')} {reason}")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds the argument MODEL."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a run folder of `tfdeconv train`, a .keras or .h5 file, or a KerasHub preset",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds the argument DATA."""
    parser.add_argument("data", metavar="DATA", help="data set in PASCAL VOC layout")


def add_split(parser: argparse.ArgumentParser, images: int | None = None) -> None:
    """Adds DATA, --split and --images, with the default number of images."""
    add_data(parser)
    parser.add_argument("--split", metavar="NAME", default="val", help="default val")
    text = f"only the first N images (default {images or 'all'})"
    add_number(parser, "images", text, default=images)


def read_split(args: argparse.Namespace) -> Split:
    """Returns the split that `add_split` asks for."""
    from tfdeconv.data import voc

    split = voc.read_split(args.data, args.split)
    return replace(split, ids=split.ids[: args.images])


def output_file(path: str, *endings: str) -> Path:
    """Returns the path of a file to write, and makes its folder.

    Raises:
        UserError: when the file has none of the endings, or the folder cannot be written.
    """
    from tfdeconv import files
    from tfdeconv.errors import UserError

    if Path(path).suffix.lower() not in endings:
        raise UserError(
            f"`--out` must end in {endings[0]}. Received: `{path}`. Choose another name."
        )
    files.ensure_writable_folder(Path(path).parent)
    return Path(path)


def counted(count: int, name: str) -> str:
    """Returns a number with its noun: "1 image", "2 images"."""
    return f"{count} {name}{'s' * (count != 1)}"


def add_regions(parser: argparse.ArgumentParser) -> None:
    """Adds how many boxes are used and how the scores of their regions are merged."""
    text = "maximum number of proposals, in addition to the full image (default 50)"
    add_number(parser, "boxes", text, least=0)
    parser.add_argument(
        "--aggregate",
        choices=("max", "mean", "raw_max"),
        help="how scores of overlapping regions are merged per pixel: max or mean of log "
        "probabilities; raw_max: maximum of logits, as in the release (default max)",
    )


def add_proposals(parser: argparse.ArgumentParser) -> None:
    """Adds where boxes come from."""
    parser.add_argument(
        "--proposals",
        metavar="edges|grid|FILE",
        help="source of the proposals: edges (Edge Boxes, default), grid (a fixed multi-scale "
        "grid), or a file written by `tfdeconv propose`",
    )


def add_segmentation(parser: argparse.ArgumentParser) -> None:
    """Adds all options of `Segmenter`."""
    add_regions(parser)
    add_proposals(parser)
    parser.add_argument(
        "--window",
        metavar="S|auto",
        type=_window,
        help="slide windows of S pixels over the image at full resolution (no proposals, no "
        "resizing); auto: the network's input size, or 512 if it has no fixed size",
    )
    parser.add_argument(
        "--overlap",
        metavar="SHARE",
        type=_overlap,
        help="overlap of adjacent windows, as a fraction of the window size (default 0.25)",
    )
    parser.add_argument(
        "--flip",
        action="store_true",
        help="test-time augmentation: average the probabilities of the image and its mirror image",
    )
    parser.add_argument(
        "--scales",
        metavar="S,S,...",
        type=_scales,
        help="test-time augmentation: average the probabilities of the image resized by these "
        "factors, e.g. 0.75,1,1.25; only with --window or for networks without proposals",
    )
    parser.add_argument(
        "--ensemble",
        metavar="MODEL2",
        help="second model with the same classes, such as an FCN, for an ensemble",
    )
    parser.add_argument(
        "--ensemble-mode",
        choices=("mean", "product"),
        help="mean of probabilities (default, as in the paper) or product of scores (as in the "
        "release)",
    )
    parser.add_argument(
        "--crf", action="store_true", help="refine the labels with a dense CRF (slower)"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "auto"),
        help="compute precision (default: that of the saved model); bfloat16 is faster on "
        "processors with bfloat16 instructions and changes some labels; auto: bfloat16 on these, "
        "otherwise float32",
    )
    parser.add_argument(
        "--release",
        action="store_true",
        help="follow the authors' code where it differs from the paper: --aggregate raw_max, "
        "--ensemble-mode product, and its CRF parameters with --crf",
    )


def segmenter_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the arguments of `Segmenter` that were given.

    Raises:
        UserError: when an option is given without the one that it belongs to.
    """
    from tfdeconv.crf import DenseCRF
    from tfdeconv.errors import UserError

    chosen = given(args, *_SEGMENTER)
    for option, base, remedy in (
        ("overlap", "window", "--window auto"),
        ("ensemble_mode", "ensemble", "--ensemble MODEL2"),
    ):
        if option in chosen and base not in chosen:
            flag = f"--{option.replace('_', '-')}"
            raise UserError(
                f"{flag} requires --{base}. Received: only {flag} {chosen[option]}. Add {remedy}."
            )
    release = bool(given(args, "release"))
    if release:
        chosen = {"aggregate": "raw_max", "ensemble_mode": "product", **chosen}
    if given(args, "crf"):
        chosen["crf"] = DenseCRF.release() if release else DenseCRF()
    return chosen


def open_segmenter(
    args: argparse.Namespace,
) -> tuple[Segmenter, Mapping[str, Proposals] | None]:
    """Opens the model with the options given, and the proposals where they come from a file."""
    from tfdeconv import boxes
    from tfdeconv.segmentation.regions import PROPOSALS
    from tfdeconv.segmentation.segmenter import Segmenter

    chosen, found = segmenter_arguments(args), None
    if chosen.get("proposals", PROPOSALS[0]) not in PROPOSALS:
        found = boxes.load(chosen.pop("proposals"))
    return Segmenter(args.model, **chosen), found


def boxes_of(path: Path, proposals: Mapping[str, Proposals]) -> np.ndarray:
    """Returns the boxes of a photograph from the contents of a proposal file.

    Raises:
        UserError: when the file has none for it.
    """
    from tfdeconv.errors import UserError

    if path.stem not in proposals:
        raise UserError(
            f"The proposal file has no boxes for `{path}` (no entry {path.stem!r}). Run `tfdeconv "
            "propose` again, or omit --proposals."
        )
    return proposals[path.stem].boxes


def image_files(path: Path, split: str | None = None) -> list[Path]:
    """Lists the images of one argument of a command.

    Args:
        path: A data set in VOC layout (every image in `JPEGImages`), a folder of images, or an
            image.
        split: Of a data set, only the images of this split.

    Returns:
        The files: those of a folder by name, those of a split in its order, without duplicates.

    Raises:
        UserError: when the path or the split does not exist, or a folder holds no image.
    """
    from tfdeconv.data.voc import IMAGE_ENDINGS, read_split
    from tfdeconv.errors import UserError
    from tfdeconv.images import ENDINGS

    if split is not None:
        listed = read_split(path, split)
        return [listed.image_path(image_id) for image_id in dict.fromkeys(listed.ids)]
    if not path.is_dir():
        return [path]
    is_data_set = (path / "JPEGImages").is_dir()
    folder = path / "JPEGImages" if is_data_set else path
    endings: tuple[str, ...] = IMAGE_ENDINGS if is_data_set else ENDINGS
    # macOS leaves files of attributes that are called `._<name>`.
    images = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in endings and not file.name.startswith(".")
    )
    if not images:
        raise UserError(f"`{folder}` contains no images ({', '.join(endings)}).")
    return images


def _window(text: str) -> int | str:
    if text == _AUTO:
        return text
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_WINDOW:
        span = f"from 1 to {LARGEST_WINDOW}"
        raise argparse.ArgumentTypeError(f"must be pixels {span}, or {_AUTO}, not {text!r}")
    return int(text)


def _overlap(text: str) -> float:
    # Comparisons with NaN are false.
    if not 0 <= (overlap := _number(text)) <= MOST_OVERLAP:
        raise argparse.ArgumentTypeError(f"must be from 0 to {MOST_OVERLAP}, not {text}")
    return overlap


def _scales(text: str) -> tuple[float, ...]:
    scales, (least, most) = tuple(map(_number, text.split(","))), SCALES
    if not all(least <= scale <= most for scale in scales):
        raise argparse.ArgumentTypeError(f"must be numbers from {least:g} to {most:g}, not {text}")
    return scales


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
