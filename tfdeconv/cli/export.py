"""Exports a SavedModel for a model server, or a LiteRT or ONNX file.

The SavedModel OUT/1 (then OUT/2, ...) runs in TensorFlow Serving and other runtimes, without Python
and Keras. Its signatures: `segment_bytes` takes encoded images and returns label PNGs, `segment`
takes pixels and boxes and returns labels and confidence, `regions` takes crops and returns logits.

  tfdeconv export runs/stage2 served
  tfdeconv export runs/stage2 served --crf --precision bfloat16
  tfdeconv export runs/stage2 served --server server

With --format litert or onnx OUT is one file with `regions` only, for phones and other runtimes:

  tfdeconv export runs/stage2 regions.tflite --format litert --quantize
  tfdeconv export runs/fcn8s regions.onnx --format onnx --input-size 256
"""

import argparse
import importlib.util

from tfdeconv.cli import options

_OF_SAVED_MODELS = ("boxes", "aggregate", "precision", "max_pixels", "crf", "server")
_OF_FILES = ("quantize", "input_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments; the defaults are those of `export_saved_model`."""
    options.add_model(parser)
    parser.add_argument(
        "out",
        metavar="OUT",
        help="folder for the SavedModel (versions OUT/1, OUT/2, ...), or the .tflite or .onnx "
        "file to write",
    )
    parser.add_argument(
        "--format",
        choices=("saved_model", "litert", "onnx"),
        default="saved_model",
        help="format to write (default saved_model); litert: a .tflite file, onnx: an .onnx file",
    )
    parser.add_argument(
        "--quantize",
        action="store_true",
        help="litert: int8 weights, a quarter of the size; some labels change",
    )
    parser.add_argument(
        "--input-size",
        metavar="S",
        type=int,
        help="litert, onnx: size of the crops in pixels, required for networks that accept any "
        "image size",
    )
    options.add_regions(parser)
    parser.add_argument("--crf", action="store_true", help="refine labels with a dense CRF")
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        help="precision of the network and its kernels (default float32); half precision takes "
        "half the disk and memory, is faster on hardware that supports it, and changes some "
        "labels; activations above 65504 overflow in float16",
    )
    parser.add_argument(
        "--max-pixels",
        metavar="N",
        type=_pixels,
        help="maximum number of pixels of an image; larger ones are rejected before decoding "
        "(default 33554432, 2^25)",
    )
    parser.add_argument(
        "--server",
        metavar="DIR",
        help="also write the configuration of TensorFlow Serving for OUT (models.config, "
        "batching.config, compose.yaml)",
    )


def run(args: argparse.Namespace) -> None:
    """Exports the model and prints its path."""
    saved_model = args.format == "saved_model"
    options.refuse(
        args,
        _OF_FILES if saved_model else _OF_SAVED_MODELS,
        f"is not supported with --format {args.format}. See `tfdeconv export --help`.",
    )
    if saved_model:
        _export_saved_model(args)
    else:
        _export_file(args)


def _export_saved_model(args: argparse.Namespace) -> None:
    from tfdeconv.crf import DenseCRF
    from tfdeconv.export import export_saved_model
    from tfdeconv.export.server_files import write_server_files
    from tfdeconv.models import load_for_inference

    chosen = options.given(args, "boxes", "aggregate", "precision", "max_pixels")
    if args.crf:
        chosen["crf"] = DenseCRF()
    folder = export_saved_model(load_for_inference(args.model), args.out, **chosen)
    print(f"Wrote {folder}. To verify it: tfdeconv verify {folder} {args.model}")
    if importlib.util.find_spec("tensorflow_serving") is None:
        print(
            "No warm-up requests were written, because tensorflow-serving-api is not installed "
            '(`pip install "tfdeconv[serving]"`). The model works without them.'
        )
    if args.server is not None:
        out = write_server_files(args.out, args.server)
        print(f"Wrote {out}. To start a server: docker compose -f {out / 'compose.yaml'} up")


def _export_file(args: argparse.Namespace) -> None:
    from tfdeconv.errors import UserError
    from tfdeconv.export import export_litert, export_onnx
    from tfdeconv.models import load_for_inference

    if args.format == "litert":
        quantize = "dynamic" if args.quantize else None
        file = export_litert(load_for_inference(args.model), args.out, quantize, args.input_size)
    elif args.quantize:
        raise UserError("--quantize requires --format litert. Received: --format onnx.")
    else:
        file = export_onnx(load_for_inference(args.model), args.out, args.input_size)
    print(f"Wrote {file}. To verify it: tfdeconv verify {file} {args.model}")


def _pixels(text: str) -> int:
    from tfdeconv.images import MAX_PIXELS

    return options.whole_number(1, MAX_PIXELS)(text)
