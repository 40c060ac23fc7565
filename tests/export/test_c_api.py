"""The session over TensorFlow's C API, on a toy SavedModel that was written by TensorFlow."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import CHECKOUT, run_python
from tfdeconv.errors import UserError
from tfdeconv.export.c_api.messages import PredictRequest, encode_prediction_log
from tfdeconv.export.c_api.records import WARMUP_FILE, encode_record
from tfdeconv.export.c_api.signature_defs import TensorInfo, read_saved_model, read_signatures
from tfdeconv.export.c_api.tensors import new_tensor
from tfdeconv.export.c_api.wire import fields
from tfdeconv.export.fresh_process import _warnings, run_all_in_fresh_process, run_in_fresh_process


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


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_other_texts_are_refused(dtype: str) -> None:
    with pytest.raises(ValueError, match="numbers, or of `bytes` with dtype object"):
        new_tensor(None, np.array(["text"], dtype))


def test_the_error_code_is_kept(toy) -> None:
    code = f"""
from c_api import Session, TensorFlowError
import numpy as np
session = Session({str(toy)!r})
for name, inputs in (
    ("check", {{"x": np.array([-1], np.float32)}}),
    ("check", {{"x": np.array([1], np.int32)}}),
    ("check", {{"y": np.array([1], np.int32)}}),
    ("other", {{}}),
):
    try:
        session.run(name, inputs)
    except TensorFlowError as error:
        print(error.code)
print(session.run("check", {{"x": np.array([2], np.float32)}})["x"][0])
"""
    process = run_python("-P", "-c", code, PYTHONPATH=str(CHECKOUT / "tfdeconv" / "export"))
    assert process.stdout.split() == ["3", "3", "3", "9", "2.0"], process.stderr


def test_warm_up_requests_are_replayed_and_answered(toy, tmp_path) -> None:
    folder = tmp_path / "warm"
    shutil.copytree(toy, folder)
    (folder / WARMUP_FILE).parent.mkdir()
    request = PredictRequest("toy", "join", {"texts": TEXTS})
    record = encode_record(encode_prediction_log(request))
    (folder / WARMUP_FILE).write_bytes(2 * record)
    answers, _ = run_in_fresh_process(folder, {"0/check/x": np.ones(1, np.float32)}, warm_up=True)
    assert sorted({name.split("/")[0] for name in answers}) == ["0", "warmup0", "warmup1"]
    assert answers["warmup1/join/same"].tolist() == TEXTS.tolist()
    request = PredictRequest("toy", "join", {"texts": TEXTS[:0]})
    (folder / WARMUP_FILE).write_bytes(1001 * encode_record(encode_prediction_log(request)))
    with pytest.raises(UserError, match="must hold at most 1000 records"):
        run_in_fresh_process(folder, {}, warm_up=True)
    (folder / WARMUP_FILE).write_bytes(record[:-1])
    with pytest.raises(UserError, match="tf_serving_warmup_requests` must be whole"):
        run_in_fresh_process(folder, {}, warm_up=True)


def test_what_the_graph_refuses_is_told(toy) -> None:
    with pytest.raises(UserError, match="x must be positive"):
        run_in_fresh_process(toy, {"0/check/x": np.array([-1], np.float32)})


def test_a_folder_without_a_model_is_told(tmp_path) -> None:
    with pytest.raises(UserError, match="Could not find SavedModel"):
        run_in_fresh_process(tmp_path, {"0/check/x": np.ones(1, np.float32)})


@pytest.mark.parametrize("name", ["0/chek/x", "0/check/y"])
def test_an_unknown_name_is_told(toy, name: str) -> None:
    with pytest.raises(UserError, match="must be a signature and have these inputs"):
        run_in_fresh_process(toy, {name: np.ones(1, np.float32)})


def test_the_process_fails_when_it_holds_what_it_must_not() -> None:
    code = "import runpy, sys, types; sys.modules['keras'] = types.ModuleType('keras'); "
    code += "sys.argv = ['c_api']; runpy.run_module('c_api', run_name='__main__')"
    process = run_python("-P", "-c", code, PYTHONPATH=str(CHECKOUT / "tfdeconv" / "export"))
    assert process.returncode == 1
    assert process.stdout == "This process must load nothing of ['keras']\n"


def test_signatures_are_read_as_tensorflow_reads_them(toy) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((toy / "saved_model.pb").read_bytes())
    found = read_signatures(saved.meta_graphs[0].SerializeToString())
    assert sorted(found) == ["check", "join", "scale"] and found == read_saved_model(
        (toy / "saved_model.pb").read_bytes()
    )
    expected = saved.meta_graphs[0].signature_def["scale"]
    assert found["scale"].inputs["images"] == TensorInfo(
        expected.inputs["images"].name, "uint8", (-1, -1, 2)
    )
    assert sorted(found["scale"].outputs) == ["large", "next", "scaled"]
    assert found["scale"].outputs["next"].dtype == "int64"


def test_wire_format() -> None:
    # field 1: 300; field 2: "ab"; field 3, 8 bytes; field 4, 4 bytes
    message = b"\x08\xac\x02" + b"\x12\x02ab" + b"\x19" + b"12345678" + b"\x25" + b"1234"
    assert list(fields(message)) == [(1, 300), (2, b"ab"), (3, b"12345678"), (4, b"1234")]


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
