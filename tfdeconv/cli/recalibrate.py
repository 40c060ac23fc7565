"""Measure the statistics of batch normalisation over training windows, for inference.

Training normalises by the batch at hand; inference needs statistics of the data. Those that a
training here keeps are moving averages of its last batches; the files of the release's training
(`tfdeconv import-caffe --unfolded`) have none. This averages mean and variance of every layer over
many batches, as the release does ("make testable": 501 batches of 28 windows of stage 2), and
writes them into the model. The weights stay as they are.

Windows are those of the split `train`: squares about objects, or about proposals when --proposals
is given or the run was trained on some.

  tfdeconv recalibrate runs/stage2 DATA
  tfdeconv recalibrate start.keras DATA --proposals proposals.npz --batches 501 --out ready.keras
"""

import argparse

from tfdeconv.cli.numbers import whole

HELP = "measure batch-norm statistics over training windows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tfdeconv recalibrate`; the defaults live in `training.batch_norm`."""
    parser.add_argument(
        "model", metavar="RUN", help="a run folder or .keras file, rewritten; a preset"
    )
    parser.add_argument("data", metavar="DATA", help="folder in PASCAL VOC layout")
    parser.add_argument(
        "--proposals",
        metavar="FILE",
        help="made by `tfdeconv propose`: windows of stage 2; by default those the run was trained "
        "on, or objects",
    )
    parser.add_argument(
        "--batches",
        metavar="N",
        type=whole(1),
        default=argparse.SUPPRESS,
        help="how many to average over (default 100; the release: 501)",
    )
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=whole(1),
        default=argparse.SUPPRESS,
        help="windows of a batch (default 28, as in the release)",
    )
    parser.add_argument("--out", metavar="FILE.keras", help="write here and leave RUN as it is")


def run(args: argparse.Namespace) -> None:
    """Measures, writes the model and prints over how many windows."""
    from pathlib import Path

    from tfdeconv import files
    from tfdeconv.errors import UserError
    from tfdeconv.models import load_model
    from tfdeconv.models.saved import MODEL_FILE
    from tfdeconv.progress import track
    from tfdeconv.training import batch_norm

    out = Path(args.out or args.model)
    if args.out is None and out.is_dir():
        out /= MODEL_FILE
    if args.out is not None and out.suffix != ".keras":
        raise UserError(f"`--out` must end in .keras. Received: {args.out!r}. Rename it.")
    model = load_model(args.model)
    if args.out is None and not (out.is_file() and out.suffix == ".keras"):
        raise UserError(
            "`--out` must be given for a preset or an HDF5 file, which is left as it is. "
            f"Received: {args.model!r} alone. Add --out FILE.keras."
        )
    batch_norm.measurable(model)
    proposals, background = batch_norm.trained_on(args.model)
    options = {name: getattr(args, name) for name in ("batches", "batch_size") if name in args}
    images = batch_norm.window_images(
        model, args.data, args.proposals or proposals, background, **options
    )
    batches = len(images)
    layers = batch_norm.recalibrate(model, track(images, "Measuring", batches))
    with files.replacing(out) as beside:
        model.save(beside)
    count = batches * options.get("batch_size", batch_norm.BATCH_SIZE)
    print(f"{out}: statistics of {layers} batch normalisations from {count:,} windows")
