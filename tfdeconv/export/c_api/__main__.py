"""Answers calls to SavedModels: `python -m c_api FOLDER REQUESTS ANSWERS [FOLDER ...]`.

REQUESTS and ANSWERS are `.npz` files; an array is named `<call>/<signature>/<input or output>`, and
arrays of one call go in together.
"""

import sys

import numpy as np

from .session import Session


def answer(folder: str, requests: str, answers: str) -> None:
    """Runs every call of the file `requests` in order and writes the outputs to `answers`."""
    session = Session(folder)
    calls: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    with np.load(requests, allow_pickle=False) as file:
        for name in file.files:
            call, signature, key = name.split("/")
            calls.setdefault((call, signature), {})[key] = file[name]
    outputs = {}
    for (call, signature), inputs in calls.items():
        for key, value in session.run(signature, inputs).items():
            outputs[f"{call}/{signature}/{key}"] = value
    np.savez(answers, allow_pickle=False, **outputs)


def main(arguments: list[str]) -> None:
    """Answers every FOLDER REQUESTS ANSWERS of the command line, then names foreign modules."""
    for job in range(0, len(arguments), 3):
        answer(*arguments[job : job + 3])
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
