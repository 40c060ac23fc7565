"""The client of a model server: `Client("http://localhost:8501").segment(data)`.

Photographs are sent as the bytes of their files, and label maps come back as PNGs. Over HTTP
TensorFlow is not loaded; over gRPC it is, for the messages of TensorFlow Serving.
"""

import base64
import contextlib
import http.client
import json
import random
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError

from tfdeconv import images
from tfdeconv.errors import UserError

MOST_BOXES = 1000
_SEGMENT, _WITH_BOXES = "segment_bytes", "segment_bytes_with_boxes"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# A label map of 179 megapixels compresses to less.
_MOST_ANSWER_BYTES = 2**29
# Strings are arrays of `bytes` objects.
Arrays = dict[str, np.ndarray]


class Segmentation(NamedTuple):
    """A server's answer for a photograph.

    Attributes:
        labels: `(height, width)` uint8, of the size of the upright photograph.
        shares: Name of every class present (its number where the model has no names) -> its share
            of the pixels, the largest first.
    """

    labels: np.ndarray
    shares: dict[str, float]


class ServerUnavailable(UserError):
    """No server answered; the next request would fail, too."""


class Client:
    """The client of a server of a folder that `tfdeconv export` wrote; threads may share one.

    Where the server is missing or busy (no connection, UNAVAILABLE, HTTP 503), a request is sent
    again after pauses that double, within the time limit. A refused request is not.

    Args:
        url: `http://host:8501` for REST, or `grpc://host:8500`; these are the default ports.
        model: The name of the model on the server.
        timeout: Seconds that a request may take, all tries together.
        retries: How many more times a request is sent while the server is missing or busy.

    Raises:
        UserError: when `url` is none.

    Example:

        client = Client("http://localhost:8501")
        labels = client.segment(Path("photo.jpg").read_bytes()).labels
    """

    def __init__(
        self, url: str, model: str = "deconvnet", timeout: float = 60.0, retries: int = 5
    ) -> None:
        if not (timeout > 0 and retries >= 0):
            raise ValueError(
                "`timeout` must be above 0 and `retries` at least 0. "
                f"Received: timeout={timeout}, retries={retries}"
            )
        self.url, self.model, self.timeout, self.retries = url, model, timeout, retries
        self._transport = _open(url)

    def segment(self, image: bytes, boxes: np.ndarray | None = None) -> Segmentation:
        """Labels every pixel of a photograph.

        Args:
            image: The bytes of a JPEG or PNG file.
            boxes: `(n, 4)` proposals, best first: top, left, bottom, right in pixels of the upright
                photograph. The best 1000 are sent; n may be 0, for the full image alone. None: the
                server uses a grid. A network that takes images of every size ignores them.

        Raises:
            ServerUnavailable: when no server took the request, or it took too long.
            UserError: when the server refused the request, or its answer is no segmentation.
        """
        inputs = {"images_bytes": np.array([image], object)}
        outputs = None if boxes is None else self._ask_with_boxes(inputs, boxes)
        if outputs is None:
            outputs = self._ask(_SEGMENT, inputs)
        try:
            (labels,), (names,), (shares,) = (
                outputs[name] for name in ("labels_png_bytes", "class_names", "class_shares")
            )
            present = {
                name.decode(): float(share)
                for name, share in zip(names, shares, strict=True)
                if share > 0
            }
            return Segmentation(images.decode_labels(labels, "labels"), present)
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise self._strange(error) from error

    def _ask_with_boxes(self, inputs: Arrays, boxes: np.ndarray) -> Arrays | None:
        """Returns the outputs, or None where the model has no signature with boxes."""
        sent = np.asarray(boxes, np.float32).reshape(-1, 4)[:MOST_BOXES]
        counts = np.array([len(sent)], np.int32)
        # JSON cannot tell an array of no boxes from one of no coordinates.
        some = sent[None] if len(sent) else np.array([[[0, 0, 1, 1]]], np.float32)
        request = {**inputs, "counts": counts, "boxes": some}
        try:
            return self._ask(_WITH_BOXES, request)
        except UserError as error:
            # As servers say it over both interfaces, behind words of their own.
            if f'"{_WITH_BOXES}" not found' in str(error):
                return None
            raise

    def _ask(self, signature: str, inputs: Arrays) -> Arrays:
        # One loop for both transports, since the time limit is that of all tries together.
        end = time.monotonic() + self.timeout
        tries = 0
        while True:
            try:
                seconds = max(end - time.monotonic(), 1e-3)
                return self._transport.predict(self.model, signature, inputs, seconds)
            except _Refused as error:
                raise UserError(
                    f"The server at {self.url} refused the request. Received: {_sentence(error)}"
                ) from error
            except _TimedOut as error:
                raise ServerUnavailable(
                    f"The server at {self.url} did not answer within {self.timeout:g} seconds. "
                    "Allow more time, or send a smaller image."
                ) from error
            except _Unreachable as error:
                # Not all at the same moment, where many clients wait for one server.
                pause = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE) * random.uniform(0.5, 1)
                tries += 1
                if tries > self.retries or time.monotonic() + pause >= end:
                    raise ServerUnavailable(
                        f"No server is ready at {self.url}: {_sentence(error)} ({tries} tries). "
                        "Start it, or check the address."
                    ) from error
                time.sleep(pause)
            except (KeyError, ValueError, AttributeError, TypeError) as error:
                raise self._strange(error) from error

    def _strange(self, error: Exception) -> UserError:
        return UserError(
            f"`{self.model}` at {self.url} must be a model exported by tfdeconv. Received: an "
            f"answer that is no segmentation ({error!r})."
        )


