"""Whether an exported model gives the results of the model that it was exported from.

A folder is loaded by TensorFlow in a process that can import neither Keras nor tfdeconv; a .tflite
or .onnx file is run in LiteRT or ONNX Runtime.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.export import fresh_process
from tfdeconv.export.fresh_process import Arrays, read_arrays, write_arrays
from tfdeconv.export.portable import SIGNATURE
from tfdeconv.export.saved_model import (
    Metadata,
    newest_version,
    read_metadata,
    read_warmup,
    sample_photograph,
)
from tfdeconv.models import load_for_inference
from tfdeconv.segmentation.network import inference_network
from tfdeconv.segmentation.pipeline import refine
from tfdeconv.segmentation.segmenter import Segmenter

# Largest difference of the scores over the largest score. The same graph on the same machine
# differs by nothing or by the order of additions; bfloat16 rounds 2**16 times as coarsely.
SCORES_BOUND = 1e-4
HALF_PRECISION_BOUND = 2e-2
# Pixels whose two best scores differ by less than that may fall either way.
LABELS_BOUND = 0.999
# In files additions come in another order, too: 1e-6. But where rounding decides which of two
# elements of a window is the larger one, a switch may fall the other way and move the scores about
# it: measured in a full-size network, by up to 3 % at up to 8 % of a crop's pixels.
PIXELS = 0.8
# Measured: 0.99 for a trained network, 0.89 to 0.92 for random weights.
QUANTIZED_LABELS_BOUND = 0.8
# Crops that a file is run on.
SAMPLES = 5

_FROM_FILES, _BY_MODEL = "0/segment_bytes/labels", "0/regions/labels"
_LABELS = ("0/segment/labels", _FROM_FILES, _BY_MODEL)
# For networks that take images of every size: about so large, and one that is shrunk.
_OPEN_SIZE = 36
_SHRUNK = (45, 611)
# "W0000 00:00:..." of absl, "2026-11-20 19:45:33.25: W tensorflow/..." of older libraries
_WARNING = re.compile(r"^([WEF]\d{4} |\S+ \S+: [WEF] )")
# That a machine has no GPU, no driver for it or a smaller processor is no fault of the folder.
_MACHINE = re.compile(
    r"cuda|cudnn|cublas|computation placer|gpu|tensorrt|tf-trt|onednn supports", re.IGNORECASE
)

# Of a file: the shape of its input, whether its weights are int8, and a function that runs it.
Runtime = tuple[tuple[int, ...], bool, Callable[[np.ndarray], np.ndarray]]


class Verification(NamedTuple):
    """What `verify` measured.

    Attributes:
        scores_difference: largest difference of the scores of crops over the largest absolute
            score; of a file, the difference that 80 % of the pixels do not exceed.
        equal_labels: share of the pixels whose labels are the same, in [0, 1].
        scores_bound: the largest difference of scores and confidence that counts as equal; None
            for a file with int8 weights, whose scores are not the model's.
        labels_bound: the smallest share of equal labels that counts as agreement.
        confidence_difference: of a folder, largest difference of `segment`'s confidence, in [0, 1].
        largest_difference: of a file, the difference of scores over all pixels; None of a folder.
        warmed_up: of a folder, how many of its warm-up requests ran.
        log: of a folder, TensorFlow's warnings and errors while it loaded and ran the folder.
    """

    scores_difference: float
    equal_labels: float
    scores_bound: float | None = SCORES_BOUND
    labels_bound: float = LABELS_BOUND
    confidence_difference: float = 0.0
    largest_difference: float | None = None
    warmed_up: int = 0
    log: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether every difference is within its bound; NaN is not."""
        bound = np.inf if self.scores_bound is None else self.scores_bound
        differences = (self.scores_difference, self.confidence_difference)
        return self.equal_labels >= self.labels_bound and all(d <= bound for d in differences)

    def __str__(self) -> str:
        bound, largest = self.scores_bound, self.largest_difference
        allowed = "int8" if bound is None else f"at most {bound:g} allowed"
        which = "" if largest is None else f" of {100 * PIXELS:g} % of pixels"
        other = (
            f"confidence by {self.confidence_difference:.2g}"
            if largest is None
            else f"of all by {largest:.2g}"
        )
        return (
            f"scores{which} differ by {self.scores_difference:.2g} ({allowed}), {other}, "
            f"labels agree on {100 * self.equal_labels:.2f} % of pixels "
            f"(at least {100 * self.labels_bound:g} % required)"
            + (f", {self.warmed_up} warm-up requests ran" if largest is None else "")
        )


