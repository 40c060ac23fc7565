"""What is served is what `Segmenter` does, over both interfaces, for good requests and bad ones."""

import base64
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.serving.conftest import SERVERS
from tests.serving.wrong_requests import BOXES, texts, wrong_requests
from tfdeconv import images
from tfdeconv.cli.main import main
from tfdeconv.errors import UserError
from tfdeconv.export import Client
from tfdeconv.export.verification import local_segmenter, run_in_fresh_process


@pytest.fixture(scope="module")
def expected(served, starting, photographs) -> dict[str, list[np.ndarray]]:
    """Labels of the folder in a process of its own, which are those of the network here."""
    requests = {"grid/segment_bytes/images_bytes": texts(*photographs)}
    calls = {"grid": ("segment_bytes", None)}
    if served.metadata.input_size is not None:
        calls["boxes"] = ("segment_bytes_with_boxes", BOXES)
        requests["boxes/segment_bytes_with_boxes/images_bytes"] = texts(*photographs)
        requests["boxes/segment_bytes_with_boxes/boxes"] = np.stack([BOXES] * len(photographs))
        counts = np.full(len(photographs), 3, np.int32)
        requests["boxes/segment_bytes_with_boxes/counts"] = counts
    answers, _ = run_in_fresh_process(served.folder, requests)
    segmenter, found = local_segmenter(served.model, served.metadata), {}
    for call, (signature, boxes) in calls.items():
        pngs = answers[f"{call}/{signature}/labels_png_bytes"]
        found[call] = [images.decode_labels(png) for png in pngs]
        for labels, data in zip(found[call], photographs, strict=True):
            here = segmenter.segment(images.decode_image(data), boxes)
            # Batch normalisation is folded: scores differ in the last bits.
            assert labels.shape == here.shape and np.mean(labels == here) >= 0.999
    # A network that sees images whole passes over boxes.
    found.setdefault("boxes", found["grid"])
    shown = np.unique(np.concatenate([labels.ravel() for labels in found["grid"]]))
    assert SERVERS or shown.tolist() == [0, 1, 2], "the labels must be worth a comparison"
    return found


@pytest.fixture(params=["grpc", "rest"])
def client(request, server) -> Client:
    return Client(getattr(server, request.param), timeout=600, retries=0)


def test_labels_are_the_segmenters(expected, client, served, photographs) -> None:
    classes = served.metadata.num_classes
    names = served.metadata.class_names or [str(index) for index in range(classes)]
    for call, boxes in (("grid", None), ("boxes", BOXES)):
        for data, labels in zip(photographs, expected[call], strict=True):
            answer = client.segment(data, boxes)
            np.testing.assert_array_equal(answer.labels, labels)
            shares = np.bincount(labels.ravel(), minlength=classes) / labels.size
            present = {names[index]: shares[index] for index in np.unique(labels)}
            assert answer.shares == pytest.approx(present)
            assert list(answer.shares.values()) == sorted(answer.shares.values(), reverse=True)


def test_no_boxes_mean_the_whole_image_alone(client, served, photographs) -> None:
    labels = client.segment(photographs[1], np.zeros((0, 4))).labels
    segmenter = local_segmenter(served.model, served.metadata)
    here = segmenter.segment(images.decode_image(photographs[1]), np.zeros((0, 4), np.float32))
    assert np.mean(labels == here) >= 0.999


def test_eight_clients_ask_at_once(server, expected, photographs) -> None:
    clients = [Client(server.grpc if index % 2 else server.rest) for index in range(8)]

    def ask(number: int) -> bool:
        which = number % len(photographs)
        answer = clients[number % 8].segment(photographs[which])
        return np.array_equal(answer.labels, expected["grid"][which])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(64))) == [True] * 64


def test_every_mistake_is_named_and_the_next_request_is_answered(
    client, served, expected, photographs
) -> None:
    for signature, inputs, named in wrong_requests(photographs[1], served.metadata):
        with pytest.raises(UserError, match="refused the request") as caught:
            client._ask(signature, inputs)
        message = str(caught.value)
        assert named in message and len(message) < 400, (signature, message)
        assert "INVALID_ARGUMENT" in message or "HTTP 400" in message
        answer = client.segment(photographs[3])
        np.testing.assert_array_equal(answer.labels, expected["grid"][3])


