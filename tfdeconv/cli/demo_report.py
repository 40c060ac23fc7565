"""The page that the demo writes: what was done, how well, how long, and what it looks like."""

import csv
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfdeconv import images
from tfdeconv.boxes import Proposals
from tfdeconv.data.voc import Split, read_split
from tfdeconv.models import load_model
from tfdeconv.segmentation.evaluate import Evaluation
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.visual.overlay import overlay
from tfdeconv.visual.plots import bar_plot, line_plot
from tfdeconv.visual.report import Report

STAGE_NAMES = {"stage1": "stage 1", "stage2": "stage 2"}
PANELS = 8
BOX_COUNTS = (0, 5, 15, 50)


def write_demo_report(
    out: Path,
    data: Path,
    evaluations: Mapping[str, Evaluation],
    proposals: Mapping[str, Proposals],
    verification: Any,
    times: Mapping[str, float],
) -> Path:
    """Writes `out/report.html`, one self-contained page.

    Args:
        out: Folder of the demo, with the run folders and the predicted label maps.
        data: The drawn data set.
        evaluations: Stage -> what `evaluate` measured.
        proposals: Image name -> its proposals.
        verification: What `verify` measured.
        times: Step -> seconds.

    Returns:
        The path of the page.
    """
    val = read_split(data, "val")
    means = {stage: result.mean_iou for stage, result in evaluations.items()}
    report = Report(
        "From drawn pictures to a served label map",
        f"A small DeconvNet, trained from scratch in two stages on {_count(data)} drawn pictures, "
        f"reaches a mean intersection over union of {means['stage2']:.2f} on "
        f"{len(val.ids)} pictures it has never seen; after the first stage it was "
        f"{means['stage1']:.2f}.",
    )
    report.add_key_figures(_key_figures(out, evaluations, times))
    _add_data(report, data)
    _add_training(report, out)
    _add_classes(report, evaluations)
    _add_panels(report, out, val)
    _add_boxes(report, out, val, proposals)
    report.add_section(
        "Export",
        "The model was written as a SavedModel, loaded in a fresh process that imports neither "
        f"tfdeconv, Keras nor TensorFlow's Python, and asked the same questions: {verification}.",
    )
    rows = [[title, f"{seconds:.0f} s"] for title, seconds in times.items()]
    report.add_table(["step", "time"], rows, ["all", f"{sum(times.values()):.0f} s"])
    report.add_note(_machine())
    report.write(out / "report.html")
    return out / "report.html"


def _key_figures(
    out: Path, evaluations: Mapping[str, Evaluation], times: Mapping[str, float]
) -> list[tuple[str, str]]:
    weights = load_model(out / "stage2").count_params()
    training = sum(seconds for title, seconds in times.items() if title.startswith("train"))
    return [
        (f"{evaluations['stage2'].mean_iou:.2f}", "mean IoU after stage 2"),
        (f"{evaluations['stage1'].mean_iou:.2f}", "mean IoU after stage 1"),
        (f"{100 * evaluations['stage2'].pixel_accuracy:.1f} %", "of pixels right"),
        (f"{weights / 1e6:.1f} M", "weights"),
        (f"{training / 60:.1f} min", f"training, {os.cpu_count()} cores"),
    ]


def _add_data(report: Report, data: Path) -> None:
    train = read_split(data, "train")
    report.add_section(
        "The data",
        "Objects of eight classes overlap on cluttered ground. A class is a shape and a texture "
        "together: colours are shared between classes. The light line along the outlines is the "
        "void label 255, which counts nowhere: not in the loss, not in the figures below.",
    )
    report.add_legend(train.class_names)
    pictures = [images.read_image(train.image_path(name)) for name in train.ids[:5]]
    truth = [images.read_labels(train.label_path(name)) for name in train.ids[:5]]
    painted = [overlay(picture, labels) for picture, labels in zip(pictures, truth, strict=True)]
    report.add_panels([""] * len(pictures), [pictures, painted])


def _add_training(report: Report, out: Path) -> None:
    report.add_section(
        "Training",
        "Stage 1 sees single objects in the middle of their window, everything else being "
        "background; stage 2 goes on from it with object proposals and all labels in them. The "
        "mean IoU of this section is that of validation windows, not of whole pictures.",
    )
    logs = {name: _read_log(out / stage / "log.csv") for stage, name in STAGE_NAMES.items()}
    for column, label, limits in (
        ("loss", "training loss", None),
        ("val_mean_iou", "mean IoU of windows", (0.0, 1.0)),
    ):
        series = {n: [(row["step"], row[column]) for row in log] for n, log in logs.items()}
        report.add_plots(line_plot(series, "step", label, limits))


def _add_classes(report: Report, evaluations: Mapping[str, Evaluation]) -> None:
    names = evaluations["stage2"].class_names
    columns = {STAGE_NAMES[stage]: list(r.iou.values()) for stage, r in evaluations.items()}
    report.add_section(
        "Per class",
        "Intersection over union on whole validation pictures, counted as the VOC devkit does.",
    )
    rows = [[name, *values] for name, *values in zip(names, *columns.values(), strict=True)]
    total: list[str | float] = ["mean", *(result.mean_iou for result in evaluations.values())]
    plot = bar_plot(names, columns, "IoU")
    report.add_table(["class", *columns], rows, total, plot=plot)


def _add_panels(report: Report, out: Path, val: Split) -> None:
    report.add_section("Pictures it has never seen")
    report.add_legend(val.class_names)
    rows = []
    for name in val.ids[:PANELS]:
        picture = images.read_image(val.image_path(name))
        maps = [val.label_path(name), *(out / f"{s}-val" / f"{name}.png" for s in STAGE_NAMES)]
        rows.append([picture, *(overlay(picture, images.read_labels(path)) for path in maps)])
    report.add_panels(["picture", "truth", *STAGE_NAMES.values()], rows)


def _add_boxes(report: Report, out: Path, val: Split, proposals: Mapping[str, Proposals]) -> None:
    report.add_section(
        "More proposals, more detail",
        "The network sees the whole picture and the squares about the best proposals; what it says "
        "of each is combined pixel by pixel (Figure 6 of the paper).",
    )
    rows: list[list[np.ndarray]] = [[] for _ in range(3)]
    model = load_model(out / "stage2")
    for count in BOX_COUNTS:
        segmenter = Segmenter(model, boxes=count)
        for row, name in zip(rows, val.ids, strict=False):
            picture = images.read_image(val.image_path(name))
            row.append(overlay(picture, segmenter.segment(picture, proposals[name].boxes)))
    titles = ["the whole picture alone", *(f"{count} proposals" for count in BOX_COUNTS[1:])]
    report.add_panels(titles, rows)


def _read_log(path: Path) -> list[dict[str, float]]:
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _count(data: Path) -> int:
    return len(read_split(data, "train").ids)


def _machine() -> str:
    import keras
    import tensorflow as tf

    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )
