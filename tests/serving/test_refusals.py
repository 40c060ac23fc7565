"""Bad requests before the session of the C API alone: each is refused, and it goes on."""

import json
from pathlib import Path

import numpy as np

from tests.helpers import run_python
from tests.serving.wrong_requests import texts, wrong_requests
from tfdeconv.export import fresh_process
from tfdeconv.export.c_api.npz import save_arrays
from tfdeconv.export.c_api.session import INVALID_ARGUMENT

ASK = """
import json, sys
from c_api import Session, TensorFlowError
from c_api.npz import load_arrays

session, calls = Session(sys.argv[1]), {}
for name, array in load_arrays(sys.argv[2]).items():
    call, signature, key = name.split("/")
    calls.setdefault((int(call), signature), {})[key] = array
good = calls.pop((-1, "segment_bytes"))

def answer():
    return [value.tolist() for value in session.run("segment_bytes", good).values()]

first = answer()
for (call, signature), inputs in sorted(calls.items()):
    try:
        session.run(signature, inputs)
    except TensorFlowError as error:
        told = [error.code, str(error)]
    else:
        told = [0, "answered"]
    print(json.dumps([*told, answer() == first]))
"""


def test_each_is_refused_by_name_and_the_next_is_answered(served, photographs, tmp_path) -> None:
    height, width = served.metadata.crop_size(20, 24)
    wrong = [
        *wrong_requests(photographs[1], served.metadata),
        ("segment_bytes", {"images_bytes": texts()}, "`images_bytes[0]"),
        ("regions", {"crops": np.zeros((0, height, width, 3), np.float32)}, "`crops[0]"),
    ]
    requests = {"-1/segment_bytes/images_bytes": texts(photographs[1])}
    for call, (signature, inputs, _) in enumerate(wrong):
        requests |= {f"{call}/{signature}/{name}": value for name, value in inputs.items()}
    save_arrays(tmp_path / "requests.npz", requests)
    package = str(Path(fresh_process.__file__).parent)
    words = str(served.folder), str(tmp_path / "requests.npz")
    process = run_python("-P", "-c", ASK, *words, PYTHONPATH=package)
    told = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(told) == len(wrong), process.stderr[-500:]
    for (code, message, goes_on), (signature, _, named) in zip(told, wrong, strict=True):
        assert code == INVALID_ARGUMENT and goes_on, (signature, named, message)
        assert named in message, (signature, message)
