"""Callbacks of a training: checkpoints, logs, and stopping without losing the state."""

import math
import signal
from types import FrameType
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.training.heads import without_heads
from tfdeconv.training.run_folder import RunFolder

MONITOR = "val_mean_iou"


class TrainingInterrupted(UserError):
    """Training was stopped by Ctrl-C or SIGTERM; its state is saved."""


class RequireFinite(keras.callbacks.Callback):
    """Stops a training whose loss is NaN or infinite.

    Args:
        what: What is trained, for the message.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Checks the loss."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise UserError(
                f"The loss of the {self.what} must stay finite. Received: loss={loss} at step "
                f"{batch + 1}. Train with a lower learning rate or without mixed precision."
            )


class Progress(keras.callbacks.ProgbarLogger):
    """The line that Keras prints, for the scores alone: five heads would fill the terminal."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Updates the bar."""
        super().on_train_batch_end(batch, without_heads(logs or {}, self.model))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Prints losses and metrics."""
        super().on_epoch_end(epoch, without_heads(logs or {}, self.model))


class Keeper(keras.callbacks.Callback):
    """Saves the state of a run after every validation and on Ctrl-C, and never a diverged one.

    Args:
        run: Where to write.
        state: `{"step", "best", "history"}`, as saved; "step" counts the batches trained.
        total: Batches of the full training.
    """

    def __init__(self, run: RunFolder, state: dict[str, Any], total: int) -> None:
        super().__init__()
        self.run = run
        self.state = state
        self.total = total
        self._saved_step = state["step"]
        self._stop_asked = False
        self._handlers: dict[int, Any] = {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Installs handlers of Ctrl-C and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._handlers[number] = signal.signal(number, self._ask_to_stop)
            except ValueError:
                return  # Not in the main thread, which alone receives signals.

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the step; stops for NaN or on request."""
        self.state["step"] += 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self._diverge(f"loss={loss}")
        if self._stop_asked:
            self._check_weights()
            self._save()
            self._stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Saves the best and the last model and writes the logs."""
        self._check_weights()
        measured = without_heads(logs or {}, self.model)
        row = {"step": self.state["step"], **{name: float(v) for name, v in measured.items()}}
        self.state["history"].append(row)
        score = row.get(MONITOR, float(self.state["step"]))
        if score > self.state["best"]:
            self.state["best"] = score
            self.run.save_best(self.model)
        self._save()
        self._write_tensorboard(row)
        if self._stop_asked and self.state["step"] < self.total:
            self._stop()

    def restore_handlers(self) -> None:
        """Restores the handlers of Ctrl-C and SIGTERM."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        # A second Ctrl-C stops at once, without waiting for the batch.
        self._stop_asked = True
        self.restore_handlers()

    def _stop(self) -> None:
        self.restore_handlers()
        raise TrainingInterrupted(
            f"Training was interrupted at step {self.state['step']} of {self.total}; its state is "
            f"saved in `{self.run.last}`. Give the same command with --resume to go on."
        )

    def _check_weights(self) -> None:
        # The loss is that of the weights before the step, which may have made them infinite.
        if not all(np.isfinite(weights).all() for weights in self.model.get_weights()):
            self._diverge("weights that are not finite")

    def _diverge(self, what: str) -> NoReturn:
        self.restore_handlers()
        raise UserError(
            f"Loss and weights must stay finite. Received: {what} at step {self.state['step']}. "
            f"{self._last_good()} Train with a lower learning rate or without mixed precision."
        )

    def _save(self) -> None:
        self.run.save_last(self.model, self.state)
        self._saved_step = self.state["step"]

    def _last_good(self) -> str:
        if self._saved_step:
            return f"The state after step {self._saved_step} is saved in `{self.run.last}`."
        return "No state was saved before."

    def _write_tensorboard(self, row: dict[str, float]) -> None:
        # The op rather than tf.summary.scalar, which needs TensorBoard to be installed.
        writer = tf.summary.create_file_writer(str(self.run.tensorboard))
        step = tf.constant(row["step"], tf.int64)
        for name, value in row.items():
            tf.raw_ops.WriteScalarSummary(
                writer=writer._resource, step=step, tag=name, value=tf.constant(value, tf.float32)
            )
        writer.close()