def test_empty_batches_are_refused_over_grpc(server, served) -> None:
    # JSON cannot say of what shape the empty ones are.
    client, (height, width) = Client(server.grpc), served.metadata.crop_size(20, 24)
    for signature, inputs, named in (
        ("segment_bytes", {"images_bytes": texts()}, "images_bytes"),
        ("regions", {"crops": np.zeros((0, height, width, 3), np.float32)}, "crops"),
    ):
        with pytest.raises(UserError, match=f"`{named}"):
            client._ask(signature, inputs)


def test_an_unknown_model_is_told(server, photographs) -> None:
    for address, code in ((server.grpc, "NOT_FOUND"), (server.rest, "HTTP 404")):
        with pytest.raises(UserError, match=f"{code}.*Servable not found.*other"):
            Client(address, model="other").segment(photographs[0])


def post(address: str, question: object) -> tuple[int, dict]:
    request = urllib.request.Request(address, json.dumps(question).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_rest_in_rows_and_in_columns(server, expected, photographs) -> None:
    address = f"{server.rest}/v1/models/deconvnet:predict"
    values = [{"b64": base64.b64encode(data).decode()} for data in photographs]
    status, by_column = post(address, {"inputs": {"images_bytes": values}})
    assert status == 200 and sorted(by_column["outputs"]) == [
        *("class_ids", "class_names", "class_shares", "labels_png_bytes")
    ]
    for question in (
        {"instances": values, "signature_name": "segment_bytes"},
        {"instances": [{"images_bytes": value} for value in values]},
    ):
        _, by_row = post(address, question)
        pngs = [row["labels_png_bytes"] for row in by_row["predictions"]]
        assert pngs == by_column["outputs"]["labels_png_bytes"]
        assert by_row["predictions"][0]["class_names"] == by_column["outputs"]["class_names"][0]
    for value, labels in zip(pngs, expected["grid"], strict=True):
        png = base64.b64decode(value["b64"])
        np.testing.assert_array_equal(images.decode_labels(png), labels)


@pytest.mark.parametrize(
    ("path", "question", "status"),
    [
        ("deconvnet:predict", {"inputs": {}, "instances": []}, 400),
        ("deconvnet:predict", {"inputs": {"pictures": []}}, 400),
        ("deconvnet:predict", {"signature_name": "segmen", "instances": [1]}, 400),
        ("deconvnet:predict", {"instances": [{"b64": "?"}]}, 400),
        ("deconvnet/versions/9:predict", {"instances": [{"b64": ""}]}, 404),
        ("deconvnet:classify", {}, 400),
    ],
)
def test_rest_mistakes(server, path: str, question: dict, status: int) -> None:
    found, content = post(f"{server.rest}/v1/models/{path}", question)
    assert found == status and content["error"]


def test_the_command_writes_the_files_of_local_segmentation(
    client, served, photographs, tmp_path
) -> None:
    served.model.save(tmp_path / "model.keras")
    (tmp_path / "photo.png").write_bytes(photographs[1])
    chosen = "edges" if client.url.startswith("grpc") else "grid"
    words = [str(tmp_path / "photo.png"), "--proposals", chosen, "--overlay", "--out"]
    asked, here, local = tmp_path / "asked", tmp_path / "here", served.metadata
    assert main(["segment", "deconvnet", *words, str(asked), "--server", client.url]) == 0
    choices = ["--boxes", str(local.boxes), "--aggregate", local.aggregate]
    choices += ["--crf"] if local.crf else []
    assert main(["segment", str(tmp_path / "model.keras"), *words, str(here), *choices]) == 0
    names = ["photo.png", "photo_overlay.jpg"]
    assert [sorted(path.name for path in out.iterdir()) for out in (asked, here)] == [names, names]
    pair = [images.read_labels(out / "photo.png") for out in (asked, here)]
    assert np.mean(pair[0] == pair[1]) >= 0.999
