"""Writes a SavedModel that TensorFlow Serving and its like can load.

OUT/1 (then OUT/2, ...) answers encoded photographs with label PNGs (`segment_bytes`), pixels and
boxes with labels and confidence (`segment`), and crops with scores (`regions`). It needs neither
Python nor Keras to run.

  tfdeconv export runs/stage2 served
  tfdeconv export runs/stage2 served --crf --precision bfloat16
  tfdeconv export runs/stage2 served --server server

With --format litert or onnx OUT is one file, which holds `regions` alone for other runtimes, such
as those of phones.

  tfdeconv export runs/stage2 regions.tflite --format litert --quantize
  tfdeconv export runs/fcn8s regions.onnx --format onnx --input-size 256
"""

import argparse
import importlib.util

from tfdeconv.cli.evaluate import add_combination
from tfdeconv.cli.numbers import whole

HELP = "write a SavedModel that a model server can load, or a LiteRT or ONNX file"
# What some formats only take.
_OF_SAVED_MODELS = ("boxes", "aggregate", "precision", "max_pixels", "crf", "server")
_OF_FILES = ("quantize", "input_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults live in `export_saved_model`."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, run folder or preset")
    parser.add_argument(
        "out", metavar="OUT", help="folder of versions, to which one is added; or the file to write"
    )
    parser.add_argument(
        "--format",
        choices=("saved_model", "litert", "onnx"),
        default="saved_model",
        help="what to write (default saved_model); litert: a .tflite file, onnx: an .onnx file",
    )
    parser.add_argument(
        "--quantize",
        action="store_true",
        help="litert: int8 weights, a quarter of the bytes; some labels change",
    )
    parser.add_argument(
        "--input-size",
        metavar="S",
        type=int,
        help="litert, onnx: side of the crops, for a network that takes every size",
    )
    _add_of_saved_models(parser)


def _add_of_saved_models(parser: argparse.ArgumentParser) -> None:
    add_combination(parser)
    parser.add_argument(
        "--crf",
        action="store_true",
        help="let the server refine labels to the edges of the image with a fully connected CRF; "
        "`regions` stays as it is",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        default=argparse.SUPPRESS,
        help="what the network computes in and its kernels are stored in (default float32); half "
        "precision takes half the disk and memory, is faster on hardware made for it, and moves "
        "some labels; float16 overflows above 65504",
    )
    parser.add_argument(
        "--max-pixels",
        metavar="N",
        type=_pixels,
        default=argparse.SUPPRESS,
        help="refuse images of more pixels before they are decoded (default 33554432)",
    )
    parser.add_argument(
        "--server",
        metavar="DIR",
        help="write here what TensorFlow Serving is started with (models.config, batching.config, "
        "compose.yaml), filled in for OUT",
    )


def run(args: argparse.Namespace) -> None:
    """Exports the model and prints where it is."""
    if args.format != "saved_model":
        _export_file(args)
        return
    _refuse(args, _OF_FILES)
    from tfdeconv.crf import DenseCRF
    from tfdeconv.export import export_saved_model
    from tfdeconv.export.server_files import write_server_files
    from tfdeconv.models import load_for_inference

    names = ("boxes", "aggregate", "precision", "max_pixels")
    chosen = {name: getattr(args, name) for name in names if hasattr(args, name)}
    if args.crf:
        chosen["crf"] = DenseCRF()
    folder = export_saved_model(load_for_inference(args.model), args.out, **chosen)
    print(f"{folder}: to check it, tfdeconv verify {folder} {args.model}")
    if importlib.util.find_spec("tensorflow_serving") is None:
        print(f'{folder}: no requests to warm up a server: `pip install "tfdeconv[serving]"`')
    if args.server is not None:
        out = write_server_files(args.out, args.server)
        print(f"{out}: to serve it, docker compose -f {out / 'compose.yaml'} up")


def _export_file(args: argparse.Namespace) -> None:
    from tfdeconv.errors import UserError
    from tfdeconv.export import export_litert, export_onnx
    from tfdeconv.models import load_for_inference

    _refuse(args, _OF_SAVED_MODELS)
    if args.format == "litert":
        quantize = "dynamic" if args.quantize else None
        file = export_litert(load_for_inference(args.model), args.out, quantize, args.input_size)
    elif args.quantize:
        raise UserError("--quantize must come with --format litert. Received: onnx. Leave it out.")
    else:
        file = export_onnx(load_for_inference(args.model), args.out, args.input_size)
    print(f"{file}: to check it, tfdeconv verify {file} {args.model}")


def _refuse(args: argparse.Namespace, names: tuple[str, ...]) -> None:
    from tfdeconv.errors import UserError

    # `--boxes 0` is given, too.
    values = {name: getattr(args, name, None) for name in names}
    given = [name for name, value in values.items() if value is not None and value is not False]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise UserError(
            f"{option} must come with another --format. Received: --format {args.format}. "
            "`tfdeconv export --help` says what each takes."
        )


def _pixels(text: str) -> int:
    from tfdeconv.images import MAX_PIXELS

    return whole(1, MAX_PIXELS)(text)
