"""What decides a run: noted when it begins, compared when it is resumed."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.models import width_of
from tfdeconv.training.recipes import Recipe
from tfdeconv.training.stages import OBJECT_STAGES, network_of
from tfdeconv.version import __version__
from tfdeconv.weights.imagenet import IMAGENET


def fitted(stage: str, recipe: Recipe, model: keras.Model, changes: dict[str, Any]) -> Recipe:
    """Returns the recipe with the size and width of the model that training starts from.

    Raises:
        UserError: when `changes` asks for another size or width, or the model is of another kind.
    """
    width = width_of(model)
    if width is None:
        raise UserError(
            "The model to start from must be a network of this package or have an encoder like "
            f"VGG-16. Received: {model.name}, whose first convolution is not `conv1_1`."
        )
    # The network comes with its own size and width; asking for others is a mistake worth telling.
    found: dict[str, Any] = {"width": width}
    if stage in OBJECT_STAGES:
        found["input_size"] = model.input_shape[1]
    for name, value in found.items():
        if changes.get(name) not in (None, value):
            raise UserError(
                f"`{name}` must be that of the model to start from, {value}. Received: "
                f"{name}={changes[name]}. Leave it out."
            )
    return dataclasses.replace(recipe, **found)


def settings_of(
    stage: str,
    data: str | os.PathLike[str],
    init: str | os.PathLike[str] | None,
    proposals: str | os.PathLike[str] | None,
    recipe: Recipe,
    names: tuple[str, ...],
    seed: int,
    mixed_precision: bool,
) -> dict[str, Any]:
    """Returns what decides a run, as it is noted in run.json; `--resume` compares it."""

    def resolved(path: str | os.PathLike[str] | None) -> str | None:
        if path is None:
            return None
        return IMAGENET if path == IMAGENET else str(Path(path).resolve())

    return {
        "stage": stage,
        "network": network_of(stage),
        "data": resolved(data),
        "init": resolved(init),
        "proposals": resolved(proposals),
        "recipe": dataclasses.asdict(recipe),
        "class_names": names,
        "seed": seed,
        "mixed_precision": mixed_precision,
    }


def versions() -> dict[str, str]:
    """Returns the versions that a run was made with."""
    return {
        "tfdeconv": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
