"""Trains and evaluates a small DeconvNet on synthetic data, in 10 to 20 minutes on a CPU.

Generates synthetic images of eight object classes, computes proposals, trains both stages of a
small DeconvNet, recalibrates and evaluates each, exports a SavedModel, verifies it in a fresh
process, and writes DIR/report.html. DIR keeps the data, runs and label maps. After an interruption,
run the same command again to continue.

  tfdeconv demo --out demo
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdeconv.cli.options import add_number

if TYPE_CHECKING:
    import numpy as np

    from tfdeconv.boxes import Proposals
    from tfdeconv.data.voc import Split
    from tfdeconv.segmentation.evaluate import Evaluation
    from tfdeconv.visual.report import Report

STAGES = {"stage1": "stage 1", "stage2": "stage 2"}
# Three times the paper's: so narrow a network needs more regions for small objects, and is fast.
BOXES = 150
PANELS = 8
BOX_COUNTS = (0, 5, 15, 50)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--out", default="demo", metavar="DIR", help="folder to write (default demo)"
    )
    add_number(parser, "images", "training images (default 600)", default=600)
    add_number(parser, "val", "validation images (default 60)", default=60)
    add_number(parser, "steps", "optimizer steps of each stage (default: the recipe's)")
    add_number(parser, "seed", "random seed (default 0)", least=0, default=0)


def run(args: argparse.Namespace) -> int:
    """Runs all steps and prints the result."""
    out = Path(args.out)
    times: dict[str, float] = {}

    def step(title: str, work: Callable[..., Any], *given: Any) -> Any:
        print(f"--- {title}", flush=True)
        begin = time.monotonic()
        result = work(*given)
        times[title] = time.monotonic() - begin
        return result

    data = step("draw the data set", _draw, out, args)
    proposals = step("find object proposals", _propose, out, data)
    evaluations = {}
    for stage in STAGES:
        step(f"train {stage}", _train, out, data, stage, args)
        step(f"recalibrate {stage}", _recalibrate, out, data, stage)
        evaluations[stage] = step(f"evaluate {stage}", _evaluate, out, data, stage, proposals)
        print(evaluations[stage].table(), flush=True)
    verification = step("export and verify", _export, out)
    write = partial(_write_report, out, data, evaluations, proposals, verification, times)
    report = step("write the report", write)
    mean = evaluations["stage2"].mean_iou
    print(f"{report}: mean IoU {mean:.3f} after stage 2, {sum(times.values()):.0f} s in total")
    return 0 if verification.agrees else 1


def _draw(out: Path, args: argparse.Namespace) -> Path:
    from tfdeconv.data.check import check_split
    from tfdeconv.data.drawn import draw_dataset
    from tfdeconv.data.voc import read_split
    from tfdeconv.errors import UserError

    data = draw_dataset(out / "data", args.images, args.val, args.seed)
    for name in ("train", "val"):
        problems = check_split(read_split(data, name)).problems
        if problems:
            raise UserError(f"`{data}` must pass `tfdeconv check`. Received: {problems[0]}")
    return data


def _propose(out: Path, data: Path) -> dict[str, Proposals]:
    from tfdeconv import boxes, proposals

    file = out / "proposals.npz"
    if file.exists():
        return boxes.load(file)
    found = proposals.propose_files(sorted((data / "JPEGImages").iterdir()))
    boxes.save(file, found, {"edges": "gradient"})
    return found


def _train(out: Path, data: Path, stage: str, args: argparse.Namespace) -> None:
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
        seed=args.seed,
        resume=RunFolder(out / stage).exists,
        steps=args.steps,
    )


def _recalibrate(out: Path, data: Path, stage: str) -> None:
    from tfdeconv.cli.recalibrate import recalibrate_file

    recalibrate_file(out / stage, data)


def _evaluate(out: Path, data: Path, stage: str, proposals: dict[str, Proposals]) -> Evaluation:
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


def _write_report(
    out: Path,
    data: Path,
    evaluations: Mapping[str, Evaluation],
    proposals: Mapping[str, Proposals],
    verification: Any,
    times: Mapping[str, float],
) -> Path:
    from tfdeconv.data.voc import read_split
    from tfdeconv.visual.report import Report

    train, val = read_split(data, "train"), read_split(data, "val")
    first, second = (evaluations[stage].mean_iou for stage in STAGES)
    report = Report(
        "DeconvNet on drawn images",
        f"A small DeconvNet was trained from scratch on {len(train.ids)} drawn images. Its mean "
        f"intersection over union (IoU) on {len(val.ids)} validation images is {first:.2f} after "
        f"stage 1 and {second:.2f} after stage 2.",
    )
    report.add_key_figures(_key_figures(out, evaluations, times))
    _add_data(report, train)
    _add_training(report, out)
    _add_classes(report, evaluations)
    _add_panels(report, out, val)
    _add_boxes(report, out, val, proposals)
    report.add_section(
        "Export",
        "The model was exported as a SavedModel and loaded in a fresh process without tfdeconv and "
        f"Keras. Comparison of its answers with the model's: {verification}.",
    )
    rows = [[title, f"{seconds:.0f} s"] for title, seconds in times.items()]
    report.add_table(["step", "time"], rows, ["total", f"{sum(times.values()):.0f} s"])
    report.add_note(_machine())
    report.write(out / "report.html")
    return out / "report.html"


def _key_figures(
    out: Path, evaluations: Mapping[str, Evaluation], times: Mapping[str, float]
) -> list[tuple[str, str]]:
    import os

    from tfdeconv.models import load_model

    weights = load_model(out / "stage2").count_params()
    training = sum(seconds for title, seconds in times.items() if title.startswith("train"))
    return [
        (f"{evaluations['stage2'].mean_iou:.2f}", "mean IoU after stage 2"),
        (f"{evaluations['stage1'].mean_iou:.2f}", "mean IoU after stage 1"),
        (f"{100 * evaluations['stage2'].pixel_accuracy:.1f} %", "pixel accuracy"),
        (f"{weights / 1e6:.1f} M", "weights"),
        (f"{training / 60:.1f} min", f"training, {os.cpu_count()} cores"),
    ]


def _add_data(report: Report, train: Split) -> None:
    from tfdeconv import images

    report.add_section(
        "Data",
        "Objects of eight classes overlap on cluttered backgrounds. Shape and texture make the "
        "class; colours do not. The light outlines have the label 255: these pixels are ignored in "
        "the loss and in all measures.",
    )
    report.add_legend(train.class_names)
    pictures = [images.read_image(train.image_path(name)) for name in train.ids[:5]]
    painted = [
        _overlay(picture, train.label_path(name))
        for picture, name in zip(pictures, train.ids, strict=False)
    ]
    report.add_panels([""] * len(pictures), [pictures, painted])


def _add_training(report: Report, out: Path) -> None:
    from tfdeconv.visual.plots import line_plot

    report.add_section(
        "Training",
        "Stage 1 is trained on single objects in the centre of a window, all other pixels being "
        "background. Stage 2 continues with windows around object proposals and all their labels. "
        "The mean IoU in this section is that of validation windows, not of full images.",
    )
    logs = {name: _read_log(out / stage / "log.csv") for stage, name in STAGES.items()}
    for column, label, limits in (
        ("loss", "training loss", None),
        ("val_mean_iou", "mean IoU of windows", (0.0, 1.0)),
    ):
        series = {n: [(row["step"], row[column]) for row in log] for n, log in logs.items()}
        report.add_plots(line_plot(series, "step", label, limits))


def _add_classes(report: Report, evaluations: Mapping[str, Evaluation]) -> None:
    from tfdeconv.visual.plots import bar_plot

    names = evaluations["stage2"].class_names
    columns = {STAGES[stage]: list(result.iou.values()) for stage, result in evaluations.items()}
    report.add_section("IoU per class", "On full validation images, as the VOC devkit computes it.")
    rows = [[name, *values] for name, *values in zip(names, *columns.values(), strict=True)]
    total: list[str | float] = ["mean", *(result.mean_iou for result in evaluations.values())]
    plot = bar_plot(names, columns, "IoU")
    report.add_table(["class", *columns], rows, total, plot=plot)


def _add_panels(report: Report, out: Path, val: Split) -> None:
    from tfdeconv import images

    report.add_section("Validation images")
    report.add_legend(val.class_names)
    rows = []
    for name in val.ids[:PANELS]:
        picture = images.read_image(val.image_path(name))
        maps = [val.label_path(name), *(out / f"{stage}-val" / f"{name}.png" for stage in STAGES)]
        rows.append([picture, *(_overlay(picture, path) for path in maps)])
    report.add_panels(["image", "truth", *STAGES.values()], rows)


def _add_boxes(report: Report, out: Path, val: Split, proposals: Mapping[str, Proposals]) -> None:
    from tfdeconv import images
    from tfdeconv.models import load_model
    from tfdeconv.segmentation.segmenter import Segmenter
    from tfdeconv.visual.pictures import overlay

    report.add_section(
        "Number of proposals",
        "The network runs on the full image and on square crops around the best proposals; scores "
        "are merged per pixel (Figure 6 of the paper).",
    )
    rows: list[list[np.ndarray]] = [[] for _ in range(3)]
    model = load_model(out / "stage2")
    for count in BOX_COUNTS:
        segmenter = Segmenter(model, boxes=count)
        for row, name in zip(rows, val.ids, strict=False):
            picture = images.read_image(val.image_path(name))
            row.append(overlay(picture, segmenter.segment(picture, proposals[name].boxes)))
    report.add_panels(["full image", *(f"{count} proposals" for count in BOX_COUNTS[1:])], rows)


def _overlay(picture: np.ndarray, labels: Path) -> np.ndarray:
    from tfdeconv import images
    from tfdeconv.visual.pictures import overlay

    return overlay(picture, images.read_labels(labels))


def _read_log(path: Path) -> list[dict[str, float]]:
    import csv

    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _machine() -> str:
    import os
    import platform

    import keras
    import tensorflow as tf

    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )
