"""In what windows, mirror images and sizes networks see an image, for `evaluate` and `segment`.

Numbers are checked here as the library does, which is not loaded for `--help`.
"""

from __future__ import annotations

import argparse
from typing import Any

_NAMES = ("window", "overlap", "flip", "scales")
_AUTO = "auto"
MOST_OVERLAP = 0.9
SCALES = (0.1, 4.0)
LARGEST_WINDOW = 2048


def add_views(parser: argparse.ArgumentParser) -> None:
    """Adds the options; their defaults live in `Segmenter`."""
    parser.add_argument(
        "--window",
        metavar="S|auto",
        type=_window,
        default=argparse.SUPPRESS,
        help="slide windows of S pixels over the image at its own resolution, in place of "
        "proposals and of shrinking it to 500 pixels; auto is the network's input, or 512",
    )
    parser.add_argument(
        "--overlap",
        metavar="SHARE",
        type=_overlap,
        default=argparse.SUPPRESS,
        help="the share of a window that the next one covers, too (default 0.25)",
    )
    parser.add_argument(
        "--flip",
        action="store_true",
        default=argparse.SUPPRESS,
        help="average with what the network says of mirror images",
    )
    parser.add_argument(
        "--scales",
        metavar="S,S,...",
        type=_scales,
        default=argparse.SUPPRESS,
        help="average over the image at these multiples of its size, e.g. 0.75,1,1.25: with "
        "--window, or for networks that see whole images",
    )


def chosen_views(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the arguments of `Segmenter` that were given.

    Raises:
        UserError: when there is an overlap of no windows.
    """
    from tfdeconv.errors import UserError

    chosen = {name: getattr(args, name) for name in _NAMES if hasattr(args, name)}
    if "overlap" in chosen and "window" not in chosen:
        raise UserError(
            f"--overlap must come with --window. Received: --overlap {chosen['overlap']:g} alone. "
            "Add --window auto."
        )
    return chosen


def refuse_with_server(args: argparse.Namespace) -> None:
    """Refuses the options where a model server does the work.

    Raises:
        UserError: when one of them was given.
    """
    from tfdeconv.errors import UserError

    if given := [name for name in _NAMES if hasattr(args, name)]:
        raise UserError(
            f"--{given[0]} must not come with --server: a served model shows its network each "
            "image once. Leave it out, or give a .keras file and no --server."
        )


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
