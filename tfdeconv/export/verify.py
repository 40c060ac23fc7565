"""Whether an exported folder does what its model does, in a process without Keras or tfdeconv."""

import os
from typing import NamedTuple

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.export.fresh_process import Arrays, run_in_fresh_process
from tfdeconv.export.saved_model import Metadata, newest_version, read_metadata
from tfdeconv.inference.segmenter import Segmenter
from tfdeconv.models import load_model

# Largest difference of the scores over the largest score. The same graph on the same machine
# differs by nothing or by the order of additions; bfloat16 rounds 2**16 times as coarsely.
SCORES_BOUND = 1e-4
HALF_PRECISION_BOUND = 2e-2
# Pixels whose two best scores differ by less than that may fall either way.
LABELS_BOUND = 0.999


class Verification(NamedTuple):
    """What `verify` measured.

    Attributes:
        scores_difference: largest difference of `regions` over the largest absolute score.
        confidence_difference: largest difference of `segment`'s confidence, in [0, 1].
        equal_labels: share of `segment`'s pixels whose labels are the same, in [0, 1].
        bound: the largest difference of scores and confidence that counts as equal.
        log: the warnings and errors that TensorFlow wrote while it loaded and ran the folder.
    """

    scores_difference: float
    confidence_difference: float
    equal_labels: float
    bound: float
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
            f"(at least {100 * LABELS_BOUND:g} % required)"
        )


def verify(
    exported: str | os.PathLike[str], model: str | os.PathLike[str] | keras.Model
) -> Verification:
    """Runs an exported folder in a fresh process and compares it with its model in this one.

    The other process loads the folder through TensorFlow's C API, as a model server does, and
    imports neither tfdeconv, Keras nor TensorFlow's Python. Both answer the same: random crops for
    `regions`, and random photographs with boxes (some leave the image, one image has none) for
    `segment`, where `Segmenter` speaks for the model.

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
    requests = sample_requests(metadata.input_size)
    # First, so that on a GPU it need not share the memory that this process takes for itself.
    answers, log = run_in_fresh_process(folder, requests)
    if not isinstance(model, keras.Model):
        model = load_model(model)
    expected = _expected(model, metadata, requests)
    for name, value in expected.items():
        if answers[name].shape != value.shape:
            raise UserError(
                f"`{folder}` must be exported from this model. Received: {name} of shape "
                f"{answers[name].shape}, the model gives {value.shape}. Export it again."
            )
    return _compare(answers, expected, _bound(model), log)


def sample_requests(size: int) -> Arrays:
    """Returns requests for both signatures, named `<call>/<signature>/<input>`.

    Args:
        size: side of the network's input in pixels.
    """
    generator = np.random.default_rng(0)
    height, width = size + size // 4, size + size // 2 + 1
    images = np.stack([_photograph(generator, height, width) for _ in range(2)])
    crops = np.stack([_photograph(generator, size, size) for _ in range(3)])
    boxes = np.array([[0.1, 0.2, 0.6, 0.5], [-0.2, 0.5, 0.7, 1.3], [0.55, 0.0, 0.8, 0.95]])
    boxes = (boxes * [height, width, height, width]).astype(np.float32)
    return {
        "0/regions/crops": crops.astype(np.float32),
        "0/segment/images": images,
        "0/segment/boxes": np.stack([boxes, boxes]),
        "0/segment/counts": np.array([3, 0], np.int32),
    }


def _photograph(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    # Patches and noise: flat areas make ties, which pooling must break as the model does.
    patches = generator.integers(0, 256, (-(-height // 8), -(-width // 8), 3))
    patches = np.kron(patches, np.ones((8, 8, 1), int))[:height, :width]
    noise = generator.integers(-20, 21, patches.shape)
    return np.clip(patches + noise * (patches > 100), 0, 255).astype(np.uint8)


def _expected(model: keras.Model, metadata: Metadata, requests: Arrays) -> Arrays:
    crops = requests["0/regions/crops"]
    expected = {"0/regions/scores": model.predict_on_batch(crops)}
    segmenter = Segmenter(model, boxes=metadata.boxes, aggregate=metadata.aggregate)
    inputs = (requests[f"0/segment/{name}"] for name in ("images", "boxes", "counts"))
    scores = np.stack(
        [
            segmenter.scores(image, boxes[:count])
            for image, boxes, count in zip(*inputs, strict=True)
        ]
    )
    expected["0/segment/labels"] = scores.argmax(axis=-1).astype(np.uint8)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    expected["0/segment/confidence"] = 1 / exponentials.sum(axis=-1)
    return expected


def _bound(model: keras.Model) -> float:
    dtypes = {layer.compute_dtype for layer in model.layers}
    return HALF_PRECISION_BOUND if dtypes & {"float16", "bfloat16"} else SCORES_BOUND


def _compare(answers: Arrays, expected: Arrays, bound: float, log: tuple[str, ...]) -> Verification:
    scores = expected["0/regions/scores"]
    difference = np.max(np.abs(answers["0/regions/scores"] - scores))
    confidence = np.abs(answers["0/segment/confidence"] - expected["0/segment/confidence"])
    equal = answers["0/segment/labels"] == expected["0/segment/labels"]
    return Verification(
        scores_difference=float(difference / max(np.max(np.abs(scores)), 1e-30)),
        confidence_difference=float(np.max(confidence)),
        equal_labels=float(np.mean(equal)),
        bound=bound,
        log=log,
    )
