"""What segmenting asks of networks, images, boxes and scores."""

from collections.abc import Sequence

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL

AUTO = "auto"
MOST_OVERLAP = 0.9
# At a tenth there is little left to recognise, and at ten times 100 times as much to compute.
# Whole images are shown at up to 500 pixels a side: four times that takes a gigabyte for a map of
# 64 channels, as does a window of 2048.
SCALES = (0.1, 4.0)
LARGEST_WINDOW = 2048


def sizes(model: keras.Model) -> tuple[int | None, int]:
    """Returns the side of a network's input, None where it takes any, and its number of classes.

    Raises:
        UserError: when the network does not map images of one square size, or of every size, to
            scores of 2 to 255 classes.
    """
    try:
        inputs, outputs = model.input_shape, model.output_shape
    except (AttributeError, ValueError):
        inputs = outputs = None
    # A model with several inputs or outputs has lists or dictionaries of shapes.
    if (
        isinstance(inputs, tuple)
        and isinstance(outputs, tuple)
        and len(inputs) == len(outputs) == 4
    ):
        size, classes = inputs[1], outputs[3]
        square = inputs[1:] == (size, size, 3)
        if square and isinstance(classes, int) and 2 <= classes <= IGNORE_LABEL:
            return size, classes
    raise UserError(
        "`model` must map RGB images of one square size, (batch, size, size, 3), or of every size, "
        f"(batch, None, None, 3), to scores of 2 to {IGNORE_LABEL} classes, (batch, rows, columns, "
        f"classes). Received: inputs {inputs}, outputs {outputs}. Give a segmentation network."
    )


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuses a value that is none of the choices.

    Raises:
        ValueError: which names the argument.
    """
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")


def require_counts(boxes: int, batch_size: int) -> None:
    """Refuses numbers out of range.

    Raises:
        ValueError: when `boxes` is negative or `batch_size` below 1.
    """
    if boxes < 0 or batch_size < 1:
        raise ValueError(
            "`boxes` must be at least 0 and `batch_size` at least 1. "
            f"Received: boxes={boxes}, batch_size={batch_size}"
        )


def require_window(window: int | str | None, overlap: float) -> None:
    """Refuses windows without area and overlaps that would not let them advance.

    Raises:
        ValueError: when either is out of range.
    """
    whole = isinstance(window, int) and not isinstance(window, bool)
    if window not in (None, AUTO) and not (whole and 1 <= int(window or 0) <= LARGEST_WINDOW):
        raise ValueError(
            f"`window` must be a whole number of pixels from 1 to {LARGEST_WINDOW}, {AUTO!r}, or "
            f"None for none. Received: window={window!r}"
        )
    # Comparisons with NaN are false.
    if not 0 <= overlap <= MOST_OVERLAP:
        raise ValueError(
            f"`overlap` must be a share from 0 to {MOST_OVERLAP}. Received: overlap={overlap}"
        )


def as_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """Returns scales as a tuple.

    Raises:
        ValueError: when there are none, or one is out of range.
    """
    least, most = SCALES
    found = tuple(map(float, scales))
    if not found or not all(least <= one <= most for one in found):
        raise ValueError(
            f"`scales` must be one or more numbers from {least:g} to {most:g}. Received: "
            f"scales={scales}"
        )
    return found


def require_image(image: np.ndarray) -> None:
    """Refuses what is no RGB image.

    Raises:
        ValueError: for another shape or dtype.
    """
    shape, dtype = np.shape(image), getattr(image, "dtype", None)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise ValueError(
            "`image` must be a non-empty (height, width, 3) uint8 RGB array. Received: "
            f"shape={shape}, dtype={dtype}. `tfdeconv.images.read_image` gives one for any file."
        )


def as_boxes(boxes: np.ndarray) -> np.ndarray:
    """Returns boxes as `(n, 4)` float32.

    Raises:
        ValueError: for another shape, and for coordinates that are not finite or 2**29 and more.
    """
    boxes = np.asarray(boxes, np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.all(np.abs(boxes) < 2**29):
        raise ValueError(
            "`boxes` must be an (n, 4) array of finite top, left, bottom, right in pixels. "
            f"Received: shape={boxes.shape}, {boxes}"
        )
    return boxes


def as_scores(scores: np.ndarray) -> np.ndarray:
    """Returns what a network gave as float32.

    Raises:
        UserError: when there is a NaN or an infinite score in it.
    """
    scores = np.asarray(scores, np.float32)
    if not (scores.max() < np.inf and scores.min() > -np.inf):
        raise UserError(
            "The network must give numbers. Received: NaN or infinite scores. Its training went "
            "wrong, or its numbers overflow in half precision."
        )
    return scores
