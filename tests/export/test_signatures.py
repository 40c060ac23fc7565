"""The signatures give what `Segmenter` and the model give, without Keras and tfdeconv."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.export.networks import lively_network, photograph, plain_network
from tfdeconv.export import export_saved_model
from tfdeconv.export.signatures import Signatures
from tfdeconv.export.verification import run_all_in_fresh_process
from tfdeconv.segmentation import pipeline
from tfdeconv.segmentation.segmenter import Segmenter

# (height, width), boxes: odd, narrow, smaller than the input, without boxes, a box that leaves
CALLS = {
    "odd": ((45, 71), [[3, 4, 40, 30], [10, 20, 44, 71], [0, 30, 20, 70], [5, 5, 25, 25]]),
    "narrow": ((60, 1), [[0, 0, 30, 1]]),
    "small": ((9, 14), [[-4, 6, 7, 21.5]]),
    "alone": ((33, 40), []),
    "useless": ((50, 50), [[48, 48, 49, 90], [4, 4, 5, 30], [0, 0, 2, 2], [1, 2, 3, 4]]),
}


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return lively_network()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory: pytest.TempPathFactory):
    return export_saved_model(network, tmp_path_factory.mktemp("served"), boxes=3)


@pytest.fixture(scope="module")
def answers(exported, tmp_path_factory: pytest.TempPathFactory):
    """What a process without Keras and tfdeconv gives: ours, and somebody else's by `mean`."""
    plain = export_saved_model(plain_network(), tmp_path_factory.mktemp("plain"), aggregate="mean")
    requests = {}
    for name, ((height, width), boxes) in CALLS.items():
        requests[f"{name}/segment/images"] = photograph(height, width)[None]
        requests[f"{name}/segment/boxes"] = np.array(boxes, np.float32).reshape(1, -1, 4)
        requests[f"{name}/segment/counts"] = np.array([len(boxes)], np.int32)
    images = np.stack([photograph(45, 71, seed) for seed in (1, 2)])
    boxes = np.array(CALLS["odd"][1], np.float32)
    requests["two/segment/images"] = images
    requests["two/segment/boxes"] = np.stack([boxes, boxes[::-1]])
    requests["two/segment/counts"] = np.array([1, 3], np.int32)
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
    labels, confidence = (answers[0][f"two/segment/{o}"] for o in ("labels", "confidence"))
    for index, chosen in enumerate([boxes[:1], boxes[::-1][:3]]):
        image = photograph(45, 71, seed=1 + index)
        assert_segments_alike(labels[index], confidence[index], segmenter, image, chosen)


def test_regions_are_what_the_network_says(answers, network) -> None:
    crops = np.stack([photograph(32, 32, seed) for seed in range(4)])
    expected = network.predict_on_batch(crops)
    for name in ("regions", "regions_uint8"):
        np.testing.assert_allclose(answers[0][f"0/{name}/scores"], expected, atol=1e-4)


@pytest.mark.parametrize("limit", ["canvas", "strips"])
def test_very_large_images_are_combined_on_a_smaller_canvas(network, monkeypatch, limit) -> None:
    monkeypatch.setattr(pipeline, "MAX_SCORES", 2000 if limit == "canvas" else 2**26)
    monkeypatch.setattr(pipeline, "_SCORES_IN_STRIP", 700)
    segmenter, boxes = Segmenter(network, boxes=3), np.array(CALLS["odd"][1], np.float32)
    segment = Signatures(segmenter, 2**25).segment
    image = photograph(45, 71)
    outputs = tf.function(segment)(image[None], boxes[None], np.array([4], np.int32))
    labels = outputs["labels"][0].numpy()
    assert_segments_alike(labels, outputs["confidence"][0].numpy(), segmenter, image, boxes)
