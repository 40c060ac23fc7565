"""Training of one stage: from a data set to a run folder, by plain `compile` and `fit`."""

import os
import sys
from typing import Any

import keras
import tensorflow as tf

from tfdeconv import processor
from tfdeconv.data import maps, voc
from tfdeconv.errors import UserError
from tfdeconv.models import load_model, set_palette
from tfdeconv.training import heads, start
from tfdeconv.training.callbacks import Keeper, Progress, TrainingInterrupted
from tfdeconv.training.encoder import train_encoder
from tfdeconv.training.inputs import StageData, fitted_to_data, stage_data, training_batches
from tfdeconv.training.pretrained import first_model
from tfdeconv.training.ready import make_ready
from tfdeconv.training.recipes import Recipe
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.settings import fitted, settings_of, versions
from tfdeconv.training.stages import find_recipe, network_of


def train(
    stage: str,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    init: str | os.PathLike[str] | None = None,
    proposals: str | os.PathLike[str] | None = None,
    recipe: str = "small",
    seed: int = 0,
    mixed_precision: bool = False,
    resume: bool = False,
    **changes: Any,
) -> RunFolder:
    """Trains one stage of DeconvNet, or another network, and writes a run folder.

    Section 4.2 of the paper: the first stage learns from single objects in the middle of their
    window, the second from object proposals with all that is in them. All other networks learn from
    windows about objects and of the rest of the images, or from windows that cover the images.

    Args:
        stage: "stage1", "stage2", or another network: one of `tfdeconv.training.stages.STAGES`.
        data: Folder in PASCAL VOC layout with the splits `train` and, if possible, `val`.
        out: The run folder. It must be new unless `resume` is set.
        init: Run folder or `.keras` file to start from; stage 2 starts from stage 1, other networks
            from one that shares layers with them by name and shape, such as FCN-16s with FCN-32s or
            SegNet with DeconvNet. "imagenet" or a .caffemodel: weights of VGG-16 or of the network.
        proposals: File written by `tfdeconv propose`, needed by stage 2.
        recipe: "small" (a narrow network, minutes on a CPU), "paper" (its numbers) or "release"
            (what its code did; `tfdeconv.training.recipes`); most networks have the first alone.
        seed: Decides the weights, the order of the windows and their augmentation.
        mixed_precision: Whether to compute in half precision.
        resume: Whether to go on with the run in `out`, after Ctrl-C or a kill. On one machine's CPU
            the weights come out bit for bit as those of an uninterrupted run.
        **changes: Of the recipe: `steps`, `batch_size`, `input_size`, `width`, `learning_rate`.

    Returns:
        The `RunFolder`; `tfdeconv.load_model(out)` opens its best model.

    Raises:
        UserError: for bad data, a run folder that does not fit, a diverged loss, or an interrupt
            (`TrainingInterrupted`), always with the last good state kept.

    Example:

    ```python
    tfdeconv.train("stage1", "shapes", "runs/stage1", steps=500)
    model = tfdeconv.load_model("runs/stage1")
    ```
    """
    split = voc.read_split(data, "train")
    names = split.class_names
    chosen = fitted_to_data(find_recipe(recipe, stage), split).with_changes(**changes)
    run = RunFolder(out)
    first = first_model(init, chosen, names, network_of(stage), seed)
    if first is not None:
        chosen = fitted(stage, chosen, first, changes)
    settings = settings_of(stage, data, init, proposals, chosen, names, seed, mixed_precision)
    if resume:
        run.check_same(settings)
    else:
        run.require_new()
    colours = maps.read_colours(split)
    model, state = _begin_or_go_on(run, resume, chosen, settings, first)
    if colours is not None:
        set_palette(model, colours)
    if not resume:
        run.begin({**settings, "versions": versions()})
    if state["step"] < chosen.batches:
        stage_inputs = stage_data(stage, data, proposals, chosen, seed)
        # With a single class of objects there is nothing to classify.
        from_scratch = state["step"] == 0 and first is None and len(names) > 2
        make_ready(model)
        _hint(mixed_precision)
        try:
            if from_scratch and chosen.encoder_steps:
                _train_encoder(model, run, stage_inputs, chosen, seed)
            _fit(model, run, state, chosen, stage_inputs, seed)
        except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
            raise _told(error, stage_inputs) from error
    return run


