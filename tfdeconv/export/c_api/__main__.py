"""Answers requests: `python -m c_api [--warm-up] FOLDER REQUESTS ANSWERS [FOLDER ...]`.

REQUESTS and ANSWERS are `.npz` files (see `npz.py`); an array is named `<call>/<signature>/<input
or output>`, and arrays of one call go in together. With --warm-up, the requests by which a server
would warm up the folder are run first; their answers are named `warmup<i>/<signature>/<output>`.
"""

import sys

import numpy as np

from .npz import load_arrays, save_arrays
from .records import read_warmup
from .session import Session

_WARM_UP = "--warm-up"


def answer(folder: str, requests: str, answers: str, warm_up: bool) -> None:
    """Runs every call of the file `requests` in order and writes the outputs to `answers`."""
    session = Session(folder)
    calls: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for index, request in enumerate(read_warmup(folder) if warm_up else []):
        calls[f"warmup{index}", request.signature] = request.inputs
    for name, array in load_arrays(requests).items():
        call, signature, key = name.split("/")
        calls.setdefault((call, signature), {})[key] = array
    outputs = {}
    for (call, signature), inputs in calls.items():
        for key, value in session.run(signature, inputs).items():
            outputs[f"{call}/{signature}/{key}"] = value
    save_arrays(answers, outputs)


def main(arguments: list[str]) -> None:
    """Answers every FOLDER REQUESTS ANSWERS of the command line, then names foreign modules."""
    words = [word for word in arguments if word != _WARM_UP]
    for job in range(0, len(words), 3):
        folder, requests, answers = words[job : job + 3]
        answer(folder, requests, answers, warm_up=_WARM_UP in arguments)
    foreign = {"tensorflow", "keras", "tfdeconv"} & set(sys.modules)
    if foreign:
        raise ValueError(f"This process must load nothing of {sorted(foreign)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        # To stdout: stderr is full of TensorFlow's own lines.
        print(error)
        sys.exit(1)
