"""Runs exported folders where neither Keras nor tfdeconv can be imported; `verification` starts it.

`python -P fresh_process.py FOLDER REQUESTS ANSWERS [FOLDER REQUESTS ANSWERS ...]`: the files hold
records of `NamedTensorProto`; equal calls go in together.
"""

import sys
from collections.abc import Mapping

if __name__ == "__main__":
    # Before TensorFlow, which imports Keras where it can: nothing shall help the graph.
    sys.modules.update({"keras": None, "tfdeconv": None})  # type: ignore[dict-item]

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.named_tensor_pb2 import NamedTensorProto

Arrays = dict[str, np.ndarray]


def write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays of numbers and of `bytes` objects to a file."""
    with tf.io.TFRecordWriter(path) as writer:
        for name, array in arrays.items():
            proto = NamedTensorProto(name=name, tensor=tf.make_tensor_proto(array))
            writer.write(proto.SerializeToString())


def read_arrays(path: str) -> Arrays:
    """Reads what `write_arrays` wrote, in the same order."""
    records = tf.data.TFRecordDataset(path).as_numpy_iterator()
    protos = (NamedTensorProto.FromString(record) for record in records)
    return {proto.name: tf.make_ndarray(proto.tensor) for proto in protos}


def answer(folder: str, requests: Mapping[str, np.ndarray]) -> Arrays:
    """Runs every call on the folder of a SavedModel, in order.

    Requests are `<call>/<signature>/<input>` -> array, answers `<call>/<signature>/<output>`.

    Raises:
        ValueError: when the folder has no such signature, or it has other inputs.
        OSError: when the folder holds no model that can be loaded.
        tf.errors.OpError: when the graph refuses.
    """
    model = tf.saved_model.load(folder)
    calls: dict[tuple[str, str], Arrays] = {}
    for name, array in requests.items():
        call, signature, key = name.split("/")
        calls.setdefault((call, signature), {})[key] = array
    answers = {}
    for (call, signature), inputs in calls.items():
        run = model.signatures.get(signature)
        known = [] if run is None else sorted(run.structured_input_signature[1])
        if run is None or sorted(inputs) != known:
            raise ValueError(
                f"`{signature}` must be one of {sorted(model.signatures)} and have the inputs "
                f"{known}. Received: {sorted(inputs)}"
            )
        outputs = run(**{key: tf.constant(array) for key, array in inputs.items()})
        for key, value in outputs.items():
            answers[f"{call}/{signature}/{key}"] = value.numpy()
    return answers


def main(arguments: list[str]) -> None:
    """Answers every FOLDER REQUESTS ANSWERS of the command line."""
    for job in range(0, len(arguments), 3):
        folder, requests, answers = arguments[job : job + 3]
        write_arrays(answers, answer(folder, read_arrays(requests)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, TypeError, OSError, tf.errors.OpError) as error:
        # To stdout: stderr is full of TensorFlow's own lines. Those before this mark name nodes.
        print(str(error).split("<stack traces unavailable>\n")[-1])
        sys.exit(1)
