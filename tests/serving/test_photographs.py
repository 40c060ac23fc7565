"""Real photographs get the labels of the local `Segmenter` from every interface of a server."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.export.networks import lively_network
from tests.helpers import shared_data
from tests.serving.bare_process import run_bare
from tests.serving.conftest import Addresses, addresses, start_server
from tests.serving.wrong_requests import texts
from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.data.voc import read_split
from tfdeconv.export import Client, export_saved_model
from tfdeconv.segmentation.segmenter import Segmenter

COUNT, BOXES, SIZE = 20, 9, 64
CRFS = {"alone": None, "crf": DenseCRF()}


class Answers(NamedTuple):
    """Photographs, what `Segmenter` says of them, the exported folder and its server."""

    photographs: list[bytes]
    labels: list[np.ndarray]
    folder: Path
    server: Addresses


@pytest.fixture(scope="module", params=CRFS)
def answers(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    pytest.importorskip("tensorflow_serving", reason="needs the stubs: tensorflow-serving-api")
    split, crf = read_split(shared_data("voc2012"), "val"), CRFS[request.param]
    photographs = [split.image_path(name).read_bytes() for name in split.ids[:COUNT]]
    network = lively_network(size=SIZE)
    folder = export_saved_model(network, tmp_path_factory.mktemp("served"), boxes=BOXES, crf=crf)
    segmenter = Segmenter(network, boxes=BOXES, proposals="grid", crf=crf)
    labels = [segmenter.segment(images.decode_image(data)) for data in photographs]
    assert min(len(np.unique(one)) for one in labels) > 1, "the labels must be worth a comparison"
    process = start_server(folder)
    yield Answers(photographs, labels, folder, addresses(process))
    process.communicate()


def assert_alike(name: str, found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    shares = [np.mean(one == other) for one, other in zip(found, expected, strict=True)]
    print(f"{name}: {min(shares):.6f} of the pixels at least, {np.mean(shares):.6f} on average")
    assert min(shares) >= 0.999 and len(shares) == COUNT


@pytest.mark.large
def test_the_session_of_the_c_api(answers) -> None:
    calls = [("segment_bytes", {"images_bytes": texts(data)}) for data in answers.photographs]
    _, found = run_bare(answers.folder, calls)
    pngs = [answer["labels_png_bytes"][0] for answer in found]
    assert_alike("C API", [images.decode_labels(png) for png in pngs], answers.labels)


@pytest.mark.large
@pytest.mark.parametrize("interface", ["grpc", "rest"])
def test_a_server(answers, interface: str) -> None:
    client = Client(getattr(answers.server, interface), timeout=120)
    found = [client.segment(data).labels for data in answers.photographs]
    assert_alike(interface, found, answers.labels)
