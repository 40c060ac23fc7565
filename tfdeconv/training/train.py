"""Training: from a data set to a run folder, by plain `compile` and `fit`."""

import dataclasses
import itertools
import os
import sys
from pathlib import Path
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfdeconv import processor
from tfdeconv.data import maps, voc
from tfdeconv.data.check import binary_masks, has_binary_masks
from tfdeconv.errors import UserError
from tfdeconv.models import set_palette
from tfdeconv.training import heads
from tfdeconv.training.callbacks import Keeper, Progress, started_again
from tfdeconv.training.encoder import train_encoder
from tfdeconv.training.init import (
    fitted_recipe,
    load_init,
    make_ready,
    mixed_policy,
    starting_model,
)
from tfdeconv.training.inputs import TrainingData, has_objects, read_data, training_batches
from tfdeconv.training.recipes import Recipe, find_recipe
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.weights.imagenet import IMAGENET

PathLike: TypeAlias = str | os.PathLike[str]


def train(
    network: str,
    data: PathLike,
    out: PathLike,
    stage: int | None = None,
    init: PathLike | None = None,
    proposals: PathLike | None = None,
    recipe: str = "small",
    seed: int = 0,
    mixed_precision: bool = False,
    resume: bool = False,
    **changes: Any,
) -> RunFolder:
    """Trains a network, DeconvNet in one of its two stages, and writes a run folder.

    Stage 1 of DeconvNet trains on single objects in the middle of their window, stage 2 on object
    proposals with all that is in them (section 4.2 of the paper). All other networks train on
    windows centred on objects and on windows of the rest of the images, or, without instance maps,
    on windows that cover the images.

    Args:
        network: One of `tfdeconv.training.recipes.NETWORKS`, such as "deconvnet" or "unet".
        data: Folder in PASCAL VOC layout with the splits `train` and, if possible, `val`.
        out: The run folder. It must be new unless `resume` is set.
        stage: 1 or 2 for DeconvNet, None for other networks.
        init: Run folder or `.keras` file to start from. Stage 2 starts from stage 1, other networks
            from one that shares layers with them by name and shape, such as FCN-16s with FCN-32s or
            SegNet with DeconvNet. "imagenet" or a .caffemodel: weights of VGG-16 or of the network.
        proposals: File written by `tfdeconv propose`, needed by stage 2.
        recipe: "small" (a narrow network, minutes on a CPU), "paper" (the paper's numbers) or
            "release" (what the code of the release did); most networks have only "small". See
            `tfdeconv.training.recipes`.
        seed: Decides the weights, the order of the windows and their augmentation.
        mixed_precision: Whether to compute in half precision.
        resume: Whether to continue the run in `out`, after Ctrl-C or a kill. On the CPU of one
            machine the weights are bit for bit those of an uninterrupted run.
        **changes: Of the recipe: `steps`, `batch_size`, `input_size`, `width`, `learning_rate`.

    Returns:
        The `RunFolder`; `tfdeconv.load_model(out)` opens its best model.

    Raises:
        UserError: for bad data, a run folder that does not fit, a diverged loss, or an interrupt
            (`TrainingInterrupted`), always with the last good state saved.

    Example:

    ```python
    tfdeconv.train("deconvnet", "shapes", "runs/stage1", stage=1, steps=500)
    model = tfdeconv.load_model("runs/stage1")
    ```
    """
    split = voc.read_split(data, "train")
    names = split.class_names
    if has_binary_masks(split):
        print(f"warning: {binary_masks(split)}.", file=sys.stderr)
    chosen = find_recipe(recipe, network, stage)
    if has_objects(split):
        chosen = chosen.for_objects()
    chosen = chosen.with_changes(**changes)
    run = RunFolder(out)
    first = None
    if init is not None:
        first = load_init(init, network, chosen, names, seed)
        chosen = fitted_recipe(chosen, network, first, changes)
    settings = {
        "network": network,
        "stage": stage,
        "data": _resolved(data),
        "init": _resolved(init),
        "proposals": _resolved(proposals),
        "recipe": dataclasses.asdict(chosen),
        "class_names": names,
        "seed": seed,
        "mixed_precision": mixed_precision,
    }
    if resume:
        run.check_same(settings)
    else:
        run.require_new()
    model, state = _begin(run, resume, chosen, settings, first)
    colours = maps.read_colours(split)
    if colours is not None:
        set_palette(model, colours)
    if not resume:
        run.begin(settings)
    if state["step"] < chosen.batches or "unvalidated" in state:
        inputs = read_data(stage, data, proposals, chosen, seed)
        make_ready(model)
        on_processor = not tf.config.get_visible_devices("GPU")
        if on_processor and (hint := processor.slow_training(mixed_precision)):
            print(f"Hint: {hint}", file=sys.stderr)
        try:
            # With a single class of objects there is nothing to classify.
            if chosen.encoder_steps and first is None and state["step"] == 0 and len(names) > 2:
                how = "Give the same command with --resume to start it again."
                with started_again("encoder was trained to classify", run, how):
                    train_encoder(model, inputs, chosen, seed)
            _fit(model, run, state, chosen, inputs, seed)
        except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
            raise _about_file(error, inputs) from error
    return run


