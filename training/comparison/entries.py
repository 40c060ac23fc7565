"""One network on one data set: trained, evaluated and weighed in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tfdeconv.errors import UserError

RESULT = "result.json"


def run(folder: Path, data: Path, network: str, steps: int | None) -> None:
    """Trains and evaluates what is not done yet, and goes on with what was interrupted.

    On one core, so that processor time and time are the same, and two can run side by side.

    Args:
        folder: Where the data set's networks are kept; `<folder>/<network>/result.json` is the
            result.
        data: The data set.
        network: Its name.
        steps: Optimizer steps, None for the recipe's.

    Raises:
        UserError: when the process fails.
    """
    out = folder / network
    if (out / RESULT).exists():
        return
    print(f"--- {folder.name}: {network}", flush=True)
    words = [str(data), str(out), network, *([] if steps is None else [str(steps)])]
    one_core = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    process = subprocess.run(
        [sys.executable, "-m", "training.comparison.contest", *words],
        env={**os.environ, **one_core},
        check=False,
    )
    if process.returncode != 0:
        raise UserError(
            f"`{network}` must train on `{data}`. Received: exit status {process.returncode}, see "
            "above. The same command goes on where this one stopped."
        )


def read(out: Path, data: list[str], networks: list[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns what was measured: data set -> network -> what `contest` wrote, where it is there."""
    files = {name: {one: out / name / one / RESULT for one in networks} for name in data}
    return {
        name: {
            one: json.loads(file.read_text("utf-8")) for one, file in each.items() if file.exists()
        }
        for name, each in files.items()
    }
