"""The exported folder: its signatures give what `Segmenter` and the model give, without Python."""

import json
import resource

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.export import export_saved_model, read_metadata
from tfdeconv.export import label_maps as graph
from tfdeconv.export.c_api.signature_defs import Signature, TensorInfo, read_signatures
from tfdeconv.export.fresh_process import run_all_in_fresh_process
from tfdeconv.export.saved_model import newest_version
from tfdeconv.export.signatures import signatures
from tfdeconv.inference import combiner
from tfdeconv.inference.segmenter import Segmenter
from tfdeconv.models import DeconvNet

CLASSES = ("ground", "tree", "sky")
NO_BOXES = np.zeros((0, 4), np.float32)


def plain_network() -> keras.Model:
    """A network of somebody else, whose scores are half as large as its input."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(5, 3, strides=2, padding="same")(x)
    return keras.Model(inputs, x, name="plain")


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    patches = np.random.default_rng(seed).integers(0, 256, (-(-height // 4), -(-width // 4), 3))
    return np.kron(patches, np.ones((4, 4, 1), int))[:height, :width].astype(np.uint8)


# (height, width), boxes: odd, narrow, smaller than the input, without boxes, a box that leaves
CALLS = {
    "odd": ((45, 71), [[3, 4, 40, 30], [10, 20, 44, 71], [0, 30, 20, 70], [5, 5, 25, 25]]),
    "narrow": ((60, 1), [[0, 0, 30, 1]]),
    "small": ((9, 14), [[-4, 6, 7, 21.5]]),
    "alone": ((33, 40), []),
    "useless": ((50, 50), [[60, 60, 90, 90], [4, 4, 4, 30], [0, 0, 2, 2], [1, 2, 3, 4]]),
}


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return DeconvNet(3, (32, 32, 3), width=1 / 16, class_names=CLASSES)


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory: pytest.TempPathFactory):
    return export_saved_model(network, tmp_path_factory.mktemp("served"), boxes=3)


@pytest.fixture(scope="module")
def answers(exported, tmp_path_factory: pytest.TempPathFactory):
    """What a process without Python's TensorFlow gives: ours, and somebody else's by `mean`."""
    plain = export_saved_model(plain_network(), tmp_path_factory.mktemp("plain"), aggregate="mean")
    requests = {}
    for name, ((height, width), boxes) in CALLS.items():
        requests[f"{name}/segment/images"] = photograph(height, width)[None]
        requests[f"{name}/segment/boxes"] = np.array(boxes, np.float32).reshape(1, -1, 4)
        requests[f"{name}/segment/counts"] = np.array([len(boxes)], np.int32)
    images = np.stack([photograph(45, 71, seed) for seed in (1, 2)])
    boxes = np.array(CALLS["odd"][1], np.float32)
    requests["two/serving_default/images"] = images
    requests["two/serving_default/boxes"] = np.stack([boxes, boxes[::-1]])
    requests["two/serving_default/counts"] = np.array([1, 3], np.int32)
    crops = np.stack([photograph(32, 32, seed) for seed in range(4)])
    requests["0/regions_uint8/crops"] = crops
    requests["0/regions/crops"] = crops.astype(np.float32)
    only_photographs = {name: value for name, value in requests.items() if "regions" not in name}
    (ours, others), log = run_all_in_fresh_process(
        [(exported, requests), (plain, only_photographs)]
    )
    assert log == (), "a server would print warnings whenever it loads or runs the folder"
    return ours, others


def assert_segments_alike(labels, confidence, segmenter, image, boxes) -> None:
    scores = segmenter.scores(image, np.array(boxes, np.float32).reshape(-1, 4))
    np.testing.assert_array_equal(labels, scores.argmax(axis=-1))
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(scores)).max(axis=-1)
    np.testing.assert_allclose(confidence, probabilities, atol=1e-5)
    assert labels.dtype == np.uint8 and confidence.dtype == np.float32


@pytest.mark.parametrize("name", CALLS)
def test_segment_is_what_the_segmenter_does(answers, network, name: str) -> None:
    segmenter = Segmenter(network, boxes=3)
    (height, width), boxes = CALLS[name]
    (labels,), (confidence,) = (answers[0][f"{name}/segment/{o}"] for o in ("labels", "confidence"))
    assert_segments_alike(labels, confidence, segmenter, photograph(height, width), boxes)


@pytest.mark.parametrize("name", CALLS)
def test_a_network_of_somebody_else_by_mean(answers, name: str) -> None:
    (height, width), _ = CALLS[name]
    labels = answers[1][f"{name}/segment/labels"]
    assert labels.shape == (1, height, width) and labels.max() < 5


def test_images_of_a_batch_have_boxes_of_their_own(answers, network) -> None:
    segmenter, boxes = Segmenter(network, boxes=3), CALLS["odd"][1]
    labels, confidence = (answers[0][f"two/serving_default/{o}"] for o in ("labels", "confidence"))
    for index, chosen in enumerate([boxes[:1], boxes[::-1][:3]]):
        image = photograph(45, 71, seed=1 + index)
        assert_segments_alike(labels[index], confidence[index], segmenter, image, chosen)


def test_regions_are_what_the_network_says(answers, network) -> None:
    crops = np.stack([photograph(32, 32, seed) for seed in range(4)])
    expected = network.predict_on_batch(crops)
    for name in ("regions", "regions_uint8"):
        np.testing.assert_allclose(answers[0][f"0/{name}/scores"], expected, rtol=1e-5, atol=1e-5)


def test_signatures_have_names_and_the_batch_first(exported) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    found = read_signatures(saved.meta_graphs[0].SerializeToString())

    def public(infos: dict[str, TensorInfo]) -> dict[str, tuple]:
        return {name: info[1:] for name, info in infos.items()}

    described = {name: Signature(*map(public, both)) for name, both in found.items()}
    segment = Signature(
        {
            "images": ("uint8", (-1, -1, -1, 3)),
            "boxes": ("float32", (-1, -1, 4)),
            "counts": ("int32", (-1,)),
        },
        {"labels": ("uint8", (-1, -1, -1)), "confidence": ("float32", (-1, -1, -1))},
    )
    scores = {"scores": ("float32", (-1, 32, 32, 3))}
    assert described == {
        "segment": segment,
        "serving_default": segment,
        "regions": Signature({"crops": ("float32", (-1, 32, 32, 3))}, scores),
        "regions_uint8": Signature({"crops": ("uint8", (-1, 32, 32, 3))}, scores),
    }


def test_metadata_tells_what_the_graph_cannot(exported) -> None:
    metadata = read_metadata(exported)
    assert metadata.class_names == list(CLASSES) and metadata.num_classes == 3
    assert (metadata.input_size, metadata.boxes, metadata.aggregate) == (32, 3, "max")
    assert metadata.versions["tensorflow"] == tf.__version__
    assert json.loads((exported / "assets.extra" / "tfdeconv.json").read_text())["num_classes"] == 3


def test_every_weight_is_stored_once(exported, network) -> None:
    stored = tf.train.list_variables(str(exported / "variables" / "variables"))
    assert sum(int(np.prod(shape)) for name, shape in stored if shape) == network.count_params()


def test_versions_count_up(tmp_path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "notes").mkdir()
    folder = export_saved_model(plain_network(), tmp_path)
    assert folder == tmp_path / "8" == newest_version(tmp_path) == newest_version(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8", "notes"]
    assert read_metadata(folder).class_names is None


@pytest.mark.parametrize("limit", ["memory", "disk"])
def test_very_large_images_are_combined_on_a_smaller_canvas(network, monkeypatch, limit) -> None:
    for module in (combiner, graph):
        monkeypatch.setattr(module, "MAX_SCORES", 2000 if limit == "memory" else 2**26)
        monkeypatch.setattr(module, "_SCORES_IN_STRIP", 700)
    segmenter, boxes = Segmenter(network, boxes=3), np.array(CALLS["odd"][1], np.float32)
    segment, _ = signatures(segmenter)["segment"]
    image = photograph(45, 71)
    outputs = tf.function(segment)(image[None], boxes[None], np.array([4], np.int32))
    labels = outputs["labels"][0].numpy()
    assert_segments_alike(labels, outputs["confidence"][0].numpy(), segmenter, image, boxes)


@pytest.mark.parametrize("size", [(1, 1), (375, 500), (8000, 10000), (1, 10**8), (10**8, 1)])
@pytest.mark.parametrize("num_classes", [2, 21, 255])
def test_the_canvas_is_the_segmenters(size: tuple[int, int], num_classes: int) -> None:
    rows, columns = graph.canvas_size(*map(tf.constant, size), num_classes)
    assert (int(rows), int(columns)) == combiner.canvas_size(*size, num_classes)


@pytest.mark.parametrize(
    ("boxes", "count", "message"),
    [
        ([[0, 0, 8, 8]], 2, "`counts` must be between 0 and the number of boxes"),
        ([[0, 0, 8, 8]], -1, "`counts` must be between 0 and the number of boxes"),
        ([[0, 0, np.nan, 8]], 1, "`boxes` must be finite"),
    ],
)
def test_what_a_request_does_wrong_is_told(boxes, count: int, message: str) -> None:
    segment, _ = signatures(Segmenter(plain_network()))["segment"]
    inputs = photograph(20, 20)[None], np.array([boxes], np.float32), np.array([count], np.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(segment)(*inputs)


class PythonInside(keras.layers.Layer):
    """Calls back into Python, which no server can."""

    def call(self, inputs):
        outputs = tf.numpy_function(lambda x: x, [inputs], tf.float32)
        return tf.ensure_shape(outputs, inputs.shape)


def test_models_that_cannot_be_exported_are_refused(tmp_path) -> None:
    inputs = keras.Input((16, 16, 3))
    python = keras.Model(inputs, PythonInside()(inputs), name="snake")
    open_size = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    for model, message in (
        (python, "`snake` must consist of TensorFlow operations .* calls of Python"),
        (open_size, "must map RGB images of one square size"),
    ):
        with pytest.raises(UserError, match=message):
            export_saved_model(model, tmp_path)
    with pytest.raises(ValueError, match=r"`aggregate` must be one of .*'median'"):
        export_saved_model(plain_network(), tmp_path, aggregate="median")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path) -> None:
    (tmp_path / "1").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        with pytest.raises(UserError, match=r"2` must be a place that can be written"):
            export_saved_model(plain_network(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="must be a place that can be written"):
        export_saved_model(plain_network(), tmp_path / "file" / "served")


def test_what_is_no_export_is_told(tmp_path) -> None:
    with pytest.raises(UserError, match="must be a folder written by `tfdeconv export`"):
        newest_version(tmp_path)
    with pytest.raises(UserError, match=r"tfdeconv.json` must be the metadata"):
        read_metadata(tmp_path)