def verify(
    exported: str | os.PathLike[str], model: str | os.PathLike[str] | keras.Model
) -> Verification:
    """Runs an exported folder or file on generated inputs and compares it with its model.

    A folder is loaded by `tf.saved_model.load` in a fresh process that cannot import Keras or
    tfdeconv, and runs its own warm-up requests first. Then random crops go to `regions`, random
    photographs with boxes (some leave the image, one image has none) to `segment`, and a PNG and a
    JPEG to `segment_bytes`; `Segmenter` computes the expected answers. For a network without an
    input size there are no boxes, and one image is large enough to be shrunk. Scores are compared
    with those of the model as it is served, batch normalisation folded and in the precision of the
    folder: rounding decides which of two nearly equal maxima a switch points to, and in a large
    network that moves scores by more than most mistakes would. The labels of `regions` are
    compared with the model as it was trained, unless in half precision.

    A .tflite file is run in LiteRT and an .onnx file in ONNX Runtime, on crops of patches and
    noise, whose ties pooling must break as the model does. A model in half precision is compared in
    float32.

    Args:
        exported: What `export_saved_model` wrote, the folder of one version or the folder above, of
            which the newest version is taken; or what `export_litert` or `export_onnx` wrote.
        model: The model, or where it is saved.

    Returns:
        A `Verification`; its `agrees` is the verdict.

    Raises:
        UserError: when the export cannot be loaded or run, belongs to a network of another shape,
            or the runtime of a file is not installed.

    Example:

    >>> from tfdeconv.export import export_saved_model
    >>> convolution = keras.layers.Conv2D(2, 3, padding="same")
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), convolution])
    >>> folder = export_saved_model(model, tempfile.mkdtemp())
    >>> verify(folder, model).agrees
    True
    """
    if Path(exported).suffix in _RUNTIMES:
        return _verify_file(Path(exported), model)
    return _verify_folder(newest_version(exported), model)


def _verify_folder(folder: Path, model: str | os.PathLike[str] | keras.Model) -> Verification:
    metadata = read_metadata(folder)
    requests = sample_requests(metadata)
    # First, so that on a GPU it need not share the memory that this process takes for itself.
    answers, log = run_in_fresh_process(folder, requests, warm_up=True)
    pngs = answers["0/segment_bytes/labels_png_bytes"]
    answers[_FROM_FILES] = _joined(map(images.decode_labels, pngs))
    model = _opened(model)
    in_half = metadata.precision != "float32" or _computes_in_half(model)
    segmenter = local_segmenter(model, metadata)
    expected = _expected(segmenter, requests)
    as_trained = segmenter.model if in_half else model
    answers[_BY_MODEL] = answers["0/regions/scores"].argmax(axis=-1)
    expected[_BY_MODEL] = as_trained.predict_on_batch(requests["0/regions/crops"]).argmax(axis=-1)
    for name, value in expected.items():
        if answers[name].shape != value.shape:
            raise _another(
                folder, f"{name} of shape {answers[name].shape}, the model gives {value.shape}"
            )
    scores, confidence = (
        np.max(np.abs(answers[name] - expected[name]))
        for name in ("0/regions/scores", "0/segment/confidence")
    )
    largest = max(np.max(np.abs(expected["0/regions/scores"])), 1e-30)
    return Verification(
        scores_difference=float(scores / largest),
        equal_labels=float(np.mean(_joined(answers[name] == expected[name] for name in _LABELS))),
        scores_bound=HALF_PRECISION_BOUND if in_half else SCORES_BOUND,
        confidence_difference=float(confidence),
        warmed_up=len({name.split("/")[0] for name in answers if name.startswith("warmup")}),
        log=log,
    )


