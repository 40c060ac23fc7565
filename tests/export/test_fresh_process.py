"""The process without Keras and tfdeconv, on a toy SavedModel that was written by TensorFlow."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tests.helpers import run_python
from tfdeconv.errors import UserError
from tfdeconv.export import fresh_process
from tfdeconv.export.saved_model import WARMUP_FILE, read_warmup
from tfdeconv.export.verification import (
    _warnings,
    run_all_in_fresh_process,
    run_in_fresh_process,
)


class Toy(tf.Module):
    """Scales, counts and compares; an input and an output of each kind that we export."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable([[2.0], [3.0]])

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, 2), tf.uint8, "images"),
            tf.TensorSpec((None,), tf.int32, "counts"),
        ]
    )
    def scale(self, images: tf.Tensor, counts: tf.Tensor) -> dict[str, tf.Tensor]:
        scaled = tf.cast(images, tf.float32) @ self.factor
        large = tf.cast(scaled > 10, tf.uint8)
        return {"scaled": scaled, "large": large, "next": tf.cast(counts, tf.int64) + 1}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
    def check(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_positive(x, "x must be positive")]):
            return {"x": tf.identity(x)}

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.string, "texts")])
    def join(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        joined = tf.strings.reduce_join(texts, axis=1, separator="+")
        return {"joined": joined, "same": texts, "lengths": tf.strings.length(texts)}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("toy")
    module = Toy()
    signatures = {"scale": module.scale, "check": module.check, "join": module.join}
    tf.saved_model.save(module, folder, signatures)
    return folder


IMAGES = np.array([[[1, 2], [5, 0]], [[0, 0], [255, 255]]], np.uint8)


def test_two_calls_and_two_folders_run_in_one_process(toy) -> None:
    counts = np.array([7, -1], np.int32)
    requests = {
        "first/scale/images": IMAGES,
        "first/scale/counts": counts,
        "second/scale/images": IMAGES[:1, :0],
        "second/scale/counts": counts[:0],
    }
    (answers, other), log = run_all_in_fresh_process(
        [(toy, requests), (toy, {"0/check/x": np.ones(3, np.float32)})]
    )
    assert answers["first/scale/scaled"].tolist() == [[[8], [10]], [[0], [1275]]]
    assert answers["first/scale/large"].tolist() == [[[0], [0]], [[0], [1]]]
    assert answers["first/scale/large"].dtype == np.uint8
    assert answers["first/scale/next"].tolist() == [8, 0]
    assert answers["second/scale/scaled"].shape == (1, 0, 1)
    assert other["0/check/x"].tolist() == [1, 1, 1]
    assert log == ()


# empty, longer than what a tensor holds in place, zeros inside and at the end
TEXTS = np.array([[b"", b"a" * 1000], ["Größe".encode(), b"\0zeros\0\0"]], object)


def test_byte_strings_go_in_and_come_out(toy) -> None:
    requests = {"0/join/texts": TEXTS, "none/join/texts": TEXTS[:0]}
    answers, _ = run_in_fresh_process(toy, requests)
    assert answers["0/join/joined"].tolist() == [b"+".join(row) for row in TEXTS]
    assert answers["0/join/same"].tolist() == TEXTS.tolist()
    assert answers["0/join/lengths"].tolist() == [[0, 1000], [7, 8]]
    assert answers["none/join/joined"].shape == (0,)


def test_arrays_of_every_kind_come_back_as_they_were(tmp_path) -> None:
    arrays = {
        "texts": TEXTS,
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.array(7, np.int32),
        "not finite": np.array([[np.nan, -np.inf]], np.float16),
        "bool": np.array([True, False]),
    }
    fresh_process.write_arrays(str(tmp_path / "arrays"), arrays)
    found = fresh_process.read_arrays(str(tmp_path / "arrays"))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def write_warmup(folder: Path, *texts: Any) -> Path:
    record = PredictionLog()
    request = record.predict_log.request
    request.model_spec.signature_name = "join"
    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in texts:
            request.inputs["texts"].CopyFrom(tf.make_tensor_proto(one))
            writer.write(record.SerializeToString())
    return path


def test_warm_up_requests_are_replayed_and_answered(toy, tmp_path) -> None:
    folder = tmp_path / "warm"
    shutil.copytree(toy, folder)
    write_warmup(folder, TEXTS, TEXTS)
    answers, _ = run_in_fresh_process(folder, {"0/check/x": np.ones(1, np.float32)}, warm_up=True)
    assert sorted({name.split("/")[0] for name in answers}) == ["0", "warmup0", "warmup1"]
    assert answers["warmup1/join/same"].tolist() == TEXTS.tolist()


def test_warm_up_requests_that_a_server_would_refuse_are_told(tmp_path) -> None:
    assert read_warmup(tmp_path) == []
    path = write_warmup(tmp_path, *[TEXTS[:0]] * 1001)
    with pytest.raises(UserError, match=r"must hold at most 1000 requests.*more than 1000"):
        read_warmup(tmp_path)
    whole = write_warmup(tmp_path, TEXTS).read_bytes()
    with tf.io.TFRecordWriter(str(tmp_path / "other")) as writer:
        writer.write(b"\x80" * 11)
    damaged = bytes([whole[0] ^ 64]) + whole[1:]
    for data in (whole[:-1], damaged, (tmp_path / "other").read_bytes()):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"tf_serving_warmup_requests` must hold .*, whole"):
            read_warmup(tmp_path)


def test_what_the_graph_refuses_is_told(toy) -> None:
    with pytest.raises(UserError, match=r"Received: .*x must be positive"):
        run_in_fresh_process(toy, {"0/check/x": np.array([-1], np.float32)})


def test_a_folder_without_a_model_is_told(tmp_path) -> None:
    with pytest.raises(UserError, match="SavedModel file does not exist"):
        run_in_fresh_process(tmp_path, {"0/check/x": np.ones(1, np.float32)})


@pytest.mark.parametrize("name", ["0/chek/x", "0/check/y"])
def test_an_unknown_name_is_told(toy, name: str) -> None:
    with pytest.raises(ValueError, match=r"must be one of \['check', 'join', 'scale'\] and have"):
        fresh_process.answer(str(toy), {name: np.ones(1, np.float32)})


def test_neither_keras_nor_tfdeconv_can_be_imported() -> None:
    code = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
for name in ("keras", "tfdeconv"):
    try:
        __import__(name)
    except ImportError:
        print("no", name)
"""
    process = run_python("-c", code, fresh_process.__file__)
    assert process.stdout == "no keras\nno tfdeconv\n", process.stderr


def test_warnings_are_told_from_chatter_and_from_the_machine() -> None:
    log = (
        "I0000 00:00:1.2 1 loader.cc:236] Restoring SavedModel bundle.\n"
        "W0000 00:00:1.2 1 optimize.cc:1] Ignoring multi-device function\n"
        "E0000 00:00:1.2 1 cuda_platform.cc:52] failed call to cuInit\n"
        "E0000 00:00:1.2 1 util.cc:131] oneDNN supports DT_UINT8 only on platforms with AVX-512.\n"
        "2026-11-20 19:00:00.5: W tensorflow/core/grappler.cc:9] Skipping\n"
        "WARNING: All log messages before absl::InitializeLog() is called\n"
    )
    assert [line.split("] ")[1] for line in _warnings(log)] == [
        "Ignoring multi-device function",
        "Skipping",
    ]
