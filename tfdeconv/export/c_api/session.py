"""A session over a SavedModel through the TensorFlow C API, called by ctypes."""

import ctypes
import os
from collections.abc import Mapping

import numpy as np

from .library import POINTER, TEXT, Output, load_library
from .signature_defs import Signature, read_signatures
from .tensors import delete_tensor, new_tensor, take_array

# absl/status/status.h: what a model server answers with
INVALID_ARGUMENT, FAILED_PRECONDITION = 3, 9


class TensorFlowError(ValueError):
    """What TensorFlow refused.

    Attributes:
        code: TensorFlow's error code, which is gRPC's, too: 3 is INVALID_ARGUMENT.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Session:
    """A SavedModel loaded by `TF_LoadSessionFromSavedModel`, the loader that model servers use.

    It may be used by several threads at a time.

    Args:
        folder: The folder that holds `saved_model.pb`.

    Attributes:
        signatures: Signature name -> `Signature`.

    Raises:
        ValueError: when TensorFlow's libraries are not installed or refuse the folder.

    Example:

        session = Session("exported/1")
        scores = session.run("regions", {"crops": crops})["scores"]
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._api = load_library()
        self._graph = self._api.TF_NewGraph()
        meta_graph, status = self._api.TF_NewBuffer(), self._api.TF_NewStatus()
        options, tags = self._api.TF_NewSessionOptions(), (TEXT * 1)(b"serve")
        path = os.fsencode(folder)
        self._session = self._api.TF_LoadSessionFromSavedModel(
            options, None, path, tags, 1, self._graph, meta_graph, status
        )
        self._check(status, f"load `{folder}`")
        buffer = meta_graph.contents
        self.signatures = read_signatures(ctypes.string_at(buffer.data, buffer.length))

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature: input name -> array gives output name -> array.

        Strings go in and come out as arrays of `bytes` objects (dtype object).

        Raises:
            TensorFlowError: when the signature or an input is not the graph's, or it fails.
            ValueError: when an input is neither numbers nor byte strings.
        """
        known = self._known(signature, inputs)
        feeds = [self._output(known.inputs[name].tensor) for name in inputs]
        fetches = [self._output(info.tensor) for info in known.outputs.values()]
        values: list[int] = []
        results = (POINTER * len(fetches))()
        try:
            for value in inputs.values():
                values.append(new_tensor(self._api, np.asarray(value)))
            status = self._api.TF_NewStatus()
            self._api.TF_SessionRun(
                *(self._session, None),
                *((Output * len(feeds))(*feeds), (POINTER * len(values))(*values), len(feeds)),
                *((Output * len(fetches))(*fetches), results, len(fetches)),
                *(None, 0, None, status),
            )
            self._check(status, f"run `{signature}`")
            arrays = [take_array(self._api, result) for result in results if result]
        finally:
            for tensor in values:
                delete_tensor(self._api, tensor)
        return dict(zip(known.outputs, arrays, strict=True))

    def _known(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Signature:
        known = self.signatures.get(signature)
        if known is None or set(inputs) != set(known.inputs):
            raise TensorFlowError(
                f"`{signature}` must be a signature and have these inputs. "
                f"Received: {sorted(inputs)}, the model has {self.signatures}",
                FAILED_PRECONDITION if known is None else INVALID_ARGUMENT,
            )
        return known

    def _check(self, status: int, what: str) -> None:
        code = self._api.TF_GetCode(status)
        message = self._api.TF_Message(status).decode(errors="replace")
        self._api.TF_DeleteStatus(status)
        if code:
            raise TensorFlowError(f"TensorFlow could not {what}: {message}", code)

    def _output(self, tensor: str) -> Output:
        operation, _, index = tensor.partition(":")
        found = self._api.TF_GraphOperationByName(self._graph, operation.encode())
        return Output(found, int(index or 0))
