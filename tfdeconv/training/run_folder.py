"""The folder that a training writes, and what it takes to go on with it.

RUN/model.keras       the best model so far by validation mean IoU (the last one without one)
RUN/last/             model.keras with the optimizer, and state.json: where --resume goes on
RUN/run.json          what was asked for: stage, recipe, data, seed, class names, versions
RUN/log.csv           one row a validation
RUN/tensorboard/      the same for TensorBoard
"""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import keras

from tfdeconv import files
from tfdeconv.errors import UserError
from tfdeconv.models import SegmentationModel
from tfdeconv.models.saved import MODEL_FILE


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
        """Refuses a folder that holds a run already.

        Raises:
            UserError: when it does.
        """
        if self.exists:
            raise UserError(
                f"`{self.path}` must be a new folder. Received: a folder that holds a run. Go on "
                "with it by --resume, or choose another folder."
            )

    def begin(self, settings: dict[str, Any]) -> None:
        """Notes what was asked for.

        Raises:
            UserError: when the folder holds a run already or cannot be written.
        """
        self.require_new()
        files.ensure_writable_folder(self.path)
        files.write_json(self.path / "run.json", settings)

    def settings(self) -> dict[str, Any]:
        """Returns what was asked for when the run began.

        Raises:
            UserError: when there is no run, or its notes are damaged.
        """
        return self._read_json(self.path / "run.json")

    def check_same(
        self, settings: dict[str, Any], rule: str = "hold the run that --resume asks for"
    ) -> None:
        """Checks that the run is the one that is asked for again.

        Args:
            settings: What is asked for now.
            rule: What the folder must do, for the message.

        Raises:
            UserError: when there is none, or names what differs.
        """
        if not self.exists:
            raise UserError(
                f"`{self.path}` must {rule}. Received: a folder without a run. Begin one without "
                "--resume."
            )
        found = self.settings()
        asked = json.loads(json.dumps(settings))
        differ = sorted(name for name in asked if asked[name] != found.get(name))
        if differ:
            details = "; ".join(f"{n}: {found.get(n)!r} there, {asked[n]!r} here" for n in differ)
            raise UserError(
                f"`{self.path}` must {rule}. Received: a run with other settings ({details}). "
                "Repeat its settings or choose another folder."
            )

    def save_best(self, model: keras.Model) -> None:
        """Writes `model` without optimizer and heads, to be used rather than trained."""
        if isinstance(model, SegmentationModel):
            bare = model.with_outputs(model.outputs[0])
        else:
            bare = keras.Model(model.input, model.outputs[0], name=model.name)
        with files.replacing(self.model_file) as beside:
            bare.save(beside)

    def save_last(self, model: keras.Model, state: dict[str, Any]) -> None:
        """Writes all that `resume` needs, and the log that goes with it."""
        with files.replacing(self.last) as beside:
            beside.mkdir()
            model.save(beside / MODEL_FILE)
            files.write_json(beside / "state.json", state)
        self._write_log(state["history"])

    def load_state(self) -> dict[str, Any]:
        """Returns the state that `save_last` wrote.

        Raises:
            UserError: when the run has no checkpoint yet, or a damaged one.
        """
        return self._read_json(self.last / "state.json")

    def _write_log(self, history: list[dict[str, float]]) -> None:
        if not history:
            return
        text = io.StringIO()
        columns = list(dict.fromkeys(name for row in history for name in row))
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        files.write_text(self.path / "log.csv", text.getvalue())

    def _read_json(self, path: Path) -> dict[str, Any]:
        try:
            notes = json.loads(path.read_text("utf-8"))
            if not isinstance(notes, dict):
                raise ValueError(f"{type(notes).__name__} in place of names and values")
        except (OSError, ValueError) as error:
            raise UserError(
                f"`{path}` must be the notes of a training that has begun. Received: {error}. "
                "Begin anew, in a new folder."
            ) from error
        return notes
