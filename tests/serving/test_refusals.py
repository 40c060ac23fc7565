"""Bad requests before the session of the C API alone: each is refused, and it goes on."""

import numpy as np

from tests.serving.bare_process import run_bare
from tests.serving.c_api import INVALID_ARGUMENT
from tests.serving.wrong_requests import texts, wrong_requests


def test_each_is_refused_by_name_and_the_next_is_answered(served, photographs) -> None:
    height, width = served.metadata.crop_size(20, 24)
    wrong = [
        *wrong_requests(photographs[1], served.metadata),
        ("segment_bytes", {"images_bytes": texts()}, "`images_bytes[0]"),
        ("regions", {"crops": np.zeros((0, height, width, 3), np.float32)}, "`crops[0]"),
    ]
    good = ("segment_bytes", {"images_bytes": texts(photographs[1])})
    calls = [good]
    for signature, inputs, _ in wrong:
        calls += [(signature, inputs), good]
    _, (first, *answers) = run_bare(served.folder, calls)
    for told, again, (signature, _, named) in zip(answers[::2], answers[1::2], wrong, strict=True):
        assert isinstance(told, tuple), (signature, named)
        code, message = told
        assert code == INVALID_ARGUMENT and named in message, (signature, named, message)
        assert [value.tolist() for value in again.values()] == [
            value.tolist() for value in first.values()
        ]
