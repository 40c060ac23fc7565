"""The client against servers that misbehave: busy, absent, slow, strange, or something else."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from tests.export.scripted_server import GOOD, LABELS, OUTPUTS, Handler, Scripted
from tests.helpers import run_python
from tfdeconv.errors import UserError
from tfdeconv.export import Client, client
from tfdeconv.export.client import ServerUnavailable


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.02)


@pytest.fixture
def scripted():
    servers = []

    def start(*answers) -> Scripted:
        servers.append(Scripted(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.closing.set()
        server.shutdown()
        server.server_close()


def test_what_is_asked_and_what_comes_back(scripted) -> None:
    server = scripted(GOOD)
    found = Client(server.url + "/", model="trees").segment(b"\xff\xd8", [[1, 2, 3, 4.5]])
    np.testing.assert_array_equal(found.labels, LABELS)
    assert list(found.shares.items()) == [("sky", 4 / 6), ("Größe", 1 / 6), ("ground", 1 / 6)]
    ((path, body),) = server.asked
    assert path == "/v1/models/trees:predict"
    assert body == {
        "signature_name": "segment_bytes_with_boxes",
        "inputs": {
            "images_bytes": [{"b64": "/9g="}],
            "counts": [1],
            "boxes": [[[1.0, 2.0, 3.0, 4.5]]],
        },
    }


def test_a_network_without_boxes_is_asked_for_whole_images(scripted) -> None:
    # As servers say it over REST.
    reason = 'Serving signature name: "segment_bytes_with_boxes" not found in signature def'
    server = scripted((400, {"error": reason}), GOOD)
    found = Client(server.url).segment(b"", [[1, 2, 3, 4]])
    np.testing.assert_array_equal(found.labels, LABELS)
    asked = [(body["signature_name"], sorted(body["inputs"])) for _, body in server.asked]
    assert asked == [
        ("segment_bytes_with_boxes", ["boxes", "counts", "images_bytes"]),
        ("segment_bytes", ["images_bytes"]),
    ]
    server = scripted((400, {"error": reason.replace("_with_boxes", "")}))
    with pytest.raises(UserError, match='"segment_bytes" not found'):
        Client(server.url).segment(b"", [[1, 2, 3, 4]])


def test_boxes_are_bounded_and_may_be_none_at_all(scripted) -> None:
    server = scripted(GOOD)
    Client(server.url).segment(b"", np.ones((1200, 4)))
    Client(server.url).segment(b"", np.zeros((0, 4)))
    Client(server.url).segment(b"")
    many, none, grid = (body for _, body in server.asked)
    assert many["inputs"]["counts"] == [1000] and len(many["inputs"]["boxes"][0]) == 1000
    assert none["inputs"]["counts"] == [0] and len(none["inputs"]["boxes"][0]) == 1
    assert list(grid["inputs"]) == ["images_bytes"]


def hang_up(handler: Handler) -> None:
    handler.connection.close()
    handler.close_connection = True


def test_a_busy_server_is_asked_again(scripted) -> None:
    server = scripted((503, {"error": "loading"}), hang_up, (503, b"<html>"), GOOD)
    assert Client(server.url).segment(b"").labels.shape == (2, 3)
    assert len(server.asked) == 4


def test_pauses_grow_and_tries_are_counted(scripted, monkeypatch) -> None:
    pauses = []
    monkeypatch.setattr(client.time, "sleep", pauses.append)
    server = scripted((503, {"error": "loading"}))
    with pytest.raises(ServerUnavailable, match=r"HTTP 503 .*: loading \(4 tries\)\. Start it"):
        Client(server.url, retries=3).segment(b"")
    assert len(server.asked) == 4
    assert [0.01 * 2**k <= pause <= 0.02 * 2**k for k, pause in enumerate(pauses)] == [True] * 3


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_no_server_is_told_within_the_time(scheme: str) -> None:
    with pytest.raises(ServerUnavailable, match=rf"No server is ready at {scheme}://127.0.0.1:9: "):
        Client(f"{scheme}://127.0.0.1:9", timeout=1.0, retries=100).segment(b"")


@pytest.mark.parametrize("status", [400, 404, 429, 500, 504])
def test_what_a_server_refuses_is_not_asked_again(scripted, status: int) -> None:
    told = "assertion failed: [`boxes[0]` must be finite. Received:] [0 nan]\n\t [[{{node map}}]]"
    server = scripted((status, {"error": told}))
    with pytest.raises(UserError) as caught:
        Client(server.url).segment(b"")
    assert str(caught.value).startswith(f"The server at {server.url} refused the request. Received")
    assert str(caught.value).endswith(": `boxes[0]` must be finite. Received: 0 nan")
    assert f"HTTP {status} " in str(caught.value) and len(server.asked) == 1


def silent(handler: Handler) -> None:
    handler.server.closing.wait(60)


def drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1_200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        if handler.server.closing.wait(0.05):
            return


# Either answer would end within a minute, as one that is no export of tfdeconv.
@pytest.mark.parametrize("answer", [silent, drip])
def test_a_slow_server_is_left(scripted, answer) -> None:
    with pytest.raises(ServerUnavailable, match=r"did not answer within 0\.5 seconds"):
        Client(scripted(answer).url, timeout=0.5).segment(b"")


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        {"predictions": []},
        {"outputs": 3},
        {"outputs": {**OUTPUTS, "labels_png_bytes": [{"b64": "AAAA"}]}},
        {"outputs": {"scores": [[1.0]]}},
        {"outputs": {**OUTPUTS, "class_names": [["a"]]}},
    ],
)
def test_other_answers_are_told(scripted, content) -> None:
    with pytest.raises(UserError, match=r"`deconvnet` at .* must be a model exported by tfdeconv"):
        Client(scripted((200, content)).url).segment(b"")


@pytest.mark.parametrize("url", ["localhost:8501", "ftp://a", "http://", "http://a:b", ""])
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(UserError, match=r"`url` must be http://host:8501 or grpc://host:8500"):
        Client(url)


def test_a_time_and_a_number_of_tries_must_be_some() -> None:
    with pytest.raises(ValueError, match="`timeout` must be above 0"):
        Client("http://a", timeout=0)


def test_grpc_is_asked_again_when_unavailable_only() -> None:
    codes = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INVALID_ARGUMENT]
    asked = []

    def predict(body: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(body)
        context.abort(codes[len(asked) - 1], f"answer {len(asked)}")

    handler = grpc.unary_unary_rpc_method_handler(predict)
    name = "tensorflow.serving.PredictionService"
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, {"Predict": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(UserError, match="INVALID_ARGUMENT: answer 2") as caught:
            Client(f"grpc://127.0.0.1:{port}").segment(b"")
        assert not isinstance(caught.value, ServerUnavailable) and len(asked) == 2
    finally:
        server.stop(None).wait()


def test_over_http_the_client_loads_no_tensorflow() -> None:
    code = "import sys; from tfdeconv.export import Client; Client('http://a')"
    process = run_python("-c", f"{code}; print({{'tensorflow', 'keras'}} & set(sys.modules))")
    assert process.stdout == "set()\n", process.stderr


@pytest.mark.parametrize("package", ["grpc", "tensorflow_serving.apis"])
def test_what_grpc_needs_is_told(monkeypatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r'pip install "tfdeconv\[serving\]"`, or use http'):
        Client("grpc://a")
