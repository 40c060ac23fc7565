"""One exported network and one server of it, for all tests of this folder."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import keras
import pytest

from tests.export.networks import open_network
from tests.helpers import CHECKOUT
from tfdeconv.export import export_saved_model
from tfdeconv.export.saved_model import (
    Metadata,
    newest_version,
    read_metadata,
    sample_photograph,
)
from tfdeconv.images import encode_jpeg, encode_png
from tfdeconv.models import DeconvNet, load_model

CLASSES = ("ground", "tree", "sky")
# Set by export/serving/smoke_test.sh, which holds a real server against its model.
SERVERS = os.environ.get("TFDECONV_SERVERS", "").split()


class Served(NamedTuple):
    """A network and the folder that it is exported to."""

    model: keras.Model
    folder: Path

    @property
    def metadata(self) -> Metadata:
        """What the folder says of itself."""
        return read_metadata(self.folder)


class Addresses(NamedTuple):
    """The two interfaces of a running server, and its process where it is ours."""

    grpc: str
    rest: str
    process: subprocess.Popen | None = None


def start_server(folder: Path) -> subprocess.Popen:
    """Starts a server of one exported folder; it ends with its input."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.serving.protocol_server", str(folder)],
        cwd=CHECKOUT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def addresses(process: subprocess.Popen) -> Addresses:
    """Waits until a server has started."""
    words = process.stdout.readline().split()
    assert words, "the server did not start"
    return Addresses(f"grpc://127.0.0.1:{words[1]}", f"http://127.0.0.1:{words[3]}", process)


@pytest.fixture(
    scope="session", params=["deconvnet", pytest.param("whole_images", marks=pytest.mark.large)]
)
def served(request, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A network of one size, or one for images of every size, which has no boxes."""
    if SERVERS:
        exported, model = (Path(os.environ[f"TFDECONV_{name}"]) for name in ("EXPORTED", "MODEL"))
        return Served(load_model(model), newest_version(exported))
    if request.param == "whole_images":
        model = open_network()
        return Served(model, export_saved_model(model, tmp_path_factory.mktemp("served")))
    # With these weights all three classes are found in what the tests show.
    keras.utils.set_random_seed(3)
    model = DeconvNet(3, (32, 32, 3), width=1 / 16, class_names=CLASSES)
    return Served(model, export_saved_model(model, tmp_path_factory.mktemp("served"), boxes=3))


@pytest.fixture(scope="session")
def starting(served: Served):
    """The server while it loads and warms up, which takes as long as what the tests compare."""
    if SERVERS:
        yield None
        return
    pytest.importorskip("tensorflow_serving", reason="needs the stubs: tensorflow-serving-api")
    process = start_server(served.folder)
    yield process
    process.communicate()


@pytest.fixture(scope="session")
def server(starting: subprocess.Popen | None) -> Addresses:
    if starting is None:
        return Addresses(*(find_server(scheme) for scheme in ("grpc:", "http")))
    return addresses(starting)


def find_server(scheme: str) -> str:
    # Where one of the two is not served, its tests ask the other one once more.
    return next((url for url in SERVERS if url.startswith(scheme)), SERVERS[0])


@pytest.fixture(scope="session")
def photographs() -> list[bytes]:
    """Photographs of several sizes as files of both kinds."""
    sizes = ((48, 64), (45, 71), (60, 9), (33, 40))
    return [
        (encode_png if index % 2 else encode_jpeg)(sample_photograph(*size, seed=index))
        for index, size in enumerate(sizes)
    ]
