"""Recomputes the batch-norm statistics of a trained model.

Recommended for DeconvNet before it is evaluated, after stage 1 and after stage 2. Training uses the
statistics of each batch, inference uses stored ones. Models trained here store moving averages,
which mainly reflect the last batches; the authors' training files (`tfdeconv import-caffe
--unfolded`) store none. This command averages mean and variance of every layer over many batches,
as the release does (501 batches of 28 windows of stage 2), and writes them into the model. Other
weights do not change.

The windows are those of the split `train`: squares around proposals with --proposals or if the run
was trained on proposals, squares around objects otherwise.

  tfdeconv recalibrate runs/stage2 DATA
  tfdeconv recalibrate start.keras DATA --proposals proposals.npz --batches 501 --out ready.keras
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tfdeconv.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults are those of `training.batch_norm`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a run folder or .keras file (overwritten unless --out is given), or a preset (with "
        "--out)",
    )
    options.add_data(parser)
    parser.add_argument(
        "--proposals",
        metavar="FILE",
        help="written by `tfdeconv propose` (default: the file of the run's training, if any)",
    )
    options.add_number(parser, "batches", "number of batches (default 100; the release: 501)")
    options.add_number(parser, "batch-size", "windows per batch (default 28, as in the release)")
    parser.add_argument(
        "--out",
        metavar="FILE.keras",
        help="write the result to this file and leave MODEL unchanged",
    )


def run(args: argparse.Namespace) -> None:
    """Measures, writes the model and prints the number of windows."""
    sizes = options.given(args, "batches", "batch_size")
    recalibrate_file(args.model, args.data, args.proposals, args.out, **sizes)


def recalibrate_file(
    model_path: str | Path,
    data: str | Path,
    proposals: str | Path | None = None,
    out: str | Path | None = None,
    **sizes: int,
) -> None:
    """Measures the statistics of a saved model, and writes it to `out` or in its own place."""
    from tfdeconv import files
    from tfdeconv.errors import UserError
    from tfdeconv.models import load_model
    from tfdeconv.models.saved import MODEL_FILE
    from tfdeconv.progress import track
    from tfdeconv.training import batch_norm

    target = Path(out or model_path)
    if out is None and target.is_dir():
        target /= MODEL_FILE
    if out is not None:
        target = options.output_file(str(out), ".keras")
    model = load_model(model_path)
    if out is None and not (target.is_file() and target.suffix == ".keras"):
        raise UserError(
            "`--out` must be given for a preset or an HDF5 file, which is left as it is. "
            f"Received: {str(model_path)!r} alone. Add --out FILE.keras."
        )
    batch_norm.measurable(model)
    trained_proposals, background = batch_norm.trained_on(model_path)
    images = batch_norm.window_images(
        model, data, proposals or trained_proposals, background, **sizes
    )
    batches = len(images)
    layers = batch_norm.recalibrate(model, track(images, "Measuring", batches))
    with files.replacing(target) as temporary:
        model.save(temporary)
    count = batches * sizes.get("batch_size", batch_norm.BATCH_SIZE)
    print(f"{target}: statistics of {layers} batch normalisations from {count:,} windows")
