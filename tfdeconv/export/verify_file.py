"""Whether a .tflite or .onnx file does what its model does, in the runtime it is made for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.export.litert import SIGNATURE
from tfdeconv.export.samples import sample_photograph
from tfdeconv.models import load_for_inference
from tfdeconv.segmentation.network import inference_network

# Difference of a pixel's scores over the largest score of its crop, where additions come in another
# order: 1e-6. But where rounding decides which of two elements of a window is the larger one, a
# switch may fall the other way and move the scores about it: measured in a full-size network, by up
# to 3 % at up to 8 % of a crop's pixels.
SCORES_BOUND = 1e-4
PIXELS = 0.8
LABELS_BOUND = 0.999
# Measured: 0.99 for a trained network, 0.89 to 0.92 for random weights.
QUANTIZED_LABELS_BOUND = 0.8
SAMPLES = 5
Runtime = tuple[tuple[int, ...], bool, Callable[[np.ndarray], np.ndarray]]


class FileVerification(NamedTuple):
    """What `verify_exported_file` measured.

    Attributes:
        scores_difference: what the scores of four pixels in five differ by at most, over the
            largest absolute score of their crop.
        largest_difference: the same of all pixels.
        equal_labels: share of the pixels of all crops whose labels are the same, in [0, 1].
        quantized: whether the file has int8 weights: then its scores are not to be the same.
    """

    scores_difference: float
    largest_difference: float
    equal_labels: float
    quantized: bool

    @property
    def agrees(self) -> bool:
        """Whether labels and, unless quantised, scores are within their bounds; NaN is not."""
        if self.quantized:
            return self.equal_labels >= QUANTIZED_LABELS_BOUND
        return self.scores_difference <= SCORES_BOUND and self.equal_labels >= LABELS_BOUND

    def __str__(self) -> str:
        required = QUANTIZED_LABELS_BOUND if self.quantized else LABELS_BOUND
        allowed = "int8" if self.quantized else f"at most {SCORES_BOUND:g} allowed"
        return (
            f"scores of {100 * PIXELS:g} % of pixels differ by {self.scores_difference:.2g} "
            f"({allowed}), of all by {self.largest_difference:.2g}, "
            f"labels agree on {100 * self.equal_labels:.2f} % of pixels "
            f"(at least {100 * required:g} % required)"
        )


def verify_exported_file(
    file: str | os.PathLike[str], model: str | os.PathLike[str] | keras.Model
) -> FileVerification:
    """Runs a .tflite file in LiteRT, or an .onnx file in ONNX Runtime, and compares it.

    Both answer for made-up crops of patches and noise, which have ties that pooling must break in
    the same way.

    Args:
        file: What `export_litert` or `export_onnx` wrote.
        model: The model, or where it is saved. Where it computes in half precision, its scores in
            float32 are what the file must give.

    Returns:
        A `FileVerification`; its `agrees` is the verdict.

    Raises:
        UserError: when the file cannot be run, is of a network of another shape, or the runtime is
            not installed.
    """
    runtimes = {".tflite": _litert, ".onnx": _onnx}
    path = Path(file)
    if path.suffix not in runtimes or not path.is_file():
        raise UserError(
            f"`{file}` must be a .tflite or .onnx file. Received: no such file. Write it with "
            "`tfdeconv export --format litert` or `--format onnx`."
        )
    try:
        shape, quantized, run = runtimes[path.suffix](path)
    except ImportError as error:
        raise UserError(
            f"`{file}` must be run to be verified. Received: {error}. Install the runtime with "
            f'`pip install "tfdeconv[{path.suffix.replace("tflite", "litert")[1:]}]"`.'
        ) from error
    crops = np.stack([sample_photograph(shape[1], shape[2], seed) for seed in range(SAMPLES)])
    crops = crops.astype(np.float32)
    expected = _expected(
        model if isinstance(model, keras.Model) else load_for_inference(model), crops, path
    )
    scores = np.concatenate([run(crop[None]) for crop in crops])
    if scores.shape != expected.shape:
        raise _another(path, f"scores of shape {scores.shape[1:]}, not {expected.shape[1:]}")
    largest = np.maximum(np.abs(expected).max(axis=(1, 2, 3)), 1e-30)
    differences = np.abs(scores - expected).max(axis=3) / largest[:, None, None]
    return FileVerification(
        scores_difference=float(np.quantile(differences, PIXELS)),
        largest_difference=float(np.max(differences)),
        equal_labels=float(np.mean(scores.argmax(axis=3) == expected.argmax(axis=3))),
        quantized=quantized,
    )


def _expected(model: keras.Model, crops: np.ndarray, path: Path) -> np.ndarray:
    size = model.input_shape[1]
    if size not in (None, crops.shape[1]):
        raise _another(path, f"crops of {crops.shape[1]} pixels, not {size}")
    if any(layer.compute_dtype in ("float16", "bfloat16") for layer in model.layers):
        model = inference_network(model, "float32")
    return model.predict_on_batch(crops)


def _another(path: Path, what: str) -> UserError:
    return UserError(f"`{path}` must be exported from this model. Received: {what}. Export again.")


def _litert(path: Path) -> Runtime:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path))
        run = interpreter.get_signature_runner(SIGNATURE)
        (crops,), ((name, _),) = run.get_input_details().values(), run.get_output_details().items()
    except (ValueError, RuntimeError) as error:
        raise _damaged(path, error) from error
    quantized = any(tensor["dtype"] is np.int8 for tensor in interpreter.get_tensor_details())
    return tuple(crops["shape"]), quantized, lambda one: run(crops=one)[name].copy()


def _onnx(path: Path) -> Runtime:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (crops,), (scores,) = session.get_inputs(), session.get_outputs()
    except Exception as error:  # ONNX Runtime's errors have no base class of their own.
        raise _damaged(path, error) from error
    return tuple(crops.shape), False, lambda one: session.run([scores.name], {crops.name: one})[0]


def _damaged(path: Path, error: Any) -> UserError:
    return UserError(
        f"`{path}` must be a file written by `tfdeconv export`. Received: "
        f"{str(error).splitlines()[0]}. Export the model again."
    )