def local_segmenter(model: keras.Model, metadata: Metadata) -> Segmenter:
    """Returns the `Segmenter` with the options of an exported folder."""
    return Segmenter(
        model,
        boxes=metadata.boxes,
        aggregate=metadata.aggregate,
        proposals="grid",
        crf=None if metadata.crf is None else DenseCRF(**metadata.crf),
        precision=metadata.precision,
    )


def _expected(segmenter: Segmenter, requests: Arrays) -> Arrays:
    photographs = requests["0/segment/images"]
    boxes: list[np.ndarray | None] = [None] * len(photographs)
    if segmenter.input_size is not None:
        both = requests["0/segment/boxes"], requests["0/segment/counts"]
        boxes = [one[:count] for one, count in zip(*both, strict=True)]
    found = [_probabilities(segmenter, *one) for one in zip(photographs, boxes, strict=True)]
    files = requests["0/segment_bytes/images_bytes"]
    return {
        "0/regions/scores": segmenter.model.predict_on_batch(requests["0/regions/crops"]),
        "0/segment/confidence": np.stack([one.max(axis=-1) for one in found]),
        "0/segment/labels": np.stack([one.argmax(axis=-1) for one in found]),
        _FROM_FILES: _joined(segmenter.segment(images.decode_image(data)) for data in files),
    }


def _probabilities(segmenter: Segmenter, image: np.ndarray, boxes: np.ndarray | None) -> np.ndarray:
    scores = segmenter.scores(image, boxes)
    if segmenter.crf is None:
        return tf.nn.softmax(scores).numpy()
    return np.asarray(refine(segmenter.crf, tf.constant(scores), tf.constant(image)))


