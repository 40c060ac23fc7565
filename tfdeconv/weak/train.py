"""Trains a `CAM` from the classes of images alone.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, section 3. The paper fine-tunes networks that ImageNet taught; from
    random weights, a few minutes of CPU go farthest where images grow during the training.
"""

import math
import os
import sys
from typing import Any, NamedTuple

import keras
import numpy as np

from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.models import CAM, load_model
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.weak.tags import require_objects, tagged_batches

# Share of the input's side -> share of the steps. Small images first: a step on a square of half
# the side takes a quarter of the time, and what it teaches the larger ones need not learn again.
PHASES = ((1 / 3, 0.4), (1 / 2, 0.3), (2 / 3, 0.2), (1.0, 0.1))


class Recipe(NamedTuple):
    """How a classifier is trained: narrow and small, for minutes on a CPU.

    Attributes:
        width: Factor on the channels; the paper's is 1.
        input_size: Side of the squares that images are resized to at the end; the paper's is 224.
        stride: That of the maps, 8 or 16.
        steps: Batches of all phases together.
        batch_size: Images of a batch.
        learning_rate: The highest one: it rises linearly for a tenth of the steps and falls along a
            cosine to zero, of Adam.
    """

    width: float = 0.125
    input_size: int = 192
    stride: int = 8
    steps: int = 3000
    batch_size: int = 24
    learning_rate: float = 3e-3


def train_classifier(
    split: Split,
    out: str | os.PathLike[str],
    pooling: str = "average",
    recipe: Recipe | None = None,
    seed: int = 0,
) -> keras.Model:
    """Trains a classifier, or opens the one that the same call trained before.

    The loss is the cross-entropy between softmax and the classes of the image, equal shares where
    there are several. Images without any object teach nothing and are left out.

    Args:
        split: What to learn from: its images, and the classes that each has.
        out: Run folder; `model.keras` and `run.json` are written.
        pooling: "average" or "maximum".
        recipe: None for the defaults.
        seed: Of weights, order and augmentation.

    Returns:
        The trained `CAM`, with inputs of every size.

    Raises:
        UserError: for data that cannot be used, a width that is not positive, a folder that holds
            another run, or a loss that is not finite.
    """
    recipe, run = recipe or Recipe(), RunFolder(out)
    if not 0 < recipe.width < math.inf:
        raise UserError(f"`width` must be positive and finite. Received: width={recipe.width}")
    data = str(split.root.resolve())
    settings: dict[str, Any] = {"network": "cam", "data": data, "split": split.name}
    settings |= {"pooling": pooling, "seed": seed, **recipe._asdict()}
    settings["class_names"] = split.class_names
    if run.exists:
        run.check_same(settings, "be new or hold a classifier that the same call trained")
        if run.model_file.is_file():
            return load_model(run.path)
    tags = require_objects(split)
    keras.utils.set_random_seed(seed)
    options: dict[str, Any] = {"width": recipe.width, "stride": recipe.stride, "pooling": pooling}
    names = split.class_names
    model = CAM(len(names), class_names=names, batch_norm=True, **options)
    if not run.exists:
        run.begin(settings)
    _fit(model, split, tags, recipe, seed)
    run.save_best(model)
    return model


def phases(recipe: Recipe) -> list[tuple[int, int]]:
    """Returns the side of the images and the number of steps of every phase of a training.

    Example:

    >>> phases(Recipe(input_size=192, steps=1000))
    [(64, 400), (96, 300), (128, 200), (192, 100)]
    """
    ends = np.round(np.cumsum([0.0, *(share for _, share in PHASES)]) * recipe.steps).astype(int)
    counts = np.diff(ends).tolist()
    sizes = [round(part * recipe.input_size) for part, _ in PHASES]
    return [(size, count) for size, count in zip(sizes, counts, strict=True) if count]


def _fit(model: keras.Model, split: Split, tags: np.ndarray, recipe: Recipe, seed: int) -> None:
    warm_up = recipe.steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 100,
        max(recipe.steps - warm_up, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
    )
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    for number, (size, steps) in enumerate(phases(recipe)):
        batches = tagged_batches(split, tags, size, recipe.batch_size, steps, seed + 1000 * number)
        history = model.fit(
            batches,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,
        )
        loss = history.history["loss"][-1]
        if not math.isfinite(loss):
            raise UserError(
                f"The loss must stay finite. Received: loss={loss}. Train with a lower learning "
                "rate."
            )
