"""What is measured of the networks of one seed: one row each, kept as soon as it is there."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfdeconv import boxes, files
from tfdeconv.crf import DenseCRF
from tfdeconv.data.voc import read_split
from tfdeconv.segmentation.evaluate import evaluate
from tfdeconv.segmentation.segmenter import Segmenter
from training.reproduction.runs import Setting
from training.reproduction.sizes import iou_by_size

# Section 6.1 of the paper takes 50.
BOXES = 50
COUNTS = (0, 1, 5, 10, 25, 200)


def rows(models: dict[str, Path]) -> dict[str, Callable[[], Segmenter]]:
    """Returns what is measured: name of the row -> the segmenter to measure, made when needed.

    Args:
        models: Name -> saved model, from `train_all`.
    """

    def one(name: str, **choices: Any) -> Callable[[], Segmenter]:
        return lambda: Segmenter(models[name], **{"boxes": BOXES, **choices})

    found = {name: one(name) for name in models}
    for name in ("stage2", "fcn8s", "fcn8s-stage2"):
        found[f"{name}+crf"] = one(name, crf=DenseCRF())
    for count in COUNTS:
        found[f"max-{count}"] = one("stage2", boxes=count)
    for count in (BOXES, COUNTS[-1]):
        found[f"mean-{count}"] = one("stage2", boxes=count, aggregate="mean")
        found[f"raw_max-{count}"] = one("stage2", boxes=count, aggregate="raw_max")
    for name in ("fcn8s", "fcn8s-stage2"):
        second = {"ensemble": models[name]}
        found[f"stage2 and {name}"] = one("stage2", **second)
        found[f"stage2 and {name}, product"] = one("stage2", **second, ensemble_mode="product")
        found[f"stage2 and {name}+crf"] = one("stage2", **second, crf=DenseCRF())
    return found


def measure(setting: Setting, models: dict[str, Path]) -> dict[str, Any]:
    """Measures every row on the validation pictures.

    Args:
        setting: The data, folder and seed.
        models: Name -> saved model.

    Returns:
        Name of the row -> `mean_iou`, `pixel_accuracy`, `by_size` and `seconds` that it took, as
        kept in `rows.json`.
    """
    file = setting.out / "rows.json"
    results = json.loads(file.read_text("utf-8")) if file.exists() else {}
    split = read_split(setting.data, "val")
    found = boxes.load(setting.proposals)
    for name, make in rows(models).items():
        if name in results:
            continue
        maps = setting.out / "maps" / name
        started = time.perf_counter()
        result = evaluate(make(), split, found, maps)
        results[name] = {
            "mean_iou": result.mean_iou,
            "pixel_accuracy": result.pixel_accuracy,
            "seconds": time.perf_counter() - started,
            "by_size": iou_by_size(split, maps),
        }
        files.write_json(file, results)
        print(f"seed {setting.seed}, {name}: mean IoU {result.mean_iou:.3f}", flush=True)
    return results
