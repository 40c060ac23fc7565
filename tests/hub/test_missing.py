"""Without keras-hub the package works, and `tfdeconv.hub` says what to install."""

import pytest

from tests.helpers import run_python

BLOCK = "import sys; sys.modules['keras_hub'] = None; "


def test_one_sentence_tells_what_to_install():
    process = run_python("-c", BLOCK + "import tfdeconv.hub")
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: `tfdeconv.hub` must find the package keras-hub. Received:")
    assert last.endswith('Install it with `pip install "tfdeconv[hub]"`.')


@pytest.mark.large
def test_the_package_does_not_load_it():
    statement = "import sys, tfdeconv; tfdeconv.load_model; tfdeconv.Segmenter; "
    process = run_python("-c", statement + "print('keras_hub' in sys.modules)")
    assert process.stdout.strip() == "False", process.stderr
