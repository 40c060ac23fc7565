"""Runs exported folders in a process of its own, which loads them through TensorFlow's C API."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.export.c_api.npz import load_arrays, save_arrays

Arrays = dict[str, np.ndarray]

# "W0000 00:00:..." of absl, "2026-11-20 19:45:33.25: W tensorflow/..." of older libraries
_WARNING = re.compile(r"^([WEF]\d{4} |\S+ \S+: [WEF] )")
# That a machine has no GPU, no driver for it or a smaller processor is no fault of the folder.
_MACHINE = re.compile(r"cuda|cudnn|cublas|gpu|tensorrt|tf-trt|onednn supports", re.IGNORECASE)


def run_in_fresh_process(
    folder: str | os.PathLike[str], requests: Arrays, warm_up: bool = False
) -> tuple[Arrays, tuple[str, ...]]:
    """Runs requests on one exported folder; see `run_all_in_fresh_process`."""
    ((answers,), log) = run_all_in_fresh_process([(folder, requests)], warm_up)
    return answers, log


def run_all_in_fresh_process(
    jobs: list[tuple[str | os.PathLike[str], Arrays]],
    warm_up: bool = False,
) -> tuple[list[Arrays], tuple[str, ...]]:
    """Runs requests on exported folders in one process that has only NumPy and TensorFlow's C API.

    Args:
        jobs: Pairs of a folder that holds `saved_model.pb` and its requests,
            `<call>/<signature>/<input>` -> array; equal calls go in together. Byte strings are
            arrays of `bytes` objects.
        warm_up: whether to run what a server would warm the folder up with, too, before the
            requests: their answers are named `warmup<i>/<signature>/<output>`.

    Returns:
        For each job, `<call>/<signature>/<output>` -> array; and what TensorFlow warned of.

    Raises:
        UserError: with TensorFlow's message when it cannot load or run a folder.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-P", "-m", "c_api", *["--warm-up"] * warm_up]
        answered = []
        for index, (folder, requests) in enumerate(jobs):
            asked = Path(scratch, f"requests{index}.npz")
            answered.append(Path(scratch, f"answers{index}.npz"))
            save_arrays(asked, requests)
            command += [str(Path(folder).resolve()), str(asked), str(answered[-1])]
        process = subprocess.run(
            command,
            env=_environment(),
            cwd=scratch,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if process.returncode != 0:
            folders = ", ".join(f"`{folder}`" for folder, _ in jobs)
            told = [*process.stdout.splitlines()[:1], *process.stderr.splitlines()[-1:]]
            reason = told[0] if told else f"exit status {process.returncode}"
            raise UserError(
                f"{folders} must run in TensorFlow without Python. Received: {reason}. "
                "Export the model again."
            )
        return [load_arrays(path) for path in answered], _warnings(process.stderr)


def _environment() -> dict[str, str]:
    # Its parent is this folder, so that `c_api` is found and the package above it is not.
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.getenv("PYTHONPATH")]))
    # On a GPU the parent may hold most of the memory.
    return {
        **os.environ,
        "PYTHONPATH": path,
        "TF_CPP_MIN_LOG_LEVEL": "1",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }


def _warnings(log: str) -> tuple[str, ...]:
    lines = (line for line in log.splitlines() if _WARNING.match(line))
    return tuple(line for line in lines if not _MACHINE.search(line))
