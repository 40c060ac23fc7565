"""The exported folder: signatures, weights, metadata, versions, and what is refused."""

import contextlib
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.export.networks import plain_network
from tfdeconv.crf import DenseCRF, mean_field
from tfdeconv.errors import UserError
from tfdeconv.export import export_saved_model, read_metadata
from tfdeconv.export.saved_model import WARMUP_FILE, newest_version, read_warmup
from tfdeconv.layers import Logits
from tfdeconv.models import DeconvNet
from tfdeconv.weights import fold_batch_norm

CLASSES = ("ground", "tree", "sky")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return DeconvNet(3, (32, 32, 3), width=1 / 32, class_names=CLASSES)


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory: pytest.TempPathFactory):
    return export_saved_model(network, tmp_path_factory.mktemp("served"), boxes=3)


def test_signatures_have_names_and_the_batch_first(exported) -> None:
    def described(infos) -> dict[str, tuple]:
        return {
            name: (tf.as_dtype(info.dtype).name, tuple(dim.size for dim in info.tensor_shape.dim))
            for name, info in infos.items()
        }

    saved = SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    found = dict(saved.meta_graphs[0].signature_def)
    del found["__saved_model_init_op"]
    images = {"images": ("uint8", (-1, -1, -1, 3))}
    boxes = {"boxes": ("float32", (-1, -1, 4)), "counts": ("int32", (-1,))}
    labels = {"labels": ("uint8", (-1, -1, -1)), "confidence": ("float32", (-1, -1, -1))}
    scores = {"scores": ("float32", (-1, 32, 32, 3))}
    encoded = {"images_bytes": ("string", (-1,))}
    summary = {
        "labels_png_bytes": ("string", (-1,)),
        "class_ids": ("int32", (-1, 3)),
        "class_shares": ("float32", (-1, 3)),
        "class_names": ("string", (-1, 3)),
    }
    assert {name: (described(o.inputs), described(o.outputs)) for name, o in found.items()} == {
        "segment_bytes": (encoded, summary),
        "serving_default": (encoded, summary),
        "segment_bytes_with_boxes": ({**encoded, **boxes}, summary),
        "segment": ({**images, **boxes}, labels),
        "regions": ({"crops": ("float32", (-1, 32, 32, 3))}, scores),
        "regions_uint8": ({"crops": ("uint8", (-1, 32, 32, 3))}, scores),
    }


def test_every_signature_has_a_request_to_warm_up(exported) -> None:
    requests = dict(read_warmup(exported))
    assert sorted(requests) == [
        *("regions", "regions_uint8", "segment", "segment_bytes"),
        *("segment_bytes_with_boxes", "serving_default"),
    ]
    assert requests["regions"]["crops"].shape == (1, 32, 32, 3)
    assert requests["regions"]["crops"].dtype == np.float32
    assert requests["segment"]["images"].shape == (1, 48, 64, 3)
    kinds = [requests[name]["images_bytes"][0][:4] for name in ("segment_bytes", "serving_default")]
    assert kinds == [b"\x89PNG", b"\xff\xd8\xff\xe0"]


def test_without_the_messages_of_servers_there_is_no_warm_up(
    exported, monkeypatch, tmp_path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis.prediction_log_pb2", None)
    folder = export_saved_model(plain_network(), tmp_path)
    assert not (folder / WARMUP_FILE).exists() and read_metadata(folder).num_classes == 5
    with pytest.raises(UserError, match=r'pip install "tfdeconv\[serving\]"'):
        read_warmup(exported)


def test_metadata_tells_what_the_graph_cannot(exported) -> None:
    metadata = read_metadata(exported)
    assert metadata.class_names == list(CLASSES) and metadata.num_classes == 3
    assert (metadata.input_size, metadata.boxes, metadata.aggregate) == (32, 3, "max")
    assert (metadata.crf, metadata.precision, metadata.max_pixels) == (None, "float32", 2**25)
    assert (exported / "assets" / "class_names.txt").read_text().split() == list(CLASSES)
    assert metadata.versions["tensorflow"] == tf.__version__
    assert metadata.crop_multiple is None and metadata.crop_size(48, 64) == (32, 32)
    assert json.loads((exported / "assets.extra" / "tfdeconv.json").read_text())["num_classes"] == 3


def test_every_weight_is_stored_once(exported, network) -> None:
    stored = tf.train.list_variables(str(exported / "variables" / "variables"))
    count = sum(int(np.prod(shape)) for name, shape in stored if shape)
    assert count == fold_batch_norm(network).count_params()


class PythonInside(keras.layers.Layer):
    """Calls back into Python, which no server can."""

    def call(self, inputs):
        outputs = tf.numpy_function(lambda x: x, [inputs], tf.float32)
        return tf.ensure_shape(outputs, inputs.shape)


def test_models_that_cannot_be_exported_are_refused(tmp_path) -> None:
    inputs = keras.Input((16, 16, 3))
    python = keras.Model(inputs, PythonInside()(inputs), name="snake")
    narrow = keras.Sequential([keras.Input((None, 16, 3)), keras.layers.Conv2D(2, 1)])
    for model, message in (
        (python, "`snake` must consist of TensorFlow operations .* calls of Python"),
        (narrow, r"of one square size, .*or of every size.* Received: inputs .*None, 16, 3"),
    ):
        with pytest.raises(UserError, match=message):
            export_saved_model(model, tmp_path)
    with pytest.raises(UserError, match="names of the classes must have one line each"):
        layers = [keras.layers.Conv2D(2, 1), Logits(("one", "an\nother"))]
        export_saved_model(keras.Sequential([keras.Input((16, 16, 3)), *layers]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_arguments_out_of_range_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mean_field, "load_pydensecrf", lambda: None)
    for message, arguments in (
        (r"`aggregate` must be one of .*'median'", {"aggregate": "median"}),
        (r"`precision` must be one of .*'float64'", {"precision": "float64"}),
        (r"`max_pixels` must be from 1 to 178956970. Received: max_pixels=0", {"max_pixels": 0}),
        (r"`crf` must have backend=.tensorflow.", {"crf": DenseCRF(backend="pydensecrf")}),
    ):
        with pytest.raises(ValueError, match=message):
            export_saved_model(plain_network(), tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path) -> None:
    (tmp_path / "1").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        with pytest.raises(UserError, match=r"Cannot write `.*2`"):
            export_saved_model(plain_network(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """As nobody, when the tests run as root, who may write everywhere."""
    user, nobody = os.geteuid(), 65534
    if user == 0:
        os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_without_rights_stays_as_it_is() -> None:
    # Not in `tmp_path`, which others cannot enter.
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "1").mkdir()
        folder.chmod(0o555)
        try:
            with without_rights(), pytest.raises(UserError, match=r"2`: .* Permission denied"):
                export_saved_model(plain_network(), folder)
            assert [path.name for path in folder.iterdir()] == ["1"]
        finally:
            folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="Cannot write"):
        export_saved_model(plain_network(), tmp_path / "file" / "served")


def test_what_is_no_export_is_told(tmp_path) -> None:
    with pytest.raises(UserError, match="must be a folder written by `tfdeconv export`"):
        newest_version(tmp_path)
    with pytest.raises(UserError, match=r"tfdeconv.json` must be the metadata"):
        read_metadata(tmp_path)
