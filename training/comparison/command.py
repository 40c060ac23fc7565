"""The command line of `training.compare`."""

import argparse
import os
import sys
from pathlib import Path

from tfdeconv import boxes, files, processor, proposals
from tfdeconv.cli.train import STAGES
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.errors import UserError

# Those of `tfdeconv demo`.
IMAGES, VAL = 600, 60
DRAWN = "drawn"
NETWORKS = ("deconvnet", *STAGES[2:])


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.compare",
        description="Train all networks on the same data and compare them: about five minutes of "
        "one core each.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to work in, and to go on in")
    parser.add_argument(
        "--data",
        type=_named,
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a data set beside the drawn one, in PASCAL VOC layout; may be given again",
    )
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=NETWORKS,
        default=list(NETWORKS),
        metavar="NETWORK",
        help="some of " + ", ".join(NETWORKS) + "; all by default",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="of each training, in place of the recipe's"
    )
    parser.add_argument(
        "--report", action="store_true", help="train nothing: report what is there already"
    )
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    processor.prefer_onednn()
    try:
        print(_compare(arguments))
    except (UserError, OSError) as error:
        print(f"training.compare: error: {error}", file=sys.stderr)
        return 1
    return 0


def _named(text: str) -> tuple[str, Path]:
    name, found, folder = text.partition("=")
    if not (name and found and folder) or name == DRAWN:
        raise argparse.ArgumentTypeError(f"must be NAME=DIR, NAME not {DRAWN!r}, not {text!r}")
    return name, Path(folder)


def _compare(arguments: argparse.Namespace) -> str:
    from training.comparison import entries, picture, report

    out: Path = arguments.out
    data = {DRAWN: out / DRAWN / "data", **dict(arguments.data)}
    if not arguments.report:
        draw_dataset(data[DRAWN], IMAGES, VAL)
        for name, folder in data.items():
            _propose(out / name / "proposals.npz", folder, arguments.networks)
            for network in arguments.networks:
                entries.run(out / name, folder, network, arguments.steps)
    results = entries.read(out, list(data), arguments.networks)
    picture.draw(out / "comparison.png", out, data, results)
    text = report.report(results)
    files.write_text(out / "comparison.md", text + "\n")
    return text


def _propose(file: Path, data: Path, networks: list[str]) -> None:
    if "deconvnet" in networks and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        boxes.save(file, proposals.propose_files(sorted((data / "JPEGImages").iterdir())), {})
