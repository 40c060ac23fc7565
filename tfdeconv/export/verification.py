"""Whether an exported folder does what its model does, in a process without Keras or tfdeconv."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.export.fresh_process import Arrays, run_in_fresh_process
from tfdeconv.export.metadata import Metadata, newest_version, read_metadata
from tfdeconv.export.samples import sample_requests
from tfdeconv.models import load_for_inference
from tfdeconv.segmentation.pipeline import refine
from tfdeconv.segmentation.segmenter import Segmenter

# Largest difference of the scores over the largest score. The same graph on the same machine
# differs by nothing or by the order of additions; bfloat16 rounds 2**16 times as coarsely.
SCORES_BOUND = 1e-4
HALF_PRECISION_BOUND = 2e-2
# Pixels whose two best scores differ by less than that may fall either way.
LABELS_BOUND = 0.999
_FROM_FILES, _BY_MODEL = "0/segment_bytes/labels", "0/regions/labels"
_LABELS = ("0/segment/labels", _FROM_FILES, _BY_MODEL)


class Verification(NamedTuple):
    """What `verify` measured.

    Attributes:
        scores_difference: largest difference of `regions` over the largest absolute score.
        confidence_difference: largest difference of `segment`'s confidence, in [0, 1].
        equal_labels: share of the pixels of `segment` and `segment_bytes` whose labels are the
            same, in [0, 1].
        bound: the largest difference of scores and confidence that counts as equal.
        warmed_up: how many of the folder's own requests, with which a server warms it up, ran.
        log: the warnings and errors that TensorFlow wrote while it loaded and ran the folder.
    """

    scores_difference: float
    confidence_difference: float
    equal_labels: float
    bound: float
    warmed_up: int
    log: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether every difference is within its bound; NaN is not."""
        differences = (self.scores_difference, self.confidence_difference)
        return self.equal_labels >= LABELS_BOUND and all(d <= self.bound for d in differences)

    def __str__(self) -> str:
        return (
            f"scores differ by {self.scores_difference:.2g}, "
            f"confidence by {self.confidence_difference:.2g} (at most {self.bound:g} allowed), "
            f"labels agree on {100 * self.equal_labels:.2f} % of pixels "
            f"(at least {100 * LABELS_BOUND:g} % required), "
            f"{self.warmed_up} warm-up requests ran"
        )


def verify(
    exported: str | os.PathLike[str], model: str | os.PathLike[str] | keras.Model
) -> Verification:
    """Runs an exported folder in a fresh process and compares it with its model in this one.

    The other process loads the folder through TensorFlow's C API and warms it up, as a model server
    does, and imports neither tfdeconv, Keras nor TensorFlow's Python. Both answer the same: random
    crops for `regions`, random photographs with boxes (some leave the image, one image has none)
    for `segment`, and a PNG and a JPEG for `segment_bytes`; `Segmenter` speaks for the model. Of a
    network for images of every size there are no boxes, and one image is large enough to be shrunk.
    Scores are compared with those of the model as it is served, batch normalisation folded and in
    the precision of the folder: rounding decides which of two nearly equal maxima a switch points
    to, and in a large network that moves scores by more than most mistakes would. The labels of
    `segment_bytes` are held against the model as it was trained, unless in half precision.

    Args:
        exported: What `export_saved_model` wrote: the folder of one version, or the folder above,
            of which the newest version is taken.
        model: The model, or where it is saved.

    Returns:
        A `Verification`; its `agrees` is the verdict.

    Raises:
        UserError: when the folder is no export, cannot be loaded or run, or is of a network of
            another shape.

    Example:

    >>> import tempfile
    >>> from tfdeconv.export import export_saved_model
    >>> convolution = keras.layers.Conv2D(2, 3, padding="same")
    >>> model = keras.Sequential([keras.Input((16, 16, 3)), convolution])
    >>> folder = export_saved_model(model, tempfile.mkdtemp())
    >>> verify(folder, model).agrees
    True
    """
    folder = newest_version(exported)
    metadata = read_metadata(folder)
    requests = sample_requests(metadata)
    # First, so that on a GPU it need not share the memory that this process takes for itself.
    answers, log = run_in_fresh_process(folder, requests, warm_up=True)
    pngs = answers["0/segment_bytes/labels_png_bytes"]
    answers[_FROM_FILES] = _joined(map(images.decode_labels, pngs))
    if not isinstance(model, keras.Model):
        model = load_for_inference(model)
    in_half = metadata.precision != "float32" or _computes_in_half(model)
    segmenter = local_segmenter(model, metadata)
    expected = _expected(segmenter, requests)
    # Beside the folded network, whose scores must be equal, the model as it was trained.
    as_trained = segmenter.model if in_half else model
    answers[_BY_MODEL] = answers["0/regions/scores"].argmax(axis=-1)
    expected[_BY_MODEL] = as_trained.predict_on_batch(requests["0/regions/crops"]).argmax(axis=-1)
    for name, value in expected.items():
        if answers[name].shape != value.shape:
            raise UserError(
                f"`{folder}` must be exported from this model. Received: {name} of shape "
                f"{answers[name].shape}, the model gives {value.shape}. Export it again."
            )
    return Verification(
        *_compare(answers, expected),
        bound=HALF_PRECISION_BOUND if in_half else SCORES_BOUND,
        warmed_up=len({name.split("/")[0] for name in answers if name.startswith("warmup")}),
        log=log,
    )


def local_segmenter(model: keras.Model, metadata: Metadata) -> Segmenter:
    """Returns what segments on this machine as the folder with this metadata does."""
    return Segmenter(
        model,
        boxes=metadata.boxes,
        aggregate=metadata.aggregate,
        proposals="grid",
        crf=None if metadata.crf is None else DenseCRF(**metadata.crf),
        precision=metadata.precision,
    )


def _expected(segmenter: Segmenter, requests: Arrays) -> Arrays:
    crops = requests["0/regions/crops"]
    photographs = requests["0/segment/images"]
    boxes: list[np.ndarray | None] = [None] * len(photographs)
    if segmenter.input_size is not None:
        both = requests["0/segment/boxes"], requests["0/segment/counts"]
        boxes = [one[:count] for one, count in zip(*both, strict=True)]
    found = [_probabilities(segmenter, *one) for one in zip(photographs, boxes, strict=True)]
    files = requests["0/segment_bytes/images_bytes"]
    return {
        "0/regions/scores": segmenter.model.predict_on_batch(crops),
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


def _computes_in_half(model: keras.Model) -> bool:
    return bool({layer.compute_dtype for layer in model.layers} & {"float16", "bfloat16"})


def _compare(answers: Arrays, expected: Arrays) -> tuple[float, float, float]:
    """Returns the difference of scores, that of confidence, and the share of equal labels."""
    scores = expected["0/regions/scores"]
    difference = np.max(np.abs(answers["0/regions/scores"] - scores))
    confidence = np.abs(answers["0/segment/confidence"] - expected["0/segment/confidence"])
    equal = _joined(answers[name] == expected[name] for name in _LABELS)
    return (
        float(difference / max(np.max(np.abs(scores)), 1e-30)),
        float(np.max(confidence)),
        float(np.mean(equal)),
    )
