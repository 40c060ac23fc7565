"""What test_resume.py runs in a process of its own: a training that waits for SIGTERM.

python -m tests.training.stopping_process PLACE STEP MARKER ARGUMENTS...; PLACE is "epoch" or
"validation". After batch STEP, or in the validation after it, MARKER is written and SIGTERM is
awaited. ARGUMENTS are those of `tfdeconv`.
"""

import sys
import time
from pathlib import Path

from tfdeconv.cli.main import main
from tfdeconv.training import train
from tfdeconv.training.callbacks import Keeper

PLACE, STEP, MARKER = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


class Waiting(Keeper):
    """Waits for the signal at the place that the test names."""

    def on_train_batch_end(self, batch, logs=None):
        if PLACE == "epoch" and self.state["step"] + 1 == STEP:
            self._wait()
        super().on_train_batch_end(batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        if PLACE == "validation" and self.state["step"] == STEP and batch == 1:
            self._wait()
        super().on_test_batch_end(batch, logs)

    def _wait(self):
        MARKER.touch()
        while not self._stop_asked:
            time.sleep(0.01)


train.Keeper = Waiting
sys.exit(main(sys.argv[4:]))
