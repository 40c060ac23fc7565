"""The windows of a stage and the datasets that `fit` is given."""

import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdeconv import boxes
from tfdeconv.data import pipeline, voc, windows
from tfdeconv.data.whole_images import centred_windows, fill_outside, image_windows
from tfdeconv.errors import UserError
from tfdeconv.training.recipes import Recipe
from tfdeconv.training.stages import OBJECT_STAGES

# Enough to compare checkpoints by; all windows of VOC val would take longer than the steps between.
MAX_VALIDATION_WINDOWS = 1000


class StageData(NamedTuple):
    """What a stage trains and validates on.

    Attributes:
        split: The training split.
        windows: Its windows, balanced over the classes.
        validation: Batches of `(images, labels)`, or None where the data has no val split.
        whole: Whether the windows are those of whole images, without black around them.
    """

    split: voc.Split
    windows: windows.Windows
    validation: tf.data.Dataset | None
    whole: bool = False


def stage_data(
    stage: str,
    data: str | os.PathLike[str],
    proposals: str | os.PathLike[str] | None,
    recipe: Recipe,
    seed: int,
) -> StageData:
    """Reads a data set and makes the windows of a stage.

    Args:
        stage: "stage1" (annotated objects), "stage2" (object proposals), or the name of a network
            that sees whole images.
        data: Folder in PASCAL VOC layout.
        proposals: File written by `tfdeconv propose`; needed by stage 2 alone.
        recipe: Gives input and batch size.
        seed: Decides which windows are repeated to balance the classes.

    Returns:
        The `StageData`.

    Raises:
        UserError: for data or proposals that cannot be used; the message names the file.
    """
    found = None
    if stage == "stage2":
        if proposals is None:
            raise UserError(
                "Stage 2 must have object proposals. Received: none. Make them by "
                "`tfdeconv propose DATA --out proposals.npz` and pass --proposals proposals.npz."
            )
        found = boxes.load(proposals)
    split = voc.read_split(data, "train")
    cut = windows.balance(_windows(stage, split, found, recipe, seed), seed)
    validation = None
    if (split.root / "ImageSets" / "Segmentation" / "val.txt").is_file():
        val = voc.read_split(data, "val")
        validation = pipeline.validation_dataset(
            val,
            _sample(_windows(stage, val, found, recipe, seed, validating=True)),
            input_size=recipe.input_size,
            batch_size=recipe.batch_size,
        )
    whole = stage not in OBJECT_STAGES
    if whole and validation is not None:
        validation = validation.map(fill_outside)
    return StageData(split, cut, validation, whole)


def fitted_to_data(recipe: Recipe, split: voc.Split) -> Recipe:
    """Returns the recipe for windows about objects where the data set has instance maps."""
    return recipe.about_objects() if _has_objects(split) else recipe


def training_batches(
    stage: StageData, recipe: Recipe, seed: int, first: int, last: int
) -> tf.data.Dataset:
    """Returns batches `first` to `last` (not included) of the stream that the seed decides."""
    batches = pipeline.training_dataset(
        stage.split,
        stage.windows,
        input_size=recipe.input_size,
        batch_size=recipe.batch_size,
        steps=last,
        seed=seed,
        first_step=first,
    )
    return batches.map(fill_outside) if stage.whole else batches


def _has_objects(split: voc.Split) -> bool:
    return (split.root / "SegmentationObject").is_dir()


def _sample(cut: windows.Windows) -> windows.Windows:
    count = min(len(cut), MAX_VALIDATION_WINDOWS)
    return cut.take(np.linspace(0, len(cut) - 1, count).round().astype(int))


def _windows(
    stage: str,
    split: voc.Split,
    found: dict[str, boxes.Proposals] | None,
    recipe: Recipe,
    seed: int,
    validating: bool = False,
) -> windows.Windows:
    if stage == "stage1":
        return windows.object_windows(split)
    if found is not None:
        return windows.proposal_windows(split, found, background=recipe.background)
    # What is cut at random to the input size must be as much larger as the pipeline makes it, or
    # objects would have another size in training than in the images of inference.
    side = recipe.input_size
    if validating:
        return image_windows(split, side)
    side = round(pipeline.WINDOW_PER_INPUT * recipe.input_size)
    covering = image_windows(split, side, margin=(side - recipe.input_size) // 2)
    if recipe.object_size and _has_objects(split):
        return _about_objects(split, side, covering, seed)
    return covering


def _about_objects(
    split: voc.Split, side: int, covering: windows.Windows, seed: int
) -> windows.Windows:
    objects = centred_windows(split, side)
    # As many of the rest of the images as of the most frequent class: what is far from objects is
    # never in the middle of a window, and a network that had not seen it found objects everywhere.
    count = min(len(covering), int(np.bincount(objects.label).max()))
    chosen = np.random.default_rng(seed).choice(len(covering), count, replace=False)
    return windows.concatenate([objects, covering.take(np.sort(chosen))])
