"""Asks a model server to label photographs: `Client("http://localhost:8501").segment(data)`.

Photographs go as the bytes of their files, and label maps come back as PNGs, so that both are
small on the way. Nothing here loads TensorFlow.
"""

import random
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from tfdeconv import images
from tfdeconv.errors import UserError
from tfdeconv.export.c_api.messages import PredictRequest
from tfdeconv.export.transports import Grpc, Refused, Rest, TimedOut, Transport, Unreachable

MOST_BOXES = 1000
_SEGMENT, _WITH_BOXES = "segment_bytes", "segment_bytes_with_boxes"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Segmentation(NamedTuple):
    """What a server says of a photograph.

    Attributes:
        labels: `(height, width)` uint8, of the size of the photograph when it stands upright.
        shares: Name of every class in it (its number where the model has no names) -> its share of
            the pixels, the largest first.
    """

    labels: np.ndarray
    shares: dict[str, float]


class ServerUnavailable(UserError):
    """No server answered: the next request would fail as this one did."""


class Client:
    """A model server with a folder that `tfdeconv export` wrote; threads may share one.

    A server that is not there yet, or is too busy (UNAVAILABLE, HTTP 503, no connection), is asked
    again after pauses that double, within the time limit. A request that it refuses is not.

    Args:
        url: `http://host:8501` for REST, or `grpc://host:8500`; these are the default ports.
        model: The name by which the server knows the model.
        timeout: Seconds that a request may take, all tries together.
        retries: How many more times a request is sent when no server takes it.

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
                photograph. The best 1000 are sent; n may be 0, for the whole image alone. None: the
                server lays a grid. A network that sees every image whole passes over them.

        Raises:
            ServerUnavailable: when no server took the request, or it took too long.
            UserError: when it refused, with its reason, or its answer is no segmentation.
        """
        inputs = {"images_bytes": np.array([image], object)}
        outputs = self._ask_with_boxes(inputs, boxes) if boxes is not None else None
        if outputs is None:
            outputs = self._ask(PredictRequest(self.model, _SEGMENT, inputs))
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

    def _ask_with_boxes(
        self, inputs: dict[str, np.ndarray], boxes: np.ndarray
    ) -> dict[str, np.ndarray] | None:
        """Returns the outputs, or None where the model has no signature with boxes."""
        sent = np.asarray(boxes, np.float32).reshape(-1, 4)[:MOST_BOXES]
        counts = np.array([len(sent)], np.int32)
        # JSON cannot tell an array of no boxes from one of no coordinates.
        some = sent[None] if len(sent) else np.array([[[0, 0, 1, 1]]], np.float32)
        request = {**inputs, "counts": counts, "boxes": some}
        try:
            return self._ask(PredictRequest(self.model, _WITH_BOXES, request))
        except UserError as error:
            # As servers say it over both interfaces, behind words of their own.
            if f'"{_WITH_BOXES}" not found' in str(error):
                return None
            raise

    def _ask(self, request: PredictRequest) -> dict[str, np.ndarray]:
        end = time.monotonic() + self.timeout
        tries = 0
        while True:
            try:
                return self._transport.predict(request, end - time.monotonic())
            except Refused as error:
                raise UserError(
                    f"The server at {self.url} refused the request. Received: {_sentence(error)}"
                ) from error
            except TimedOut as error:
                raise ServerUnavailable(
                    f"The server at {self.url} must answer within {self.timeout:g} seconds. "
                    "Received: nothing. Allow more time or ask for less."
                ) from error
            except Unreachable as error:
                # Not all at the same moment, where many clients wait for one server.
                pause = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE) * random.uniform(0.5, 1)
                tries += 1
                if tries > self.retries or time.monotonic() + pause >= end:
                    raise ServerUnavailable(
                        f"A server must be ready at {self.url}. Received: {_sentence(error)} "
                        f"({tries} tries). Start it, or check the address."
                    ) from error
                time.sleep(pause)
            except (KeyError, ValueError, AttributeError, TypeError) as error:
                raise self._strange(error) from error

    def _strange(self, error: Exception) -> UserError:
        return UserError(
            f"`{self.model}` at {self.url} must be a model exported by tfdeconv. Received: an "
            f"answer that is no segmentation ({error!r})."
        )


def _open(url: str) -> Transport:
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
        return Grpc(f"{host}:{port or 8500}")
    # Behind a proxy it stands at a port and a path of the proxy's.
    port = port or (443 if parts.scheme == "https" else 8501)
    return Rest(f"{parts.scheme}://{host}:{port}{parts.path}")


def _sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    if not lines:
        return "no reason"
    # Behind the first line stand nodes of the graph; a check of ours reads
    # "assertion failed: [`boxes[0]` must be ...] [0 nan]".
    head, failed, told = lines[0].strip().partition("assertion failed: [")
    return head + told.removesuffix("]").replace("] [", " ") if failed else head
