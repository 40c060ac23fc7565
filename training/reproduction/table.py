"""The report: every claim as a table, mean and spread over the seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.reproduction.measures import BOXES, COUNTS
from training.reproduction.runs import UNPOOLING_STEPS
from training.reproduction.sizes import BIN_NAMES

DECONVNET, FCN = "stage2", "fcn8s"
_FCN_NAMES = ((FCN, "FCN-8s"), (f"{FCN}-stage2", "FCN-8s from DeconvNet's encoder"))
_BOTH = tuple((f"{DECONVNET} and {row}", f"DeconvNet and {title}") for row, title in _FCN_NAMES)

# Title, and its rows: what it says -> name of the row in `measures.rows`.
CLAIMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("Stages", {"stage 1 alone": "stage1", "stage 1 + 2": DECONVNET}),
    (
        "Aggregation",
        {
            f"{mode}, {count} boxes": DECONVNET
            if (mode, count) == ("max", BOXES)
            else f"{mode}-{count}"
            for count in (BOXES, COUNTS[-1])
            for mode in ("max", "mean", "raw_max")
        },
    ),
    (
        "Number of boxes in addition to the full image (max)",
        {
            str(count): DECONVNET if count == BOXES else f"max-{count}"
            for count in sorted((*COUNTS, BOXES))
        },
    ),
    (
        f"Unpooling, {UNPOOLING_STEPS} steps of stage 2 straight from the encoder",
        {"by switches": "switches", "bilinear upsampling": "bilinear", "to the corner": "corner"},
    ),
    (
        "Networks, without and with the CRF",
        {
            f"{title}{crf and ' + CRF'}": f"{row}{crf}"
            for row, title in ((DECONVNET, "DeconvNet"), *_FCN_NAMES, *_BOTH)
            for crf in ("", "+crf")
        },
    ),
    (
        "Ensemble by the release's product",
        {title: f"{row}, product" for row, title in _BOTH},
    ),
)
SIZES = {
    **{title: row for row, title in _FCN_NAMES},
    "DeconvNet": DECONVNET,
    "DeconvNet and FCN-8s": f"{DECONVNET} and {FCN}",
}

TRAININGS = {
    "encoder": "encoder",
    "stage1": "stage 1",
    "stage2": "stage 2",
    "switches": "by switches",
    "bilinear": "bilinear",
    "corner": "to the corner",
    **dict(_FCN_NAMES),
}


def report(results: dict[int, dict[str, Any]], training: Sequence[dict[str, float]]) -> str:
    """Returns the tables as Markdown.

    Args:
        results: Seed -> what `measure` returned.
        training: Of every seed, what `training_seconds` returned.
    """
    seeds = f"seed{'s' * (len(results) > 1)} {', '.join(map(str, results))}"
    parts = []
    for title, rows in CLAIMS:
        head = f"| {title} | mean IoU | {seeds} | seconds |\n|---|---|---|---|"
        lines = []
        for label, row in rows.items():
            values = [result[row]["mean_iou"] for result in results.values()]
            each = ", ".join(f"{100 * value:.1f}" for value in values)
            seconds = np.mean([result[row]["seconds"] for result in results.values()])
            lines.append(f"| {label} | {spread(values)} | {each} | {seconds:.0f} |")
        parts.append("\n".join([head, *lines]))
    head = f"| IoU of objects by size | {' | '.join(BIN_NAMES)} |\n|---|{'---|' * len(BIN_NAMES)}"
    lines = []
    for label, row in SIZES.items():
        columns = zip(*(result[row]["by_size"] for result in results.values()), strict=True)
        lines.append(f"| {label} | {' | '.join(map(spread, columns))} |")
    return "\n\n".join([*parts, "\n".join([head, *lines]), _training_table(training)])


def _training_table(training: Sequence[dict[str, float]]) -> str:
    names = [name for name in TRAININGS if name in training[0]]
    minutes = [np.mean([times[name] for times in training]) / 60 for name in names]
    return "\n".join(
        [
            f"| Training | {' | '.join(TRAININGS[name] for name in names)} |",
            f"|---|{'---|' * len(names)}",
            f"| minutes | {' | '.join(f'{value:.1f}' for value in minutes)} |",
        ]
    )


def spread(values: Sequence[float]) -> str:
    """Returns mean and sample standard deviation in percent; "none" of what is not there, NaN.

    Example:

    >>> spread([0.60, 0.62, 0.64]), spread([0.5]), spread([float("nan")])
    ('62.0 ± 2.0', '50.0', 'none')
    """
    values = 100 * np.array(list(values))
    if np.isnan(values).any():
        return "none"
    mean = f"{values.mean():.1f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.1f}"
