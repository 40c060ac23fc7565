"""A stand-in for tensorflow_model_server: its two interfaces before the same C++ runtime.

The stubs (tensorflow-serving-api) and the runtime (TensorFlow's C API) are the real ones; what lies
between is ours and knows one model of one version. `python -m tests.serving.protocol_server FOLDER`
listens on 127.0.0.1, prints `grpc PORT rest PORT` when it is ready, and ends with its input.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving.bare_process import signature_defs, tensors_of
from tests.serving.c_api import CODES, FAILED_PRECONDITION, Session, TensorFlowError

NOT_FOUND = 5
WARMUP = "assets.extra/tf_serving_warmup_requests"
# TensorFlow's codes are gRPC's.
GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
# Servers answer number by number (kAsProtoField of predict_util.cc).
FIELDS = {"f": "float_val", "i": "int_val", "u": "int_val", "O": "string_val"}


class Model:
    """One version of a model, warmed up.

    Args:
        folder: The folder of the version; its name is the number.
        name: What the model is called.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.version = name, int(folder.name)
        self.signature_defs = signature_defs(folder)
        self.session = Session(folder, tensors_of(self.signature_defs))
        for record in tf.data.TFRecordDataset(str(folder / WARMUP)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            self.session.run(request.model_spec.signature_name, inputs)

    def require(self, name: str, version: int | None = None) -> None:
        """Refuses a question for another model or version."""
        if name != self.name or version not in (None, self.version):
            raise TensorFlowError(f"Servable not found for request: Latest({name})", NOT_FOUND)

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature, `serving_default` where none is named."""
        signature = signature or "serving_default"
        if signature not in self.signature_defs:
            # RunPredict of tensorflow_serving/servables/tensorflow/predict_util.cc
            message = f'Serving signature key "{signature}" not found.'
            raise TensorFlowError(message, FAILED_PRECONDITION)
        return self.session.run(signature, inputs)


def encode(array: np.ndarray) -> TensorProto:
    proto = TensorProto(dtype=CODES[array.dtype.name])
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    getattr(proto, FIELDS[array.dtype.kind]).extend(array.ravel().tolist())
    return proto


class Services(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """The gRPC interface: Predict, GetModelMetadata and GetModelStatus."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def Predict(self, request, context):
        try:
            self._require(request)
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            outputs = self.model.run(request.model_spec.signature_name, inputs)
            wanted = request.output_filter or outputs
            tensors = {key: encode(outputs[key]) for key in wanted}
        except TensorFlowError as error:
            context.abort(GRPC_CODES[error.code], str(error))
        except (ValueError, KeyError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return predict_pb2.PredictResponse(model_spec=request.model_spec, outputs=tensors)

    def GetModelMetadata(self, request, context):
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        try:
            self._require(request)
        except TensorFlowError as error:
            context.abort(GRPC_CODES[error.code], str(error))
        described = get_model_metadata_pb2.SignatureDefMap(signature_def=self.model.signature_defs)
        response.metadata["signature_def"].Pack(described)
        return response

    def GetModelStatus(self, request, context):
        try:
            self._require(request)
        except TensorFlowError as error:
            context.abort(GRPC_CODES[error.code], str(error))
        response = get_model_status_pb2.GetModelStatusResponse()
        state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        response.model_version_status.add(version=self.model.version, state=state)
        return response

    def _require(self, request) -> None:
        spec = request.model_spec
        self.model.require(spec.name, spec.version.value if spec.HasField("version") else None)


def start_grpc(model: Model, port: int = 0) -> tuple[grpc.Server, int]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(16), options=options)
    services = Services(model)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


def main(folder: str, name: str = "deconvnet") -> None:
    from tests.serving.rest_interface import start_rest

    model = Model(Path(folder), name)
    server, grpc_port = start_grpc(model)
    rest = start_rest(model)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    print(f"grpc {grpc_port} rest {rest.server_port}", flush=True)
    sys.stdin.read()
    rest.shutdown()
    server.stop(None).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
