"""What the tests of the mapping share: a .caffemodel of given blobs."""

import numpy as np
import pytest

from tests.reference import caffe_encoder


@pytest.fixture
def file(tmp_path):
    def write(blobs, **options):
        path = tmp_path / "net.caffemodel"
        layers = list(blobs.items())
        if options.get("unknown"):
            np.random.default_rng(0).shuffle(layers)
        path.write_bytes(caffe_encoder.encode(layers, **options))
        return path

    return write