def _joined(label_maps: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([labels.ravel() for labels in label_maps])


def _opened(model: str | os.PathLike[str] | keras.Model) -> keras.Model:
    return model if isinstance(model, keras.Model) else load_for_inference(model)


def _computes_in_half(model: keras.Model) -> bool:
    return bool({layer.compute_dtype for layer in model.layers} & {"float16", "bfloat16"})


def _another(path: Path, received: str) -> UserError:
    return UserError(
        f"`{path}` must be exported from this model. Received: {received}. Export it again."
    )


def sample_requests(metadata: Metadata) -> dict[str, np.ndarray]:
    """Returns requests for three signatures, named `<call>/<signature>/<input>`.

    A network with an input size gets boxes; one without gets an image that is shrunk.
    """
    size = metadata.input_size or _OPEN_SIZE
    height, width = size + size // 4, size + size // 2 + 1
    photographs = np.stack([sample_photograph(height, width, seed) for seed in (0, 1)])
    crop = metadata.crop_size(height, width)
    crops = np.stack([sample_photograph(*crop, seed) for seed in (2, 3, 4)])
    files = [images.encode_png(photographs[0]), images.encode_jpeg(sample_photograph(width, size))]
    requests = {
        "0/regions/crops": crops.astype(np.float32),
        "0/segment/images": photographs,
    }
    if metadata.input_size is None:
        files.append(images.encode_png(sample_photograph(*_SHRUNK)))
    else:
        boxes = np.array([[0.1, 0.2, 0.6, 0.5], [-0.2, 0.5, 0.7, 1.3], [0.55, 0.0, 0.8, 0.95]])
        boxes = (boxes * [height, width, height, width]).astype(np.float32)
        requests["0/segment/boxes"] = np.stack([boxes, boxes])
        requests["0/segment/counts"] = np.array([3, 0], np.int32)
    return {**requests, "0/segment_bytes/images_bytes": np.array(files, object)}


def run_in_fresh_process(
    folder: str | os.PathLike[str], requests: Arrays, warm_up: bool = False
) -> tuple[Arrays, tuple[str, ...]]:
    """Runs requests on one exported folder; see `run_all_in_fresh_process`."""
    ((answers,), log) = run_all_in_fresh_process([(folder, requests)], warm_up)
    return answers, log


def run_all_in_fresh_process(
    jobs: list[tuple[str | os.PathLike[str], Arrays]],
    warm_up: bool = False,
) -> tuple[list[Arrays], tuple[str, ...]]:
    """Runs requests on exported folders in one process that can import neither Keras nor tfdeconv.

    Args:
        jobs: Pairs of a folder that holds `saved_model.pb` and its requests,
            `<call>/<signature>/<input>` -> array; equal calls go in together. Byte strings are
            arrays of `bytes` objects.
        warm_up: whether to run the folder's warm-up requests first; their answers are named
            `warmup<i>/<signature>/<output>`.

    Returns:
        For each job, `<call>/<signature>/<output>` -> array; and TensorFlow's warnings.

    Raises:
        UserError: with TensorFlow's message when it cannot load or run a folder.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command, answered = [sys.executable, "-P", fresh_process.__file__], []
        for index, (folder, requests) in enumerate(jobs):
            asked = str(Path(scratch, f"requests{index}"))
            answered.append(str(Path(scratch, f"answers{index}")))
            write_arrays(asked, {**(_warmup_arrays(folder) if warm_up else {}), **requests})
            command += [str(Path(folder).resolve()), asked, answered[-1]]
        # On a GPU the parent may hold most of the memory.
        environment = {"TF_CPP_MIN_LOG_LEVEL": "1", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        process = subprocess.run(
            command,
            env={**os.environ, **environment},
            cwd=scratch,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if process.returncode != 0:
            folders = ", ".join(f"`{folder}`" for folder, _ in jobs)
            lines = [*process.stdout.splitlines()[:1], *process.stderr.splitlines()[-1:]]
            reason = lines[0] if lines else f"exit status {process.returncode}"
            raise UserError(
                f"{folders} must run in TensorFlow without Keras and tfdeconv. Received: {reason}. "
                "Export the model again."
            )
        return [read_arrays(path) for path in answered], _warnings(process.stderr)


def _warmup_arrays(folder: str | os.PathLike[str]) -> Arrays:
    return {
        f"warmup{index}/{signature}/{key}": array
        for index, (signature, inputs) in enumerate(read_warmup(folder))
        for key, array in inputs.items()
    }


def _warnings(log: str) -> tuple[str, ...]:
    lines = (line for line in log.splitlines() if _WARNING.match(line))
    return tuple(line for line in lines if not _MACHINE.search(line))


def _verify_file(path: Path, model: str | os.PathLike[str] | keras.Model) -> Verification:
    if not path.is_file():
        raise UserError(
            f"`{path}` must be a .tflite or .onnx file. Received: no such file. Write it with "
            "`tfdeconv export --format litert` or `--format onnx`."
        )
    extra, open_runtime = _RUNTIMES[path.suffix]
    try:
        shape, quantized, run = open_runtime(path)
    except ImportError as error:
        raise UserError(
            f"To verify `{path}`, its runtime must be installed. Received: {error}. Use "
            f'`pip install "tfdeconv[{extra}]"`.'
        ) from error
    model = _opened(model)
    if model.input_shape[1] not in (None, shape[1]):
        raise _another(path, f"crops of {shape[1]} pixels, not {model.input_shape[1]}")
    if _computes_in_half(model):
        model = inference_network(model, "float32")
    crops = np.stack([sample_photograph(shape[1], shape[2], seed) for seed in range(SAMPLES)])
    crops = crops.astype(np.float32)
    expected = model.predict_on_batch(crops)
    scores = np.concatenate([run(crop[None]) for crop in crops])
    if scores.shape != expected.shape:
        raise _another(path, f"scores of shape {scores.shape[1:]}, not {expected.shape[1:]}")
    largest = np.maximum(np.abs(expected).max(axis=(1, 2, 3)), 1e-30)
    differences = np.abs(scores - expected).max(axis=3) / largest[:, None, None]
    return Verification(
        scores_difference=float(np.quantile(differences, PIXELS)),
        equal_labels=float(np.mean(scores.argmax(axis=3) == expected.argmax(axis=3))),
        scores_bound=None if quantized else SCORES_BOUND,
        labels_bound=QUANTIZED_LABELS_BOUND if quantized else LABELS_BOUND,
        largest_difference=float(np.max(differences)),
    )


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


# Ending of a file -> the extra that installs its runtime, and what opens it.
_RUNTIMES = {".tflite": ("litert", _litert), ".onnx": ("onnx", _onnx)}