def _resolved(path: PathLike | None) -> str | None:
    return None if path is None else IMAGENET if path == IMAGENET else str(Path(path).resolve())


def _begin(
    run: RunFolder,
    resume: bool,
    recipe: Recipe,
    settings: dict[str, Any],
    first: keras.Model | None,
) -> tuple[keras.Model, dict[str, Any]]:
    """Returns the compiled model and the state of the run."""
    if resume and run.last.is_dir():
        return run.load_last()
    keras.utils.set_random_seed(settings["seed"])
    policy = mixed_policy() if settings["mixed_precision"] else "float32"
    model = starting_model(settings["network"], recipe, settings["class_names"], first, policy)
    if recipe.head_weight:
        model = heads.with_heads(model, recipe.input_size)
    model.compile(optimizer=recipe.build_optimizer(), **heads.objectives(model, recipe))
    return model, {"step": 0, "best": -1.0, "history": []}


def _fit(
    model: keras.Model,
    run: RunFolder,
    state: dict[str, Any],
    recipe: Recipe,
    inputs: TrainingData,
    seed: int,
) -> None:
    every = recipe.validate_every * recipe.accumulate
    keeper = Keeper(run, state, recipe.batches, recipe.accumulate)
    callbacks = [keeper, Progress(recipe.batches, state["step"], recipe.accumulate)]
    validation = inputs.validation and heads.repeat_labels(inputs.validation, model)
    try:
        if "unvalidated" in state:
            keeper.on_train_begin()
            _validate(model, validation, state["unvalidated"], callbacks)
        for first, batches, epochs in segments(state["step"], recipe.batches, every):
            last = first + batches * epochs
            model.fit(
                heads.repeat_labels(training_batches(inputs, recipe, seed, first, last), model),
                initial_epoch=first // every,
                epochs=first // every + epochs,
                steps_per_epoch=batches,
                validation_data=validation,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    finally:
        keeper.restore_handlers()


def _validate(
    model: keras.Model,
    validation: tf.data.Dataset,
    logs: dict[str, float],
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Repeats the validation of an epoch, in which the training was interrupted."""
    measured = model.evaluate(validation, callbacks=callbacks, verbose=0, return_dict=True)
    logs = logs | {f"val_{name}": value for name, value in measured.items()}
    for callback in callbacks:
        callback.on_epoch_end(-1, logs)


def _about_file(error: tf.errors.OpError, inputs: TrainingData) -> Exception:
    # The graph reads the files. An error that names one of them is the user's, any other is a bug.
    line = next((t for t in str(error).splitlines() if str(inputs.split.root) in t), None)
    if line is None:
        return error
    return UserError(
        f"A file could not be read during training: {line.split('assertion failed: ')[-1]} "
        "Find damaged files with `tfdeconv check`, repair them and continue with --resume."
    )


def segments(step: int, total: int, every: int) -> list[tuple[int, int, int]]:
    """Divides the rest of a training into calls of `fit`.

    Args:
        step: Batches done.
        total: Batches of the full training.
        every: Batches between validations.

    Returns:
        `(first batch, batches an epoch, epochs)`: the rest of an interrupted epoch, the complete
        epochs, and a shorter last one.

    Example:

    >>> segments(130, 450, 100)
    [(130, 70, 1), (200, 100, 2), (400, 50, 1)]
    """
    begin, end = -(-step // every) * every, total // every * every
    cuts = sorted({step, min(begin, total), max(end, step), total})
    return [
        (first, min(every, last - first), max(1, (last - first) // every))
        for first, last in itertools.pairwise(cuts)
    ]
