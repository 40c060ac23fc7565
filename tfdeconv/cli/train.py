"""Trains DeconvNet (stage1, stage2) or another network.

DATA is a folder in PASCAL VOC layout. DeconvNet is trained in two stages (section 4.2 of the
paper): stage1 on single objects (DATA must contain SegmentationObject), then stage2 on object
proposals. All other networks are trained in one stage:

  fcn8s fcn16s fcn32s segnet unet deeplab_largefov deeplab_aspp deeplab_aspp_resnet101
  pspnet50 pspnet101 frrn_a frrn_b fusionnet deep_contextual

RUN/model.keras is the model with the best validation mean IoU so far; RUN/log.csv and
RUN/tensorboard contain loss and mean IoU. Ctrl-C saves a checkpoint, and the same command with
--resume continues.

  tfdeconv train unet DATA --out runs/unet
  tfdeconv train fcn8s DATA --out runs/fcn8s --init runs/stage2

  tfdeconv train stage1 DATA --out runs/stage1
  tfdeconv propose DATA --out proposals.npz
  tfdeconv train stage2 DATA --out runs/stage2 --init runs/stage1 --proposals proposals.npz
"""

import argparse
import difflib

from tfdeconv.choices import STAGES
from tfdeconv.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults are those of the recipe."""
    parser.add_argument(
        "network", type=_stage, metavar="NETWORK", help="stage1, stage2, or another network"
    )
    options.add_data(parser)
    parser.add_argument("--out", required=True, metavar="RUN", help="run folder to write")
    parser.add_argument(
        "--init",
        metavar="MODEL",
        help="initial weights: a run folder or .keras file, of which layers with equal names and "
        "shapes are copied; or VGG-16 or ResNet trained on ImageNet, with --width 1: imagenet "
        "(downloaded), a .h5 of keras.applications, a .pth or .safetensors of torchvision's "
        "VGG-16, a .caffemodel",
    )
    parser.add_argument(
        "--proposals",
        metavar="FILE",
        help="proposal file written by `tfdeconv propose` (required for stage2)",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="small (default): a narrow network, minutes on a CPU; paper: the paper's numbers; "
        "release: those of the authors' code; most networks have only small",
    )
    parser.add_argument(
        "--width",
        type=float,
        metavar="W",
        help="multiplier for the number of channels (recipe small: 0.125; paper: 1)",
    )
    parser.add_argument(
        "--input-size",
        type=int,
        metavar="S",
        help="size of the training windows in pixels; the paper's DeconvNet: 224",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="optimizer steps (default: the recipe's)"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="windows per forward pass (default: the recipe's)",
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="R",
        help="peak learning rate of the schedule (default: the recipe's)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="random seed (default 0)")
    parser.add_argument(
        "--mixed-precision", action="store_true", default=None, help="compute in half precision"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        default=None,
        help="continue the interrupted run in --out with the same options",
    )


def run(args: argparse.Namespace) -> int:
    """Trains and prints the path of the model and its score."""
    from tfdeconv.training.train import train

    chosen = {name: value for name, value in vars(args).items() if value is not None}
    del chosen["run"], chosen["command"]
    if stage := {"stage1": 1, "stage2": 2}.get(args.network):
        chosen |= {"network": "deconvnet", "stage": stage}
    folder = train(**chosen)
    state = folder.load_state()
    row = state["history"][-1]
    score = f", val mean IoU {state['best']:.3f} (windows)" if "val_mean_iou" in row else ""
    # The state counts forward passes, of which a recipe may take more than one for a step.
    steps = state["step"] // folder.settings()["recipe"]["accumulate"]
    print(f"{folder.model_file}: {options.counted(steps, 'step')}, loss {row['loss']:.3f}{score}")
    return 0


def _stage(text: str) -> str:
    if text in STAGES:
        return text
    near = difflib.get_close_matches(text, STAGES, n=1)
    hint = f". Did you mean {near[0]}?" if near else ""
    raise argparse.ArgumentTypeError(f"must be one of {', '.join(STAGES)}, not {text!r}{hint}")