def _open(url: str) -> "_Rest | _Grpc":
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    host = parts.hostname
    if parts.scheme not in ("http", "https", "grpc") or not host or port == -1:
        raise UserError(
            f"`url` must be http://host:8501 or grpc://host:8500. Received: {url!r}. "
            "Give the address of a TensorFlow model server."
        )
    host = f"[{host}]" if ":" in host else host
    if parts.scheme == "grpc":
        return _Grpc(f"{host}:{port or 8500}")
    # Behind a proxy it stands at a port and a path of the proxy's.
    port = port or (443 if parts.scheme == "https" else 8501)
    return _Rest(f"{parts.scheme}://{host}:{port}{parts.path}")


def _sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    if not lines:
        return "no reason"
    # Behind the first line stand nodes of the graph; a check of ours reads
    # "assertion failed: [`boxes[0]` must be ...] [0 nan]".
    head, failed, reason = lines[0].strip().partition("assertion failed: [")
    return head + reason.removesuffix("]").replace("] [", " ") if failed else head


class _Unreachable(Exception):
    """The server is missing, busy or still loading: worth another try."""


class _TimedOut(Exception):
    """The server took too long."""


class _Refused(Exception):
    """The server answered with an error, in its words."""


class _Rest:
    """The REST interface of a model server at `address`, `http://host:8501`."""

    def __init__(self, address: str) -> None:
        self._address, self._http = address.rstrip("/"), urllib3.PoolManager(maxsize=8)

    def predict(self, model: str, signature: str, inputs: Arrays, seconds: float) -> Arrays:
        """Returns the outputs by name; numbers come back as int64 or float64.

        Raises:
            _Unreachable, _TimedOut, _Refused: see there.
            ValueError: when the answer is none of a model server.
        """
        columns = {name: _to_json(array.tolist()) for name, array in inputs.items()}
        question = {"signature_name": signature, "inputs": columns}
        address = f"{self._address}/v1/models/{model}:predict"
        try:
            status, body = self._post(address, question, seconds)
        except NewConnectionError as error:
            # No server, no route, or no such name yet.
            raise _Unreachable(str(error).partition(": ")[2]) from error
        except urllib3.exceptions.TimeoutError as error:
            raise _TimedOut(str(error)) from error
        except HTTPError as error:
            if isinstance(error, ProtocolError) and not isinstance(error.args[-1], ConnectionError):
                raise ValueError(f"no HTTP ({error})") from error
            raise _Unreachable(str(error)) from error
        if status != 200:
            reason = f"HTTP {status} {http.client.responses.get(status, '')}: {_reason(body)}"
            raise (_Unreachable if status == 503 else _Refused)(reason)
        return {name: _from_json(value) for name, value in json.loads(body)["outputs"].items()}

    def _post(self, address: str, question: Any, seconds: float) -> tuple[int, bytes]:
        end, body = time.monotonic() + seconds, bytearray()
        answer = self._http.request(
            *("POST", address),
            json=question,
            timeout=urllib3.Timeout(total=seconds),
            retries=False,
            preload_content=False,
        )
        with contextlib.closing(answer):
            # A server that sends a byte now and then must not hold us for ever.
            while part := answer.read1(2**20):
                body += part
                if time.monotonic() > end:
                    raise _TimedOut("the answer was not complete")
                if len(body) > _MOST_ANSWER_BYTES:
                    raise ValueError(f"more than {_MOST_ANSWER_BYTES} bytes")
        return answer.status, bytes(body)


class _Grpc:
    """The gRPC interface of a model server at `address`, `host:8500`."""

    def __init__(self, address: str) -> None:
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise UserError(
                "To ask a grpc:// server, TensorFlow Serving's messages must be installed. "
                f'Received: {error}. Run `pip install "tfdeconv[serving]"`, or use http://.'
            ) from error
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", _MOST_ANSWER_BYTES),
            # `Client` retries; within gRPC's own pauses its tries would fail at once.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        channel = grpc.insecure_channel(address, options)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(self, model: str, signature: str, inputs: Arrays, seconds: float) -> Arrays:
        """See `_Rest`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        request = PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        try:
            answer = self._service.Predict(request, timeout=seconds)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise _Unreachable(error.details()) from error
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise _TimedOut(error.details()) from error
            raise _Refused(f"{error.code().name}: {error.details()}") from error
        return {name: tf.make_ndarray(proto) for name, proto in answer.outputs.items()}


def _reason(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


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
