"""What the tests of training share: a few drawn pictures, and a network to start from."""

import keras
import pytest

from tfdeconv.data.drawn import CLASS_NAMES, draw_dataset
from tfdeconv.models import DeconvNet


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "data", images=12, val=4, seed=0)


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Where the long runs start from: an encoder of their own would take most of their time."""
    keras.utils.set_random_seed(0)
    file = tmp_path_factory.mktemp("start") / "model.keras"
    DeconvNet(9, (32, 32, 3), width=1 / 16, class_names=CLASS_NAMES, fc6_kernel=1).save(file)
    return file
