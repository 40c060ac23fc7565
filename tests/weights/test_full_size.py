"""The release's own size: a gigabyte of weights, in time and within memory."""

import json

import numpy as np
import pytest

from tests.helpers import run_python
from tests.reference import caffe_encoder
from tests.weights import networks

# The network is built and filled as `tfdeconv import-caffe` does.
PROGRAM = """
import json, resource, sys
from tfdeconv.models import DeconvNet
from tfdeconv.weights import load_caffemodel

model = DeconvNet(kernel_initializer="zeros", deconv_initializer="zeros")
report = load_caffemodel(model, sys.argv[1])
print(json.dumps({
    "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "layers": len(report.loaded),
    "fc6": float(model.get_layer("fc6").kernel[5, 2, 100, 3000]),
}))
"""


@pytest.mark.large
def test_the_full_deconvnet_loads_in_two_and_a_half_gigabytes(tmp_path):
    path = tmp_path / "full.caffemodel"
    blobs = networks.deconvnet(1.0, 21)
    try:
        with open(path, "wb") as file:
            caffe_encoder.write(file, blobs.items())
        # The 251,805,653 numbers of the release, and a few thousand bytes about them.
        assert 0 < path.stat().st_size - 4 * 251_805_653 < 10_000
        process = run_python("-c", PROGRAM, str(path))
    finally:
        path.unlink()
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout)
    print(told)
    assert told["layers"] == 59
    assert told["fc6"] == np.float32(blobs["fc6"][0][3000, 100, 5, 2])
    assert told["bytes"] < 2.5e9
