"""Go the whole way once on data drawn for the purpose, in a few minutes on a CPU.

Draws pictures of eight classes of objects, finds proposals, trains both stages of a small
DeconvNet, recalibrates and evaluates each, segments pictures it has never seen, exports a
SavedModel, verifies it in a fresh process, and writes DIR/report.html. The folder holds everything
for a closer look; the same command goes on where it was interrupted.

  tfdeconv demo --out demo
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdeconv.cli.numbers import whole

if TYPE_CHECKING:
    from tfdeconv.boxes import Proposals
    from tfdeconv.segmentation.evaluate import Evaluation

HELP = "draw data, train both stages, evaluate, segment, export; writes report.html"
STAGES = ("stage1", "stage2")
# Three times the paper's: so narrow a network needs more looks at small objects, and looks fast.
BOXES = 150


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tfdeconv demo`."""
    parser.add_argument(
        "--out", default="demo", metavar="DIR", help="folder to write; default demo"
    )
    for name, kind, default, text in (
        ("images", whole(1), 600, "training pictures; default 600"),
        ("val", whole(1), 60, "validation pictures; default 60"),
        ("steps", whole(1), None, "optimizer steps of each stage, in place of the recipe's"),
        ("seed", whole(0), 0, "default 0"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Runs all steps and prints what was reached."""
    from tfdeconv.cli.demo_report import write_demo_report

    out = Path(arguments.out)
    times: dict[str, float] = {}

    def step(title: str, work: Callable[[], Any]) -> Any:
        print(f"--- {title}", flush=True)
        begin = time.monotonic()
        result = work()
        times[title] = time.monotonic() - begin
        return result

    data = step("draw the data set", lambda: _draw(out, arguments))
    proposals = step("find object proposals", lambda: _propose(out, data))
    evaluations = {}
    for stage in STAGES:
        step(f"train {stage}", partial(_train, out, data, stage, arguments))
        step(f"recalibrate {stage}", partial(_recalibrate, out, data, stage))
        evaluations[stage] = step(
            f"evaluate {stage}", partial(_evaluate, out, data, stage, proposals)
        )
        print(evaluations[stage].table(), flush=True)
    verification = step("export and verify", lambda: _export(out))
    report = step(
        "write the report",
        lambda: write_demo_report(out, data, evaluations, proposals, verification, times),
    )
    mean = evaluations["stage2"].mean_iou
    print(f"{report}: mean IoU {mean:.3f} after stage 2, {sum(times.values()):.0f} s in all")
    return 0 if verification.agrees else 1


def _draw(out: Path, arguments: argparse.Namespace) -> Path:
    from tfdeconv.data.check import check_split
    from tfdeconv.data.drawn import draw_dataset
    from tfdeconv.data.voc import read_split
    from tfdeconv.errors import UserError

    data = draw_dataset(out / "data", arguments.images, arguments.val, arguments.seed)
    for name in ("train", "val"):
        problems = check_split(read_split(data, name)).problems
        if problems:
            raise UserError(f"`{data}` must pass `tfdeconv check`. Received: {problems[0]}")
    return data


def _propose(out: Path, data: Path) -> "dict[str, Proposals]":
    from tfdeconv import boxes, proposals

    file = out / "proposals.npz"
    if file.exists():
        return boxes.load(file)
    images = sorted((data / "JPEGImages").iterdir())
    found = proposals.propose_files(images)
    boxes.save(file, found, {"edges": "gradient"})
    return found


def _train(out: Path, data: Path, stage: str, arguments: argparse.Namespace) -> None:
    from tfdeconv.training.run_folder import RunFolder
    from tfdeconv.training.train import train

    second = stage == "stage2"
    train(
        "deconvnet",
        data,
        out / stage,
        stage=2 if second else 1,
        init=out / "stage1" if second else None,
        proposals=out / "proposals.npz" if second else None,
        seed=arguments.seed,
        resume=RunFolder(out / stage).exists,
        steps=arguments.steps,
    )


def _recalibrate(out: Path, data: Path, stage: str) -> None:
    from tfdeconv.cli import recalibrate

    chosen = argparse.Namespace(model=str(out / stage), data=str(data), proposals=None, out=None)
    recalibrate.run(chosen)


def _evaluate(out: Path, data: Path, stage: str, proposals: "dict[str, Proposals]") -> "Evaluation":
    from tfdeconv import files
    from tfdeconv.data.voc import read_split
    from tfdeconv.segmentation.evaluate import evaluate
    from tfdeconv.segmentation.segmenter import Segmenter

    segmenter = Segmenter(out / stage, boxes=BOXES)
    result = evaluate(segmenter, read_split(data, "val"), proposals, out / f"{stage}-val")
    files.write_json(out / f"{stage}-val.json", result.as_json())
    return result


def _export(out: Path) -> Any:
    from tfdeconv.export import export_saved_model, verify
    from tfdeconv.models import load_model

    model = load_model(out / "stage2")
    verification = verify(export_saved_model(model, out / "served"), model)
    print(verification, flush=True)
    return verification
