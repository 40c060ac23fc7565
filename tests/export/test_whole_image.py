"""Exported networks for images of every size: what they answer is what `Segmenter` says."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.export.networks import CLASSES, open_network, photograph
from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.export import (
    export_saved_model,
    read_metadata,
    verification,
    verify,
)
from tfdeconv.export.saved_model import newest_version
from tfdeconv.export.verification import run_in_fresh_process, sample_requests
from tfdeconv.models import PSPNet
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.weights import fold_batch_norm

# (height, width): one pixel, odd, narrow, as large as can be seen, shrunk, shrunk to one row
SIZES = ((1, 1), (45, 71), (60, 3), (64, 500), (333, 617), (1200, 41), (1, 1001))
PHOTOGRAPHS = [photograph(*size, seed=index) for index, size in enumerate(SIZES)]
FILES = np.array([images.encode_png(image) for image in PHOTOGRAPHS], object)
CRFS = {"alone": None, "crf": DenseCRF()}
# The CRF takes long.
NAMES = ["alone", pytest.param("crf", marks=pytest.mark.large)]


class Served(NamedTuple):
    """An exported folder, and what a process without Keras says of its requests."""

    folder: Path
    answers: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return open_network()


@pytest.fixture(scope="module")
def serve(network, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Served]:
    @functools.cache
    def export_and_ask(name: str) -> Served:
        out = tmp_path_factory.mktemp(name)
        (out / "7").mkdir()
        (out / "notes").mkdir()
        folder = export_saved_model(network, out, crf=CRFS[name])
        crops = np.stack([photograph(24, 32, seed) for seed in (8, 9)])
        requests = {
            **sample_requests(read_metadata(folder)),
            "1/segment_bytes/images_bytes": FILES,
            "1/segment/images": np.stack([PHOTOGRAPHS[1], PHOTOGRAPHS[1][::-1]]),
            "1/regions/crops": crops.astype(np.float32),
            "1/regions_uint8/crops": crops,
        }
        answers, log = run_in_fresh_process(folder, requests, warm_up=True)
        assert log == (), "a server would print warnings whenever it loads or runs the folder"
        return Served(folder, answers)

    return export_and_ask


@pytest.fixture(scope="module")
def served(serve) -> Served:
    return serve("alone")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("index", range(len(SIZES)))
def test_labels_are_the_segmenters_pixel_by_pixel(serve, network, name, index) -> None:
    png = serve(name).answers["1/segment_bytes/labels_png_bytes"][index]
    expected = Segmenter(network, crf=CRFS[name]).segment(PHOTOGRAPHS[index])
    # Of a narrow image the CRF leaves one class.
    assert name == "crf" or expected.size == 1 or len(np.unique(expected)) > 1
    np.testing.assert_array_equal(images.decode_labels(png), expected)


@pytest.mark.large
def test_the_crf_changes_labels(serve) -> None:
    pngs = [serve(name).answers["1/segment_bytes/labels_png_bytes"][4] for name in CRFS]
    assert np.mean(images.decode_labels(pngs[0]) != images.decode_labels(pngs[1])) > 0.01


def test_classes_come_by_their_share_of_the_pixels(served, network) -> None:
    labels = Segmenter(network).segment(PHOTOGRAPHS[4])
    shares = np.bincount(labels.ravel(), minlength=3) / labels.size
    order = np.argsort(-shares)
    ids, names, found = (
        served.answers[f"1/segment_bytes/class_{one}"][4] for one in ("ids", "names", "shares")
    )
    assert ids.tolist() == order.tolist()
    np.testing.assert_allclose(found, shares[order], rtol=1e-6)
    assert names.tolist() == [CLASSES[index].encode() for index in order]


def test_pixels_get_labels_and_confidence(served, network) -> None:
    segmenter, found = Segmenter(network), served.answers
    for index, image in enumerate([PHOTOGRAPHS[1], PHOTOGRAPHS[1][::-1]]):
        scores = segmenter.scores(image)
        np.testing.assert_array_equal(found["1/segment/labels"][index], scores.argmax(axis=-1))
        probabilities = tf.nn.softmax(scores).numpy().max(axis=-1)
        np.testing.assert_allclose(found["1/segment/confidence"][index], probabilities, atol=1e-5)


def test_regions_are_what_the_network_says(served, network) -> None:
    crops = np.stack([photograph(24, 32, seed) for seed in (8, 9)])
    expected = network.predict_on_batch(crops.astype(np.float32))
    assert expected.shape == (2, 12, 16, 3)
    for name in ("regions", "regions_uint8"):
        np.testing.assert_allclose(served.answers[f"1/{name}/scores"], expected, atol=1e-4)


def test_there_are_no_boxes(served) -> None:
    saved = SavedModel.FromString((served.folder / "saved_model.pb").read_bytes())
    described = {
        name: {
            key: tuple(dim.size for dim in info.tensor_shape.dim)
            for key, info in one.inputs.items()
        }
        for name, one in saved.meta_graphs[0].signature_def.items()
        if not name.startswith("__")
    }
    assert described == {
        "segment_bytes": {"images_bytes": (-1,)},
        "serving_default": {"images_bytes": (-1,)},
        "segment": {"images": (-1, -1, -1, 3)},
        "regions": {"crops": (-1, -1, -1, 3)},
        "regions_uint8": {"crops": (-1, -1, -1, 3)},
    }
    metadata = read_metadata(served.folder)
    assert (metadata.input_size, metadata.boxes, metadata.class_names) == (None, 0, list(CLASSES))
    assert (metadata.crop_multiple, metadata.least_crop) == (8, [16, 8])
    assert metadata.crop_size(17, 8) == (24, 8) and metadata.crop_size(1, 1) == (16, 8)


@pytest.mark.parametrize("name", NAMES)
def test_verification_agrees_and_warms_up(serve, network, name: str, monkeypatch) -> None:
    known = serve(name).answers
    monkeypatch.setattr(verification, "run_in_fresh_process", lambda *_, **__: (dict(known), ()))
    found = verify(serve(name).folder, network)
    assert found.agrees and found.equal_labels == 1 and found.warmed_up == 5, str(found)
    assert found.scores_difference < 1e-5
    other = open_network()
    other.layers[-2].bias.assign([3.0, 0.0, 0.0])
    assert not verify(serve(name).folder, other).agrees


def test_weights_and_network_are_stored_once(network, served) -> None:
    stored = tf.train.list_variables(str(served.folder / "variables" / "variables"))
    count = sum(int(np.prod(shape)) for name, shape in stored if shape)
    assert count == fold_batch_norm(network).count_params()
    saved = SavedModel.FromString((served.folder / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    ops = [node.op for function in functions for node in function.node_def]
    assert ops.count("Conv2D") == 2


def test_versions_count_up(served) -> None:
    out = served.folder.parent
    assert served.folder == out / "8" == newest_version(out) == newest_version(served.folder)
    assert sorted(path.name for path in out.iterdir()) == ["7", "8", "notes"]


def test_what_is_no_network_for_every_size_is_refused(tmp_path) -> None:
    inputs = keras.Input((None, None, 3))
    x = keras.layers.UpSampling2D(2)(keras.layers.MaxPooling2D(2)(inputs))
    x = keras.layers.Conv2D(3, 1)(keras.layers.Concatenate()([inputs, x]))
    with pytest.raises(UserError, match=r"images of every size.*for 13x22 pixels.*RequireSize"):
        export_saved_model(keras.Model(inputs, x), tmp_path)
    two = keras.Model(inputs, [keras.layers.Conv2D(3, 1, name=name)(inputs) for name in "ab"])
    with pytest.raises(UserError, match=r"one output.*Received: 2 \(a, b\).*model.outputs\[0\]"):
        export_saved_model(two, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.large
def test_the_pspnet_of_training_is_exported_without_its_auxiliary_output(tmp_path) -> None:
    model = PSPNet(3, width=1 / 32, depth=50, auxiliary=True, class_names=CLASSES)
    with pytest.raises(UserError, match=r"Received: 2 \(scores, auxiliary\)"):
        export_saved_model(model, tmp_path)
    alone = keras.Model(model.input, model.outputs[0])
    folder = export_saved_model(alone, tmp_path)
    assert read_metadata(folder).class_names == list(CLASSES)
    assert verify(folder, alone).agrees
