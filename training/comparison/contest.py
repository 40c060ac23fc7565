"""What the process of one network does: python -m training.comparison.contest DATA OUT NETWORK."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tfdeconv import files, images
from tfdeconv.boxes import load
from tfdeconv.data import voc
from tfdeconv.models import load_model
from tfdeconv.segmentation.evaluate import evaluate
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.training import batch_norm
from tfdeconv.training.recipes import find_recipe
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import train
from training.comparison.cost import multiply_accumulates
from training.comparison.entries import RESULT

# DeconvNet looks at every image this often, the others once.
BOXES = 50
TIMED_IMAGES = 7


def main() -> int:
    """Trains, evaluates, and writes `result.json` last of all."""
    data, out, network = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    steps = int(sys.argv[4]) if len(sys.argv) > 4 else None
    # What an interrupted run had taken before is not known.
    fresh = not out.exists()
    begin = time.process_time()
    model_file = _train(data, out, network, steps)
    trained = time.process_time() - begin
    segmenter = Segmenter(model_file, boxes=BOXES)
    split = voc.read_split(data, "val")
    proposals = load(out.parent / "proposals.npz") if network == "deconvnet" else None
    result = evaluate(segmenter, split, proposals, out / "labels")
    files.write_json(
        out / RESULT,
        {
            **result.as_json(),
            "processor_minutes": trained / 60 if fresh else None,
            **_cost(segmenter, model_file, split),
        },
    )
    return 0


def _train(data: Path, out: Path, network: str, steps: int | None) -> Path:
    if network != "deconvnet":
        run = RunFolder(out / "run")
        train(network, data, run.path, resume=run.exists, steps=steps)
        return run.model_file
    init = None
    if (data / "SegmentationObject").is_dir():
        init = _stage(1, data, out, None, steps)
    file = _stage(2, data, out, init, steps)
    model = load_model(file)
    seen = batch_norm.trained_on(file.parent)
    batch_norm.recalibrate(model, batch_norm.window_images(model, data, *seen))
    ready = out / "ready.keras"
    with files.replacing(ready) as temporary:
        model.save(temporary)
    return ready


def _stage(stage: int, data: Path, out: Path, init: Path | None, steps: int | None) -> Path:
    run = RunFolder(out / f"stage{stage}")
    # Both together take as long as another network's training.
    share = {1: 0.25, 2: 0.3 if init else 0.4}[stage]
    train(
        "deconvnet",
        data,
        run.path,
        stage=stage,
        init=init,
        proposals=out.parent / "proposals.npz" if stage == 2 else None,
        resume=run.exists,
        steps=steps or round(share * find_recipe("small", "deconvnet", stage).steps),
    )
    return run.model_file


def _cost(segmenter: Segmenter, model_file: Path, split: voc.Split) -> dict[str, Any]:
    chosen = np.linspace(0, len(split.ids) - 1, TIMED_IMAGES).round().astype(int)
    pictures = [images.read_image(split.image_path(split.ids[index])) for index in chosen]
    model = load_model(model_file)
    macs = [
        len(segmenter.regions(picture)) * multiply_accumulates(model, *picture.shape[:2])
        for picture in pictures
    ]
    times = []
    for picture in pictures:
        begin = time.process_time()
        segmenter.segment(picture)
        times.append(time.process_time() - begin)
    return {
        "weights": model.count_params(),
        "gmac": float(np.median(macs)) / 1e9,
        "seconds": float(np.median(times)),
    }


if __name__ == "__main__":
    sys.exit(main())
