"""A data set whose label maps are guessed from the classes of its images."""

import shutil
from pathlib import Path

import numpy as np

from tfdeconv import files, images, metrics
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL, encode_png
from tfdeconv.progress import track
from tfdeconv.weak.localise import present
from tfdeconv.weak.localiser import Localiser
from tfdeconv.weak.maps import pseudo_labels


def write_pseudo_set(
    localiser: Localiser, split: Split, out: Path, low: float, high: float
) -> float:
    """Writes a data set whose label maps are guessed from the classes of its images.

    The classes of every image are taken from its label map, as in training, and nothing else.
    Images are copied. The folder has a split of the same name, which `tfdeconv train` takes as it
    takes any other.

    Args:
        localiser: The network.
        split: The images and their classes.
        out: Folder in VOC layout, another than that of `split`; files that stand there are
            replaced.
        low: See `pseudo_labels`.
        high: See `pseudo_labels`.

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
        image = images.read_image(source)
        heats, _ = localiser.heats(image, present(truth))
        guessed = np.zeros(truth.shape, np.uint8)
        if heats:
            guessed = pseudo_labels(heats, low, high)
        given = np.where(guessed == IGNORE_LABEL, IGNORE_LABEL, truth)
        confusion += metrics.confusion_matrix(given, guessed, len(split.class_names))
        with files.replacing(out / "JPEGImages" / source.name) as beside:
            shutil.copyfile(source, beside)
        path = out / "SegmentationClass" / f"{image_id}.png"
        files.write_bytes(path, encode_png(guessed, colours))
    files.write_text(out / "classes.txt", "\n".join(split.class_names) + "\n")
    listed = "\n".join(split.ids) + "\n"
    files.write_text(out / "ImageSets" / "Segmentation" / f"{split.name}.txt", listed)
    return metrics.mean_iou(confusion)


def require_apart(split: Split, out: Path) -> None:
    """Refuses to replace the label maps that the classes are read from.

    Args:
        split: What is read.
        out: Where label maps are to be written.

    Raises:
        UserError: when both are one folder.
    """
    if out.resolve() == split.root.resolve():
        raise UserError(
            f"`{out}`, where pseudo-labels are written, must be another folder than that of the "
            f"data. Received: data in `{split.root}`. Choose another folder to write."
        )
