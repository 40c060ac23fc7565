"""The command line of `training.reproduce`."""

import argparse
import os
import sys
from pathlib import Path

from tfdeconv import boxes, files, processor, proposals
from tfdeconv.data import voc
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.errors import UserError

# Those of `tfdeconv demo`.
IMAGES, VAL = 600, 60


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.reproduce",
        description="Measure the paper's claims on drawn or other data, 45 minutes a seed.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to work in, and to go on in")
    parser.add_argument(
        "--data", type=Path, metavar="DATA", help="a data set as in README.md; drawn by default"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N", help="default 0 1 2"
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="of each stage, in place of the recipe's"
    )
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    processor.prefer_onednn()
    try:
        print(_reproduce(arguments.out, arguments.data, arguments.seeds, arguments.steps))
    except (UserError, OSError) as error:
        print(f"training.reproduce: error: {error}", file=sys.stderr)
        return 1
    return 0


def _reproduce(out: Path, data: Path | None, seeds: list[int], steps: int | None) -> str:
    # TensorFlow is loaded here, after its chatter is turned down.
    from tfdeconv.training.run_folder import RunFolder
    from training.reproduction import measures, runs, table

    asked, notes = {"data": data and str(data.resolve()), "steps": steps}, RunFolder(out)
    if notes.exists:
        notes.check_same(asked, "be new or hold what the same call measured")
    else:
        notes.begin(asked)
    data = data or draw_dataset(out / "data", IMAGES, VAL)
    found = out / "proposals.npz"
    if not found.exists():
        splits = [voc.read_split(data, name) for name in ("train", "val")]
        photographs = [split.image_path(one) for split in splits for one in split.ids]
        boxes.save(found, proposals.propose_files(photographs), {})
    settings = [runs.Setting(data, found, out / f"seed{seed}", seed, steps) for seed in seeds]
    results = {
        setting.seed: measures.measure(setting, runs.train_all(setting)) for setting in settings
    }
    report = table.report(results, [runs.training_seconds(setting) for setting in settings])
    files.write_text(out / "report.md", report + "\n")
    return report