def _hint(mixed_precision: bool) -> None:
    on_processor = not tf.config.get_visible_devices("GPU")
    if on_processor and (hint := processor.slow_training(mixed_precision)):
        print(f"Hint: {hint}", file=sys.stderr)


def _begin_or_go_on(
    run: RunFolder,
    resume: bool,
    recipe: Recipe,
    settings: dict[str, Any],
    init: keras.Model | None,
) -> tuple[keras.Model, dict[str, Any]]:
    if resume and run.last.is_dir():
        return load_model(run.last, compile=True), run.load_state()
    keras.utils.set_random_seed(settings["seed"])
    policy = start.mixed_policy() if settings["mixed_precision"] else "float32"
    names, network = settings["class_names"], settings["network"]
    model = start.starting_model(recipe, names, init, policy, network)
    model = heads.with_heads(model, recipe.input_size) if recipe.head_weight else model
    model.compile(optimizer=recipe.build_optimizer(), **heads.objectives(model, recipe))
    return model, {"step": 0, "best": -1.0, "history": []}


def _train_encoder(
    model: keras.Model, run: RunFolder, inputs: StageData, recipe: Recipe, seed: int
) -> None:
    try:
        train_encoder(model, inputs, recipe, seed)
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            f"Training was interrupted while the encoder learnt to classify, of which nothing is "
            f"kept in `{run.path}`. Give the same command with --resume to begin it again."
        ) from None


def _fit(
    model: keras.Model,
    run: RunFolder,
    state: dict[str, Any],
    recipe: Recipe,
    inputs: StageData,
    seed: int,
) -> None:
    every = recipe.validate_every * recipe.accumulate
    keeper = Keeper(run, state, recipe.batches)
    validation = inputs.validation and heads.repeat_labels(inputs.validation, model)
    try:
        for first, batches, epochs in segments(state["step"], recipe.batches, every):
            last = first + batches * epochs
            model.fit(
                heads.repeat_labels(training_batches(inputs, recipe, seed, first, last), model),
                initial_epoch=first // every,
                epochs=first // every + epochs,
                steps_per_epoch=batches,
                validation_data=validation,
                callbacks=[keeper, Progress()],
                shuffle=False,
                verbose=1 if sys.stdout.isatty() else 2,
            )
    finally:
        keeper.restore_handlers()


def _told(error: tf.errors.OpError, inputs: StageData) -> Exception:
    # The graph reads the files; what it says of one of them is for the user, the rest is a bug.
    line = next((t for t in str(error).splitlines() if str(inputs.split.root) in t), None)
    if line is None:
        return error
    return UserError(
        f"Every image and label map must stay readable during training. Received: "
        f"{line.split('assertion failed: ')[-1]} "
        "Find what is broken by `tfdeconv check`, mend it and go on with --resume."
    )


def segments(step: int, total: int, every: int) -> list[tuple[int, int, int]]:
    """Cuts what is left of a training into calls of `fit`.

    Args:
        step: Batches done.
        total: Batches of the whole training.
        every: Batches between validations.

    Returns:
        `(first batch, batches an epoch, epochs)`: what an interrupted epoch still lacks, the whole
        epochs, and a shorter last one.

    Example:

    >>> segments(130, 450, 100)
    [(130, 70, 1), (200, 100, 2), (400, 50, 1)]
    """
    cuts = []
    lacking = min(-step % every, total - step)
    if lacking:
        cuts.append((step, lacking, 1))
        step += lacking
    whole = (total - step) // every
    if whole:
        cuts.append((step, every, whole))
        step += every * whole
    if step < total:
        cuts.append((step, total - step, 1))
    return cuts
