"""Checking a data set: every file that training would fail on, before it starts.

One image is in memory at a time, and its size is known from the header before it is decoded.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tfdeconv import images
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL, labels_of_indices
from tfdeconv.progress import track

T = TypeVar("T")
# Label maps that a training looks at before it starts.
_FIRST = 20


@dataclass
class Report:
    """The result of checking one split.

    Attributes:
        split: The split.
        problems: A message for each problem, with the name of the file and the remedy.
        objects: Number of instances.
        ambiguous: The first label map whose palette may be PASCAL VOC's in another order, though it
            is read by its indices; None where there is none.
        pixels: `(256,)` int64, pixels of each label.
    """

    split: Split
    problems: list[str] = field(default_factory=list)
    objects: int = 0
    ambiguous: str | None = None
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))

    def notes(self) -> list[str]:
        """Returns remarks on what is unusual but not wrong, such as classes that do not occur."""
        names = self.split.class_names
        absent = [name for name, count in zip(names, self.pixels, strict=False) if not count]
        notes = []
        if _hold_no_class(self.pixels):
            notes.append(binary_masks(self.split))
        elif absent:
            notes.append(f"{self.split.name!r} has no pixels of {', '.join(absent)}")
        if not self.objects:
            notes.append(
                f"{self.split.name!r} has no instance maps: DeconvNet's stage 1 cannot be "
                "trained on it"
            )
        if self.ambiguous:
            notes.append(
                f"`{self.ambiguous}` has colours of PASCAL VOC's palette in another order, and is "
                "read by its indices. If an optimizer reordered the palette, save it as a gray PNG"
            )
        return notes

    def summary(self) -> str:
        """Returns one line: images, objects, share of the pixels of each class, problems."""
        total = max(int(self.pixels.sum()), 1)
        names = dict(enumerate(self.split.class_names)) | {IGNORE_LABEL: "void"}
        shares = [
            f"{name} {100 * self.pixels[label] / total:.1f} %"
            for label, name in names.items()
            if self.pixels[label]
        ]
        count = len(self.problems)
        return (
            f"{self.split.name}: {len(self.split.ids)} images, {self.objects} objects; "
            f"{', '.join(shares) or 'no labels'}; "
            + ("no problems" if not count else f"{count} problem{'s' * (count > 1)}")
        )


def check_split(split: Split) -> Report:
    """Reads every file of a split and reports every file that training would fail on.

    Reported are: missing, truncated, oversized or undecodable images and maps, photographs rotated
    by EXIF, maps of another size or kind, colours outside the palette, class numbers that the data
    set does not have, instances that contradict the classes, and ids listed twice.
    """
    report = Report(split)
    for image_id, count in Counter(split.ids).items():
        if count > 1:
            report.problems.append(
                f"`{split.list_path}` must list every image once. Received: {image_id!r} {count} "
                "times. Remove the repetitions."
            )
    for image_id in track(dict.fromkeys(split.ids), f"Checking {split.name}"):
        _check_image(report, image_id)
    return report


def binary_masks(split: Split) -> str:
    """Returns the message for label maps that hold 0 and 255 alone."""
    return (
        f"the label maps of {split.name!r} contain only 0 and 255. 255 is the ignore index, "
        "so that "
        f"{split.class_names[1]!r} is not trained. If 255 means an object, convert the data set "
        "with `tfdeconv import`"
    )


def has_binary_masks(split: Split) -> bool:
    """Returns whether the first label maps of a split that can be read hold 0 and 255 alone."""
    pixels = np.zeros(256, np.int64)
    for image_id in split.ids[:_FIRST]:
        with contextlib.suppress(UserError):
            pixels += maps.count_labels(maps.read_labels(split, image_id, None))
        if pixels[1:IGNORE_LABEL].any():
            return False
    return _hold_no_class(pixels)


def _hold_no_class(pixels: np.ndarray) -> bool:
    # A single blank image may be right; objects that are all void are not.
    return pixels[IGNORE_LABEL] > 0 and not pixels[1:IGNORE_LABEL].any()


def compare_splits(train: Report, val: Report) -> list[str]:
    """Returns remarks on the training and the validation split of a data set.

    These are photographs that are in both, under the same or another name, and classes that occur
    in validation alone.
    """
    known = {_digest(train.split, image_id): image_id for image_id in train.split.ids}
    both = [(known.get(_digest(val.split, image_id)), image_id) for image_id in val.split.ids]
    same = [pair for pair in both if pair[0] is not None]
    notes = []
    if same:
        notes.append(
            f"{len(same)} image{'s' * (len(same) > 1)} of {val.split.name!r} "
            f"{'are' if len(same) > 1 else 'is'} also in {train.split.name!r}, such as "
            f"{same[0][1]!r} (there {same[0][0]!r}). Validation scores will be too high"
        )
    names = val.split.class_names
    new = [n for k, n in enumerate(names) if val.pixels[k] and not train.pixels[k]]
    if new and train.pixels.any():
        notes.append(
            f"only {val.split.name!r} has pixels of {', '.join(new)}, which cannot be learned"
        )
    return notes


def _digest(split: Split, image_id: str) -> str:
    try:
        return hashlib.blake2b(split.image_path(image_id).read_bytes()).hexdigest()
    except (OSError, UserError):
        # A problem of its own, and equal to nothing.
        return f"{split.name}/{image_id}"


def _check_image(report: Report, image_id: str) -> None:
    split = report.split
    header = _attempt(report, lambda: maps.read_header(split, image_id))
    if header is not None:
        _attempt(report, lambda: _decode(split, image_id))
    labels = _attempt(report, lambda: maps.read_labels(split, image_id, header))
    objects = _attempt(report, lambda: maps.read_objects(split, image_id, header))
    if labels is None:
        return
    if report.ambiguous is None:
        report.ambiguous = _ambiguous(split, image_id)
    report.pixels += maps.count_labels(labels)
    if objects is not None and objects.shape == labels.shape:
        name = str(split.object_path(image_id))
        found = _attempt(report, lambda: maps.check_objects(objects, labels, name))
        report.objects += 0 if found is None else len(found.ids)


def _ambiguous(split: Split, image_id: str) -> str | None:
    path = split.label_path(image_id)
    colours = images.read_palette(path)
    if colours is None or labels_of_indices(colours, split.class_names) is not None:
        return None
    found = labels_of_indices(colours)
    if found is None or not set(found.tolist()) <= {*range(len(split.class_names)), IGNORE_LABEL}:
        return None
    return str(path)


def _attempt(report: Report, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except UserError as error:
        report.problems.append(str(error))
        return None


def _decode(split: Split, image_id: str) -> None:
    # Both decoders: what one of them forgives, the other may refuse.
    import tensorflow as tf

    from tfdeconv.data.decode import decode_image

    path = split.image_path(image_id)
    images.read_image(path)
    try:
        decode_image(tf.constant(path.read_bytes()), str(path))
    except tf.errors.InvalidArgumentError as error:
        raise UserError(
            f"`{path}` must be an undamaged image. Received: a file that TensorFlow cannot decode. "
            "Save it again or remove it."
        ) from error
