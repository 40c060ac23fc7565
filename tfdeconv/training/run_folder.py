"""The folder that a training writes, and what resuming needs.

RUN/model.keras       the best model so far by validation mean IoU (without one, the last model)
RUN/last/             model.keras with the optimizer, and state.json: where --resume goes on
RUN/run.json          the settings: network, stage, recipe, data, seed, class names, versions
RUN/log.csv           one row per validation
RUN/tensorboard/      the same for TensorBoard
"""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv import files
from tfdeconv.errors import UserError
from tfdeconv.models import SegmentationModel, load_model
from tfdeconv.models.base import leaves
from tfdeconv.models.saved import MODEL_FILE
from tfdeconv.version import __version__


class RunFolder:
    """Reads and writes the files of one training.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.model_file = self.path / MODEL_FILE
        self.last = self.path / "last"
        self.tensorboard = self.path / "tensorboard"

    @property
    def exists(self) -> bool:
        """Whether a training has begun here."""
        return (self.path / "run.json").is_file()

    def require_new(self) -> None:
        """Checks that the folder holds no run.

        Raises:
            UserError: when it does.
        """
        if self.exists:
            raise UserError(
                f"`{self.path}` must be a new folder. Received: a folder that holds a run. "
                "Continue it with --resume, or choose another folder."
            )

    def begin(self, settings: dict[str, Any]) -> None:
        """Writes the settings of a new run, with the versions of what runs it.

        Raises:
            UserError: when the folder cannot be written.
        """
        versions = {
            "tfdeconv": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        }
        files.ensure_writable_folder(self.path)
        files.write_json(self.path / "run.json", {**settings, "versions": versions})

    def settings(self) -> dict[str, Any]:
        """Returns the settings of the run.

        Raises:
            UserError: when there is no run, or the file is damaged.
        """
        return _read_json(self.path / "run.json")

    def check_same(
        self, settings: dict[str, Any], rule: str = "hold the run that --resume asks for"
    ) -> None:
        """Checks that the folder holds a run with these settings.

        Args:
            settings: As for `begin`.
            rule: What the folder must do, for the message.

        Raises:
            UserError: when there is none, or with the names of the settings that differ.
        """
        if not self.exists:
            raise UserError(
                f"`{self.path}` must {rule}. Received: a folder without a run. Begin one without "
                "--resume."
            )
        found, asked = _flat(self.settings()), _flat(json.loads(json.dumps(settings)))
        differ = sorted(name for name in asked if asked[name] != found.get(name))
        if differ:
            details = "; ".join(f"{n}: {found.get(n)!r} there, {asked[n]!r} here" for n in differ)
            raise UserError(
                f"`{self.path}` must {rule}. Received: a run with other settings ({details}). "
                "Repeat its settings or choose another folder."
            )

    def save_best(self, model: keras.Model) -> None:
        """Writes `model` without optimizer and auxiliary heads, for inference."""
        if isinstance(model, SegmentationModel):
            bare = model.with_outputs(model.outputs[0])
        else:
            bare = keras.Model(model.input, model.outputs[0], name=model.name)
        with files.replacing(self.model_file) as temporary:
            bare.save(temporary)

    def save_last(self, model: keras.Model, state: dict[str, Any]) -> None:
        """Writes what resuming needs, and the log up to there."""
        # A model file has none: without them dropout would not continue where it was.
        seeds = [keras.ops.convert_to_numpy(seed).tolist() for seed in _seeds(model)]
        with files.replacing(self.last) as temporary:
            temporary.mkdir()
            model.save(temporary / MODEL_FILE)
            files.write_json(temporary / "state.json", {**state, "seeds": seeds})
        history = state["history"]
        if history:
            text = io.StringIO()
            columns = list(dict.fromkeys(name for row in history for name in row))
            writer = csv.DictWriter(text, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)
            files.write_text(self.path / "log.csv", text.getvalue())

    def load_last(self) -> tuple[keras.Model, dict[str, Any]]:
        """Returns the compiled model and the state that `save_last` wrote, to continue training.

        Raises:
            UserError: when the run has no checkpoint yet, or a damaged one.
        """
        model, state = load_model(self.last, compile=True), self.load_state()
        variables, seeds = _seeds(model), state.pop("seeds", ())
        if len(variables) != len(seeds):
            raise UserError(
                f"`{self.last}` must hold the state of {len(variables)} dropout layers. Received: "
                f"{len(seeds)}, from another version of tfdeconv. Start a new run elsewhere."
            )
        for variable, seed in zip(variables, seeds, strict=True):
            variable.assign(seed)
        return model, state

    def load_state(self) -> dict[str, Any]:
        """Returns the state that `save_last` wrote.

        Raises:
            UserError: when the run has no checkpoint yet, or a damaged one.
        """
        return _read_json(self.last / "state.json")


def _seeds(model: keras.Model) -> list[keras.Variable]:
    generators = (getattr(layer, "seed_generator", None) for layer in leaves(model))
    return [generator.state for generator in generators if generator is not None]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns settings with `{"recipe": {"steps": 5}}` as `{"recipe.steps": 5}`."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            flat[name] = value
    return flat


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
        if not isinstance(value, dict):
            raise ValueError(f"{type(value).__name__} instead of an object")
    except (OSError, ValueError) as error:
        raise UserError(
            f"`{path}` must be an intact file of a training. Received: {error}. Start a new run in "
            "another folder."
        ) from error
    return value
