"""Train one of the two stages of DeconvNet, or another network, and write a run folder.

Stage 1 learns from single objects in the middle of their window, stage 2 from object proposals
with everything that is in them (section 4.2 of the paper). All other networks learn from windows
about objects and of the rest of the images, or, without SegmentationObject, from windows that cover
the images; they take what layers they share with --init, such as the encoder of a DeconvNet:

  fcn8s fcn16s fcn32s segnet unet deeplab_largefov deeplab_aspp deeplab_aspp_resnet101
  pspnet50 pspnet101 frrn_a frrn_b fusionnet deep_contextual

DATA is a folder in PASCAL VOC layout; stage 1 needs its SegmentationObject folder. RUN/model.keras
is the best model so far, RUN/log.csv and RUN/tensorboard the course of the training. Ctrl-C saves
the state; the same command with --resume goes on.

  tfdeconv train stage1 DATA --out runs/stage1
  tfdeconv propose DATA --out proposals.npz
  tfdeconv train stage2 DATA --out runs/stage2 --init runs/stage1 --proposals proposals.npz
  tfdeconv train fcn8s DATA --out runs/fcn8s --init runs/stage2
  tfdeconv train unet DATA --out runs/unet
"""

import argparse
import difflib

HELP = "train stage 1 (single objects), stage 2 (proposals) or another network"
# The stages of DeconvNet, and the other networks of `tfdeconv.training.recipes`, which would load
# Keras.
STAGES = (
    "stage1",
    "stage2",
    "fcn8s",
    "fcn16s",
    "fcn32s",
    "segnet",
    "unet",
    "deeplab_largefov",
    "deeplab_aspp",
    "deeplab_aspp_resnet101",
    "pspnet50",
    "pspnet101",
    "frrn_a",
    "frrn_b",
    "fusionnet",
    "deep_contextual",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tfdeconv train`."""
    parser.add_argument(
        "network", type=_stage, metavar="NETWORK", help="stage1, stage2, or another network"
    )
    parser.add_argument("data", metavar="DATA", help="folder in PASCAL VOC layout")
    parser.add_argument("--out", required=True, metavar="RUN", help="run folder to write")
    parser.add_argument(
        "--init",
        metavar="MODEL",
        help="run folder, .keras file or .caffemodel to start from, or imagenet for VGG-16",
    )
    parser.add_argument("--proposals", metavar="FILE", help="made by `tfdeconv propose`; stage 2")
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="small: a narrow network, minutes on a CPU (default); paper: the paper's numbers; "
        "release: what its code did; most networks have the first alone",
    )
    parser.add_argument("--width", type=float, metavar="W", help="factor on the channels; paper: 1")
    parser.add_argument(
        "--input-size", type=int, metavar="S", help="side of the windows; paper: 224, FCN: 500"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="optimizer steps")
    parser.add_argument("--batch-size", type=int, metavar="N", help="windows of a forward pass")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="the highest one")
    parser.add_argument("--seed", type=int, metavar="N", help="default 0")
    parser.add_argument(
        "--mixed-precision", action="store_true", default=None, help="compute in half precision"
    )
    parser.add_argument(
        "--resume", action="store_true", default=None, help="go on with the run in --out"
    )


def _stage(text: str) -> str:
    if text in STAGES:
        return text
    near = difflib.get_close_matches(text, STAGES, n=1)
    hint = f". Did you mean {near[0]}?" if near else ""
    raise argparse.ArgumentTypeError(f"must be one of {', '.join(STAGES)}, not {text!r}{hint}")


def run(arguments: argparse.Namespace) -> int:
    """Trains and prints where the model is and how good it was."""
    from tfdeconv.training.train import train

    options = {name: value for name, value in vars(arguments).items() if value is not None}
    del options["run"], options["command"]
    if stage := {"stage1": 1, "stage2": 2}.get(arguments.network):
        options |= {"network": "deconvnet", "stage": stage}
    folder = train(**options)
    state = folder.load_state()
    row = state["history"][-1]
    score = f", val mean IoU {state['best']:.3f} (windows)" if "val_mean_iou" in row else ""
    # The state counts forward passes, of which a recipe may take several for a step.
    steps = state["step"] // folder.settings()["recipe"]["accumulate"]
    done = f"{steps} step{'s' * (steps != 1)}"
    print(f"{folder.model_file}: {done}, loss {row['loss']:.3f}{score}")
    return 0
