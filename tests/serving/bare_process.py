"""An exported folder in a process with NumPy and TensorFlow's C++ libraries, and nothing else."""

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.helpers import run_python
from tests.serving import c_api

Call = tuple[str, dict[str, np.ndarray]]


def signature_defs(folder: Path) -> dict[str, Any]:
    """The `SignatureDef`s of a folder by name, without TensorFlow's own."""
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = saved.meta_graphs[0].signature_def.items()
    return {name: one for name, one in found if not name.startswith("__")}


def tensors_of(defs: dict[str, Any]) -> c_api.Signatures:
    """What a session has to know of signatures."""
    return {
        name: {
            kind: {key: info.name for key, info in getattr(one, kind).items()}
            for kind in ("inputs", "outputs")
        }
        for name, one in defs.items()
    }


def run_bare(folder: Path, calls: list[Call], **environment: str) -> tuple[str, list[Any]]:
    """Runs calls in order.

    Returns:
        TensorFlow's version, and for each call its outputs by name, or TensorFlow's error code and
        message.
    """
    with tempfile.TemporaryDirectory() as scratch:
        job, answers = Path(scratch, "job"), Path(scratch, "answers")
        job.write_bytes(
            pickle.dumps((os.fspath(folder), tensors_of(signature_defs(folder)), calls))
        )
        process = run_python("-P", c_api.__file__, str(job), str(answers), **environment)
        assert process.returncode == 0, process.stderr[-2000:]
        return pickle.loads(answers.read_bytes())
