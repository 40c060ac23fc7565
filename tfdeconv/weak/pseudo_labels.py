"""Pseudo-labels: label maps made from the heatmaps of a classifier, to train a network on."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfdeconv import files, images, metrics
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL, encode_png
from tfdeconv.progress import track
from tfdeconv.weak.localise import Localiser, classes_in

# Thresholds for a network with average pooling: background up to LOW, object from HIGH on.
LOW, HIGH = 0.2, 0.7


def pseudo_labels(heats: Mapping[int, np.ndarray], low: float, high: float) -> np.ndarray:
    """Turns the heatmaps of the classes of an image into a label map to train on.

    Args:
        heats: Label from 1 -> `(height, width)` float32 in [0, 1], for every class that the image
            is known to have; at least one.
        low: A pixel is background up to this value.
        high: From this value on a pixel has the class of the highest value.

    Returns:
        `(height, width)` uint8 labels; 255, which is ignored, between the thresholds. Of equal
        values the first class of `heats` is taken.

    Raises:
        ValueError: when there is no heatmap, or not 0 <= low < high <= 1.

    Example:

    >>> pseudo_labels({3: np.array([[0.1, 0.4, 0.9]])}, low=0.2, high=0.5).tolist()
    [[0, 255, 3]]
    """
    if not heats or not 0 <= low < high <= 1:
        raise ValueError(
            "`heats` must hold a heatmap, and thresholds must be 0 <= low < high <= 1. "
            f"Received: {len(heats)} heatmaps, low={low}, high={high}"
        )
    stack = np.stack(list(heats.values()))
    highest = stack.max(axis=0)
    labels = np.array(list(heats), np.uint8)[stack.argmax(axis=0)]
    labels[highest < high] = IGNORE_LABEL
    labels[highest <= low] = 0
    return labels


def write_pseudo_set(
    localiser: Localiser, split: Split, out: Path, low: float = LOW, high: float = HIGH
) -> float:
    """Writes a data set whose label maps are pseudo-labels.

    The classes of every image are read from its label map, as in training, and nothing else. Images
    are copied. `tfdeconv train` takes the folder, which has a split of the same name.

    Args:
        localiser: The network.
        split: The images and their classes.
        out: Folder in PASCAL VOC layout, another than that of `split`; existing files are replaced.
        low, high: See `pseudo_labels`.

    Returns:
        The mean IoU of the pixels that were given a label, in [0, 1]; NaN where none was.

    Raises:
        UserError: when `out` is the folder of `split`, or a file of that is missing or damaged.
    """
    require_apart(split, out)
    confusion = np.zeros((len(split.class_names),) * 2, np.int64)
    colours = maps.read_colours(split)
    for image_id in track(split.ids, f"Labelling {split.name}"):
        source = split.image_path(image_id)
        truth = maps.read_labels(split, image_id, maps.read_header(split, image_id))
        heats, _ = localiser.heats(images.read_image(source), classes_in(truth))
        guessed = pseudo_labels(heats, low, high) if heats else np.zeros(truth.shape, np.uint8)
        judged = np.where(guessed == IGNORE_LABEL, IGNORE_LABEL, truth)
        confusion += metrics.confusion_matrix(judged, guessed, len(split.class_names))
        with files.replacing(out / "JPEGImages" / source.name) as temporary:
            shutil.copyfile(source, temporary)
        path = out / "SegmentationClass" / f"{image_id}.png"
        files.write_bytes(path, encode_png(guessed, colours))
    files.write_text(out / "classes.txt", "\n".join(split.class_names) + "\n")
    listed = "\n".join(split.ids) + "\n"
    files.write_text(out / "ImageSets" / "Segmentation" / f"{split.name}.txt", listed)
    return metrics.mean_iou(confusion)


def require_apart(split: Split, out: Path) -> None:
    """Checks that pseudo-labels do not replace the label maps that classes are read from.

    Raises:
        UserError: when `out` is the folder of `split`.
    """
    if out.resolve() == split.root.resolve():
        raise UserError(
            f"`{out}`, where pseudo-labels are written, must be another folder than that of the "
            f"data. Received: data in `{split.root}`. Choose another folder to write."
        )
