"""The windows that a network is trained and validated on, and the datasets of them for `fit`."""

import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdeconv import boxes
from tfdeconv.data import pipeline, voc, windows
from tfdeconv.data.whole_images import centred_windows, fill_outside, image_windows
from tfdeconv.errors import UserError
from tfdeconv.training.recipes import Recipe

# Enough to compare checkpoints by; all windows of VOC val would take longer than the steps between.
MAX_VALIDATION_WINDOWS = 1000
# A window that is trained on costs about three that are validated: a quarter of the time at most.
# A bound by counts, not by measured time, gives a resumed run the validation of the whole one.
VALIDATED_PER_TRAINED = 3 / 4


class TrainingData(NamedTuple):
    """What a network is trained and validated on.

    Attributes:
        split: The training split.
        windows: Its windows, balanced over the classes.
        validation: Batches of `(images, labels)`, or None where the data has no val split.
        full_images: Whether pixels outside the images have the mean colour instead of black, as for
            all networks but DeconvNet.
    """

    split: voc.Split
    windows: windows.Windows
    validation: tf.data.Dataset | None
    full_images: bool = False


def read_data(
    stage: int | None,
    data: str | os.PathLike[str],
    proposals: str | os.PathLike[str] | None,
    recipe: Recipe,
    seed: int,
) -> TrainingData:
    """Reads a data set and chooses the windows.

    Args:
        stage: Of DeconvNet: 1 (annotated objects) or 2 (object proposals). None for all other
            networks, which run on full images.
        data: Folder in PASCAL VOC layout.
        proposals: File written by `tfdeconv propose`; needed by stage 2 alone.
        recipe: Gives input and batch size.
        seed: Decides which windows are repeated to balance the classes.

    Returns:
        The `TrainingData`.

    Raises:
        UserError: for data or proposals that cannot be used; the message names the file.
    """
    found = None
    if stage == 2:
        if proposals is None:
            raise UserError(
                "Stage 2 requires object proposals. Received: none. Make them with "
                "`tfdeconv propose DATA --out proposals.npz` and add --proposals proposals.npz."
            )
        found = boxes.load(proposals)
    split = voc.read_split(data, "train")
    cut = windows.balance(_windows(stage, split, found, recipe, seed), seed)
    validation = None
    if (split.root / "ImageSets" / "Segmentation" / "val.txt").is_file():
        val = voc.read_split(data, "val")
        judged = _windows(stage, val, found, recipe, seed, validating=True)
        count = min(len(judged), MAX_VALIDATION_WINDOWS, _validated_between(recipe))
        validation = pipeline.validation_dataset(
            val,
            judged.take(np.linspace(0, len(judged) - 1, count).round().astype(int)),
            input_size=recipe.input_size,
            batch_size=recipe.batch_size,
        )
        if stage is None:
            validation = validation.map(fill_outside)
    return TrainingData(split, cut, validation, full_images=stage is None)


def training_batches(
    data: TrainingData, recipe: Recipe, seed: int, first: int, last: int
) -> tf.data.Dataset:
    """Returns batches `first` to `last` (not included) of the stream that the seed decides."""
    batches = pipeline.training_dataset(
        data.split,
        data.windows,
        input_size=recipe.input_size,
        batch_size=recipe.batch_size,
        steps=last,
        seed=seed,
        first_step=first,
    )
    return batches.map(fill_outside) if data.full_images else batches


def has_objects(split: voc.Split) -> bool:
    """Whether a data set has instance maps."""
    return (split.root / "SegmentationObject").is_dir()


def _validated_between(recipe: Recipe) -> int:
    trained = recipe.validate_every * recipe.accumulate * recipe.batch_size
    return max(1, int(VALIDATED_PER_TRAINED * trained))


def _windows(
    stage: int | None,
    split: voc.Split,
    found: dict[str, boxes.Proposals] | None,
    recipe: Recipe,
    seed: int,
    validating: bool = False,
) -> windows.Windows:
    if stage == 1:
        return windows.object_windows(split)
    if found is not None:
        return windows.proposal_windows(split, found, background=recipe.background)
    # What is cropped at random to the input size must be as much larger as the pipeline makes it,
    # or objects would have another size in training than in the images of inference.
    side = recipe.input_size
    if validating:
        return image_windows(split, side)
    side = round(pipeline.WINDOW_PER_INPUT * recipe.input_size)
    covering = image_windows(split, side, margin=(side - recipe.input_size) // 2)
    if not (recipe.object_size and has_objects(split)):
        return covering
    objects = centred_windows(split, side)
    # As many of the rest of the images as of the most frequent class: what is far from objects is
    # never in the middle of a window, and a network not trained on it finds objects everywhere.
    count = min(len(covering), int(np.bincount(objects.label).max()))
    chosen = np.random.default_rng(seed).choice(len(covering), count, replace=False)
    return windows.concatenate([objects, covering.take(np.sort(chosen))])
