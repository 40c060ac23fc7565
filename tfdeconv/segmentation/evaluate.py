"""Evaluation on a labelled data set, as the VOC devkit measures it.

Every image is evaluated at its own resolution; pixels labelled 255 are ignored; counts of all
images are summed before any rate is taken. Rates are fractions in [0, 1].
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdeconv import files, images, metrics
from tfdeconv.boxes import Proposals
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.labels import encode_png
from tfdeconv.progress import track
from tfdeconv.segmentation.segmenter import Segmenter


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured.

    Attributes:
        confusion: `(classes, classes)` int64 pixel counts, truth in rows, prediction in columns.
        class_names: the name of every class.
        images: number of images.

    Example:

    >>> evaluation = Evaluation(np.array([[90, 5, 0], [0, 5, 0], [0, 0, 0]]), ("a", "b", "c"), 1)
    >>> print(evaluation.table())
    a               94.7
    b               50.0
    c                  -
    mean IoU        72.4
    pixel accuracy  95.0
    """

    confusion: np.ndarray
    class_names: tuple[str, ...]
    images: int

    @property
    def iou(self) -> dict[str, float]:
        """Class name -> intersection over union; NaN where neither truth nor prediction has it."""
        values = metrics.iou_per_class(self.confusion)
        return dict(zip(self.class_names, values.tolist(), strict=True))

    @property
    def mean_iou(self) -> float:
        """The mean over the classes that are in the truth or predicted."""
        return metrics.mean_iou(self.confusion)

    @property
    def pixel_accuracy(self) -> float:
        """Fraction of labelled pixels that are classified correctly."""
        return metrics.pixel_accuracy(self.confusion)

    def table(self) -> str:
        """Returns classes and means, one a line, in percent; `-` for what does not occur."""
        rows = {**self.iou, "mean IoU": self.mean_iou, "pixel accuracy": self.pixel_accuracy}
        width = max(map(len, rows))
        percent = {
            name: "-" if np.isnan(rate) else f"{100 * rate:.1f}" for name, rate in rows.items()
        }
        return "\n".join(f"{name:<{width}} {text:>5}" for name, text in percent.items())

    def as_json(self) -> dict[str, Any]:
        """Returns what `tfdeconv evaluate --json` writes; None for rates of no pixels."""
        return {
            "mean_iou": _number(self.mean_iou),
            "iou": {name: _number(rate) for name, rate in self.iou.items()},
            "pixel_accuracy": _number(self.pixel_accuracy),
            "images": self.images,
            "confusion": self.confusion.tolist(),
        }


def evaluate(
    segmenter: Segmenter,
    split: Split,
    proposals: Mapping[str, Proposals] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Segments the images of a split and compares them with their label maps.

    Args:
        segmenter: The network and its options.
        split: The data, from `tfdeconv.data.voc.read_split`.
        proposals: Image id -> proposals, from `tfdeconv.boxes.load`; None to find them.
        out: Folder for the predicted label maps, `<id>.png` in the colours of the data set's own.

    Returns:
        An `Evaluation`.

    Raises:
        UserError: when the classes of model and data differ, a file of the data is missing or
            damaged, an image has no proposals, or `out` cannot be written.

    Example:

    >>> import tempfile
    >>> from tfdeconv.data.drawn import draw_dataset
    >>> from tfdeconv.data.voc import read_split
    >>> from tfdeconv.models import DeconvNet
    >>> data = draw_dataset(tempfile.mkdtemp() + "/drawn", images=1, val=0)
    >>> segmenter = Segmenter(DeconvNet(9, (32, 32, 3), width=1 / 32), boxes=0)
    >>> evaluate(segmenter, read_split(data, "train")).images
    1

    Reference:
        Everingham et al.: The PASCAL Visual Object Classes Challenge, IJCV 2015, section 4.2.
    """
    names = _check_classes(segmenter, split)
    if proposals is not None and (missing := [key for key in split.ids if key not in proposals]):
        raise UserError(
            f"`proposals` must have boxes for every image of {split.name!r}. Received: none for "
            f"{len(missing)} of them, such as {missing[0]!r}. Make them with `tfdeconv propose`."
        )
    folder = None if out is None else files.ensure_writable_folder(out)
    colours = None if out is None else maps.read_colours(split)
    confusion = np.zeros((len(names), len(names)), np.int64)
    truths: deque[np.ndarray] = deque()

    def read() -> Iterator[np.ndarray]:
        for image_id in split.ids:
            # The label map first: a mistake in it shows before the network has run.
            truths.append(maps.read_labels(split, image_id, maps.read_header(split, image_id)))
            yield images.read_image(split.image_path(image_id))

    boxes = None if proposals is None else [proposals[image_id].boxes for image_id in split.ids]
    found = track(segmenter.segment_all(read(), boxes), f"Evaluating {split.name}", len(split.ids))
    for image_id, labels in zip(split.ids, found, strict=True):
        confusion += metrics.confusion_matrix(truths.popleft(), labels, len(names))
        if folder is not None:
            files.write_bytes(folder / f"{image_id}.png", encode_png(labels, colours))
    return Evaluation(confusion, names, len(split.ids))


def _check_classes(segmenter: Segmenter, split: Split) -> tuple[str, ...]:
    names = segmenter.class_names
    # Names that a model brings along must be the data's: another order would be measured wrongly.
    if names not in (None, split.class_names) or segmenter.num_classes != len(split.class_names):
        known = "" if names is None else f" ({', '.join(names)})"
        raise UserError(
            f"`{split.root}` must have the model's {segmenter.num_classes} classes{known}. "
            f"Received: {len(split.class_names)} ({', '.join(split.class_names)}). Give the data "
            "set a `classes.txt` with the model's names, one a line, or use a model trained on it."
        )
    return split.class_names


def _number(rate: float) -> float | None:
    return None if np.isnan(rate) else rate
