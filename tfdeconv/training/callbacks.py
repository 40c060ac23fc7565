"""Callbacks of a training: checkpoints, logs, and stopping without losing the state."""

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.progress import SECONDS, duration
from tfdeconv.training.heads import without_heads
from tfdeconv.training.run_folder import RunFolder

MONITOR = "val_mean_iou"
SECONDS_ON_TERMINAL = 0.5


class TrainingInterrupted(UserError):
    """Training was stopped by Ctrl-C or SIGTERM; the message tells what is saved."""


@contextlib.contextmanager
def started_again(what: str, run: RunFolder, how: str) -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM end a training of which no state is kept, and says so.

    Args:
        what: What is trained, such as "classifier was trained".
        run: The folder that gets no checkpoint of it.
        how: What to do to start it again.

    Raises:
        TrainingInterrupted: when Ctrl-C or SIGTERM comes.
    """
    # The main thread alone receives signals. A job in the background begins with SIGINT ignored.
    receives = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if receives else ()
    handlers = {one: signal.signal(one, signal.default_int_handler) for one in numbers}
    try:
        yield
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            f"Training was interrupted while the {what}, which saves no checkpoint in "
            f"`{run.path}`. {how}"
        ) from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


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
                f"The training of the {self.what} diverged at step {batch + 1}: loss={loss}. "
                "Train with a lower learning rate or without mixed precision."
            )


class Progress(keras.callbacks.Callback):
    """Prints how far a training is, and loss and metrics of the scores at the end of every epoch.

    On a terminal one line is written over and over; elsewhere a line is added every ten seconds.

    Args:
        total: Batches of the full training.
        done: Batches trained before.
        accumulate: Batches of one optimizer step.
        what: What is trained, such as "encoder"; "" for the whole network.
        clock: Seconds from any start.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        accumulate: int = 1,
        what: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._total, self._done, self._accumulate, self._clock = total, done, accumulate, clock
        self._what = f"{what}, " if what else ""
        self._on_terminal = sys.stdout.isatty()
        # The first batch, during which the graph is built, says nothing about the others.
        self._first: int | None = None
        self._started = self._printed = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Prints step, loss and the time left."""
        self._done += 1
        if self._first is None:
            self._first, self._started = self._done, self._clock()
            self._printed = self._started
        elif self._is_due():
            seconds = (self._clock() - self._started) / (self._done - self._first)
            loss = float(without_heads(logs or {}, self.model).get("loss", math.nan))
            step = self._accumulate * seconds
            self._print(
                f"{self._position()} ({100 * self._done // self._total} %), loss {loss:.3f}, "
                f"{step:{'.2g' if step < 10 else '.0f'}} s a step, "
                f"{duration(seconds * (self._total - self._done))} left"
            )

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Prints how far the validation is."""
        if self._is_due():
            self._print(f"{self._position()}, validation: {batch + 1} batches")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Prints losses and metrics."""
        measured = without_heads(logs or {}, self.model).items()
        values = ", ".join(f"{name} {float(value):.4g}" for name, value in measured)
        self._print(f"{self._position()}: {values}", end="\n")

    def _position(self) -> str:
        steps, of = self._done // self._accumulate, self._total // self._accumulate
        return f"{self._what}step {steps}/{of}"

    def _is_due(self) -> bool:
        wanted = SECONDS_ON_TERMINAL if self._on_terminal else SECONDS
        return self._clock() - self._printed >= wanted

    def _print(self, text: str, end: str | None = None) -> None:
        self._printed = self._clock()
        if self._on_terminal:
            # Erases what the line held before.
            print(f"\r\x1b[2K{text}", end=end or "", flush=True)
        else:
            print(text, flush=True)


class Keeper(keras.callbacks.Callback):
    """Saves the state of a run after every validation and on Ctrl-C, and never a diverged one.

    Ctrl-C and SIGTERM stop the training after the batch that is being trained or validated.

    Args:
        run: Where to write.
        state: `{"step", "best", "history"}`, as saved; "step" counts the batches trained. Where a
            validation was interrupted, "unvalidated" has the logs of its epoch.
        total: Batches of the full training.
        accumulate: Batches of one optimizer step.
    """

    def __init__(
        self, run: RunFolder, state: dict[str, Any], total: int, accumulate: int = 1
    ) -> None:
        super().__init__()
        self.run = run
        self.state = state
        self.total = total
        self.accumulate = accumulate
        self._saved_step = self._step()
        self._logs: dict[str, float] = {}
        self._stop_asked = False
        self._handlers: dict[int, Any] = {}

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Installs handlers of Ctrl-C and SIGTERM."""
        if self._handlers:
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._handlers[number] = signal.signal(number, self._ask_to_stop)
            except ValueError:
                return  # Not in the main thread, which alone receives signals.

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the step; stops for NaN or on request."""
        self.state["step"] += 1
        self._logs = logs or {}
        loss = self._logs.get("loss", 0.0)
        if not math.isfinite(loss):
            self._diverge(f"loss={loss}")
        # After the last batch of an epoch the validation begins, in which it stops, too.
        if self._stop_asked and batch + 1 < self.params["steps"]:
            self._check_weights()
            self._save()
            self._stop()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stops on request; the validation is repeated when the training continues."""
        if self._stop_asked:
            self._check_weights()
            logs = {name: float(value) for name, value in self._logs.items()}
            self.state.setdefault("unvalidated", logs)
            self._save()
            self._stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Saves the best and the last model and writes the logs."""
        self._check_weights()
        measured = without_heads(logs or {}, self.model)
        row = {"step": self._step(), **{name: float(v) for name, v in measured.items()}}
        self.state.pop("unvalidated", None)
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

    def _step(self) -> int:
        return self.state["step"] // self.accumulate

    def _stop(self) -> None:
        self.restore_handlers()
        raise TrainingInterrupted(
            f"Training was interrupted at step {self._step()} of {self.total // self.accumulate}. "
            f"The checkpoint is in `{self.run.last}`. Give the same command with --resume to "
            "continue."
        )

    def _check_weights(self) -> None:
        # The loss is that of the weights before the step, which may have made them infinite.
        if not all(np.isfinite(weights).all() for weights in self.model.get_weights()):
            self._diverge("weights that are not finite")

    def _diverge(self, what: str) -> NoReturn:
        self.restore_handlers()
        raise UserError(
            f"Training diverged at step {self._step()}: {what}. "
            f"{self._last_good()} Train with a lower learning rate or without mixed precision."
        )

    def _save(self) -> None:
        self.run.save_last(self.model, self.state)
        self._saved_step = self._step()

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
