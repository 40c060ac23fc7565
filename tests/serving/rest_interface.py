"""The REST interface of the stand-in server: /v1/models/NAME[/versions/N][/metadata|:predict]."""

import base64
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict

from tests.serving.c_api import DTYPES, FAILED_PRECONDITION, INVALID_ARGUMENT, TensorFlowError

PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata|:predict)?")
# ToHTTPStatusCode of tensorflow_serving/model_servers/http_server.cc
STATUS = {INVALID_ARGUMENT: 400, FAILED_PRECONDITION: 400, 4: 504, 5: 404, 8: 429, 14: 503}


def answer_predict(model: Any, body: bytes) -> dict[str, Any]:
    """Answers the body of a `:predict`: rows (`instances`) or columns (`inputs`)."""
    try:
        question = json.loads(body)
        if not isinstance(question, dict) or ("instances" in question) == ("inputs" in question):
            raise ValueError("Missing 'inputs' or 'instances' key")
        name = question.get("signature_name", "serving_default")
        known = model.signature_defs.get(name)
        if known is None:
            raise ValueError(f'Serving signature name: "{name}" not found in signature def')
        in_rows = "instances" in question
        columns = columns_of_rows(question["instances"], known) if in_rows else question["inputs"]
        if len(known.inputs) == 1 and (not isinstance(columns, dict) or set(columns) == {"b64"}):
            columns = {next(iter(known.inputs)): columns}
        inputs = {
            key: to_array(columns[key], DTYPES[info.dtype]) for key, info in known.inputs.items()
        }
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise TensorFlowError(f"JSON: {error}", INVALID_ARGUMENT) from error
    outputs = {key: to_json(key, array) for key, array in model.run(name, inputs).items()}
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    if not in_rows:
        return {"outputs": outputs if only is None else only}
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    return {"predictions": rows if only is None else only}


def columns_of_rows(rows: Any, known: Any) -> dict[str, list]:
    if not isinstance(rows, list) or not rows:
        raise ValueError("No values in 'instances' array")
    if not isinstance(rows[0], dict) or set(rows[0]) == {"b64"}:
        (only,) = known.inputs
        rows = [{only: row} for row in rows]
    return {key: [row[key] for row in rows] for key in known.inputs}


def to_array(value: Any, dtype: str) -> np.ndarray:
    if dtype != "object":
        return np.array(value, dtype)
    found = np.array(value, object)
    texts = np.empty(found.size, object)
    texts[:] = [
        base64.b64decode(item["b64"], validate=True) if isinstance(item, dict) else item.encode()
        for item in found.flat
    ]
    return texts.reshape(found.shape)


def to_json(name: str, array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()

    def item(value: Any) -> Any:
        if isinstance(value, list):
            return [item(inner) for inner in value]
        encoded = base64.b64encode(value).decode()
        return {"b64": encoded} if name.endswith("_bytes") else value.decode()

    return item(array.tolist())


class Handler(BaseHTTPRequestHandler):
    """Answers one request; `server.model` is the model."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        try:
            status, content = 200, self._content(body)
        except ValueError as error:
            status = STATUS.get(getattr(error, "code", None), 500)
            content = {"error": str(error)}
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _content(self, body: bytes) -> dict[str, Any]:
        model = self.server.model
        found = PATH.fullmatch(self.path)
        if not found or (self.command == "POST") != (found[3] == ":predict"):
            raise TensorFlowError(f"Malformed request: {self.command} {self.path}", 3)
        model.require(found[1], int(found[2]) if found[2] else None)
        if found[3] == ":predict":
            return answer_predict(model, body)
        if found[3] == "/metadata":
            signatures = {k: MessageToDict(v) for k, v in model.signature_defs.items()}
            metadata = {"signature_def": {"signature_def": signatures}}
            return {"model_spec": {"name": model.name}, "metadata": metadata}
        status = {"error_code": "OK", "error_message": ""}
        one = {"version": str(model.version), "state": "AVAILABLE", "status": status}
        return {"model_version_status": [one]}


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 64


def start_rest(model: Any, port: int = 0) -> Server:
    server = Server(("127.0.0.1", port), Handler)
    server.model = model
    return server
