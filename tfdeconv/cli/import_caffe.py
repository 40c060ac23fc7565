"""Converts a .caffemodel of DeconvNet, FCN or VGG-16 to Keras.

  DeconvNet_trainval_inference.caffemodel   --network deconvnet   ready to segment
  stage_2_train_result.caffemodel           --network deconvnet --unfolded   to fine-tune, or to
                                            segment with after `tfdeconv recalibrate`
  fcn-8s-pascal.caffemodel, fcn8s-heavy-pascal.caffemodel         --network fcn8s, for the ensemble
  VGG_ILSVRC_16_layers(_conv).caffemodel    --network vgg16   an encoder to start training from

Caffe and protocol buffers are not needed. In DeconvNet's file for inference the batch-norm
statistics are folded into the scales (--folded, the default); the files of its training have no
statistics (--unfolded). The file does not contain this information, so that it must be given.

The DeconvNet weights are licensed by POSTECH for individual research only. They may not be
redistributed, and neither may the converted file. The FCN weights are free for any use. tfdeconv
ships no weights.

  tfdeconv import-caffe DeconvNet_trainval_inference.caffemodel --network deconvnet \\
      --out deconvnet.keras
  tfdeconv import-caffe stage_2_train_result.caffemodel --network deconvnet --unfolded \\
      --num-classes 5 --out start.keras

--preset writes a KerasHub preset (class names, palette and preprocessing included), which the
commands of tfdeconv also accept as a model. It needs keras-hub.

  tfdeconv import-caffe DeconvNet_trainval_inference.caffemodel --network deconvnet \\
      --preset deconvnet_voc
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdeconv.cli import options

if TYPE_CHECKING:
    import keras

    from tfdeconv.weights import Blob

NETWORKS = ("deconvnet", "fcn8s", "fcn16s", "fcn32s", "vgg16")
# Those of the published networks.
_CLASSES, _FILTERS, _FC6_SIDE, _STRIDE = 21, 64, 7, 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("file", metavar="FILE.caffemodel", help="file to convert")
    parser.add_argument(
        "--network", required=True, choices=NETWORKS, help="network that the file contains"
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", metavar="FILE.keras", help="file to write")
    target.add_argument("--preset", metavar="DIR", help="KerasHub preset to write (not for vgg16)")
    parser.add_argument(
        "--num-classes",
        type=options.whole_number(2, 255),
        metavar="N",
        help="classes of the network, including background (default: VOC's 21); if the file has "
        "another number, the last layers are initialised randomly",
    )
    folding = parser.add_mutually_exclusive_group()
    folding.add_argument(
        "--folded",
        action="store_true",
        default=True,
        help="file for inference: batch normalisation is scale * x + shift (default)",
    )
    folding.add_argument(
        "--unfolded",
        action="store_false",
        dest="folded",
        help="file of training, without batch-norm statistics",
    )


def run(args: argparse.Namespace) -> None:
    """Converts and prints how many layers were loaded."""
    from tfdeconv.weights import load_caffemodel, read_caffemodel

    _check(args)
    classes = _CLASSES if args.num_classes is None else args.num_classes
    model = _build(args.network, classes, args.file, read_caffemodel(args.file))
    report = load_caffemodel(model, args.file, args.folded, args.num_classes is not None)
    _save(model, args)
    notes = list(report.notes)
    if not args.folded and args.network == "deconvnet":
        target = args.out or f"{args.preset} --out FILE.keras"
        notes.append(
            "the model has no batch-norm statistics; train it, or measure them with "
            f"`tfdeconv recalibrate {target} DATA` before segmenting"
        )
    for note in notes:
        print(f"tfdeconv: warning: {note}", file=sys.stderr)
    print(f"{args.out or args.preset}: {args.network}, {report}")


def _check(args: argparse.Namespace) -> None:
    from tfdeconv.errors import UserError

    if args.out is not None:
        options.output_file(args.out, ".keras")
    for option, value in (("--num-classes", args.num_classes), ("--preset", args.preset)):
        if args.network == "vgg16" and value is not None:
            raise UserError(
                f"`{option}` must be left out with vgg16, which ends before the classes. "
                f"Received: {option} {value}. Leave it out."
            )
    if args.preset is not None:
        _check_preset(Path(args.preset))


def _check_preset(folder: Path) -> None:
    from tfdeconv.errors import UserError
    from tfdeconv.models.preset import is_preset

    # The directory is replaced.
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not is_preset(folder)):
        raise UserError(
            f"`--preset` must be a new directory, or one that holds a preset. Received: {folder}, "
            "which holds something else. Choose another."
        )
    try:
        import tfdeconv.hub  # noqa: F401
    except ImportError as error:
        raise UserError(f"`--preset` needs keras-hub. {error}") from error


def _save(model: keras.Model, args: argparse.Namespace) -> None:
    from tfdeconv import files

    if args.preset is None:
        with files.replacing(args.out) as temporary:
            model.save(temporary)
        return
    from tfdeconv.hub import from_network

    task = from_network(model, compile=False)
    with files.replacing(args.preset) as temporary:
        task.save_to_preset(str(temporary))


def _build(
    network: str, classes: int, path: str, found: Mapping[str, tuple[Blob, ...]]
) -> keras.Model:
    from tfdeconv.labels import VOC_CLASSES
    from tfdeconv.models import build
    from tfdeconv.weights.mapping import head_classes

    width, side = _geometry(path, found)
    # Random numbers would be overwritten, except in a head that is initialised randomly.
    new_head = head_classes(found) not in (None, classes)
    arguments: dict[str, Any] = {} if new_head else {"kernel_initializer": "zeros"}
    if network == "vgg16":
        return _vgg16(width, arguments)
    if network == "deconvnet":
        arguments |= {"input_shape": (_STRIDE * side, _STRIDE * side, 3)}
        arguments |= {} if new_head else {"deconv_initializer": "zeros"}
    names = VOC_CLASSES if classes == len(VOC_CLASSES) else None
    return build(network, num_classes=classes, width=width, class_names=names, **arguments)


def _vgg16(width: float, arguments: dict[str, Any]) -> keras.Model:
    import keras

    from tfdeconv.layers import Preprocess
    from tfdeconv.models.vgg16 import vgg16

    image = keras.Input((None, None, 3), name="image")
    features = vgg16(Preprocess(name="preprocess")(image), width, **arguments)
    return keras.Model(image, features["fc7"], name="vgg16")


def _geometry(path: str, found: Mapping[str, tuple[Blob, ...]]) -> tuple[float, int]:
    """Returns width and side of fc6, so that what is built is no larger than the file."""
    from tfdeconv.errors import UserError

    shapes = {name: found[name][0].shape for name in ("conv1_1", "fc6") if name in found}
    first, fc6 = (shapes.get(name, ()) for name in ("conv1_1", "fc6"))
    filters = first[0] if first else 0
    product = len(fc6) == 2 or fc6[:2] == (1, 1)
    side = fc6[3] if len(fc6) == 4 and not product else _FC6_SIDE
    inner, outer = (max(1, round(filters / _FILTERS * count)) for count in (512, 4096))
    shape = (outer, inner, side, side)
    flat = (outer, inner * side * side)
    fits = fc6 in (shape, flat, (1, 1, *flat))
    if not (0 < filters <= _FILTERS and 0 < side <= _FC6_SIDE and fits):
        raise UserError(
            f"`{path}` must hold a network with the encoder of VGG-16. Received: "
            + ", ".join(f"{name} {shapes.get(name, 'missing')}" for name in ("conv1_1", "fc6"))
            + ". Choose a file of DeconvNet, FCN or VGG-16."
        )
    return filters / _FILTERS, side
