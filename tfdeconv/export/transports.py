"""How a request reaches a TensorFlow model server: over REST, or over gRPC.

Nothing here loads TensorFlow. Strings are arrays of `bytes` objects, as in `c_api`.
"""

import base64
import http.client
import importlib
import json
import time
import urllib.error
import urllib.request
from typing import Any, Protocol

import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.export.c_api.messages import (
    PredictRequest,
    decode_predict_response,
    encode_predict_request,
)

# A label map of 179 megapixels compresses to less.
_MOST_ANSWER_BYTES = 2**29


class Unreachable(Exception):
    """No server is there, or it is busy or still loading: worth another try."""


class TimedOut(Exception):
    """The server took too long."""


class Refused(Exception):
    """The server answered with an error, in its words."""


class Transport(Protocol):
    """Asks one server."""

    def predict(self, request: PredictRequest, seconds: float) -> dict[str, np.ndarray]:
        """Returns the outputs by name.

        Raises:
            Unreachable, TimedOut, Refused: see there.
            ValueError: when the answer is none of a model server.
        """


class Rest:
    """The REST interface of a model server at `address`, `http://host:8501`."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def predict(self, request: PredictRequest, seconds: float) -> dict[str, np.ndarray]:
        """See `Transport`; numbers come back as int64 or float64."""
        inputs = {name: _to_json(array) for name, array in request.inputs.items()}
        body = json.dumps({"signature_name": request.signature, "inputs": inputs}).encode()
        question = urllib.request.Request(
            f"{self._address}/v1/models/{request.model}:predict",
            body,
            {"Content-Type": "application/json"},
        )
        outputs = json.loads(_read(question, seconds))["outputs"]
        return {name: _from_json(value) for name, value in outputs.items()}


class Grpc:
    """The gRPC interface of a model server at `address`, `host:8500`."""

    def __init__(self, address: str) -> None:
        try:
            self._grpc = importlib.import_module("grpc")
        except ImportError as error:
            raise UserError(
                'gRPC must be installed to ask a grpc:// server. Run `pip install "tfdeconv'
                '[serving]"`, or use http://.'
            ) from error
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", _MOST_ANSWER_BYTES),
            # Ours decides when to try again; its own pauses would make tries fail unasked.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        channel = self._grpc.insecure_channel(address, options)
        self._predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    def predict(self, request: PredictRequest, seconds: float) -> dict[str, np.ndarray]:
        """See `Transport`."""
        code = self._grpc.StatusCode
        try:
            answer = self._predict(encode_predict_request(request), timeout=seconds)
        except self._grpc.RpcError as error:
            if error.code() == code.UNAVAILABLE:
                raise Unreachable(error.details()) from error
            if error.code() == code.DEADLINE_EXCEEDED:
                raise TimedOut(error.details()) from error
            raise Refused(f"{error.code().name}: {error.details()}") from error
        return decode_predict_response(answer)


def _read(question: urllib.request.Request, seconds: float) -> bytes:
    end, parts, size = time.monotonic() + seconds, [], 0
    try:
        with urllib.request.urlopen(question, timeout=seconds) as answer:
            # A server that sends a byte now and then must not hold us for ever.
            while part := answer.read1(2**20):
                parts.append(part)
                size += len(part)
                if time.monotonic() > end:
                    raise TimedOut("the answer was not complete")
                if size > _MOST_ANSWER_BYTES:
                    raise ValueError(f"more than {_MOST_ANSWER_BYTES} bytes")
    except urllib.error.HTTPError as error:
        with error:
            reason = _reason(error)
        raise (Unreachable if error.code == 503 else Refused)(reason) from error
    except (TimeoutError, ConnectionError) as error:
        raise (TimedOut if isinstance(error, TimeoutError) else Unreachable)(str(error)) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise TimedOut(str(error.reason)) from error
        # No connection, no route, or no such name yet.
        raise Unreachable(str(error.reason)) from error
    except http.client.HTTPException as error:
        raise ValueError(f"no HTTP ({error!r})") from error
    return b"".join(parts)


def _reason(error: urllib.error.HTTPError) -> str:
    body = error.read(2**16).decode(errors="replace")
    try:
        told = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        told = body
    return f"HTTP {error.code} {error.reason}: {told}"


def _to_json(array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    return _texts_to_json(array.tolist())


def _texts_to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_texts_to_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()}


def _from_json(value: Any) -> np.ndarray:
    array = np.array(value, object)
    if not array.size or not isinstance(array.flat[0], dict | str):
        return np.array(value)
    flat = np.empty(array.size, object)
    flat[:] = [_text(item) for item in array.flat]
    return flat.reshape(array.shape)


def _text(item: dict[str, str] | str) -> bytes:
    # Outputs whose names end in `_bytes` come in base64, others as they are.
    return item.encode() if isinstance(item, str) else base64.b64decode(item["b64"])
