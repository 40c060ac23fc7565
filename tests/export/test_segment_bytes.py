"""`segment_bytes` and `segment_bytes_with_boxes`: encoded photographs in, label PNGs out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.export.image_files import tiff, with_exif
from tests.export.networks import lively_network, photograph
from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.export import export_saved_model
from tfdeconv.export.signatures import Signatures, name_classes, summarise
from tfdeconv.segmentation import pipeline
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.weights import fold_batch_norm

CLASSES = ("ground", "tree", "sky")
SIZES = ((45, 71), (60, 1), (9, 14), (33, 32), (80, 50))
PHOTOGRAPHS = [photograph(*size, seed=3 + index) for index, size in enumerate(SIZES)]
ENCODED = [images.encode_png(image) for image in PHOTOGRAPHS]
BOXES = np.array([[3, 4, 40, 30], [-4, 6, 7, 21.5], [0, 0, 30, 30]], np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return lively_network(CLASSES)


@pytest.fixture(scope="module")
def folded(network) -> keras.Model:
    return fold_batch_norm(network)


@pytest.fixture(scope="module")
def served(network, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("served")
    return tf.saved_model.load(str(export_saved_model(network, folder, boxes=5, max_pixels=9000)))


@pytest.fixture(scope="module")
def answer(served):
    """What the five photographs get in one request by the default signature."""
    return served.signatures["serving_default"](images_bytes=tf.constant(ENCODED))


def decoded(answer) -> list[np.ndarray]:
    return [images.decode_labels(data) for data in answer["labels_png_bytes"].numpy()]


def test_labels_are_the_segmenters(answer, network, folded) -> None:
    segmenter = Segmenter(folded, boxes=5, proposals="grid")
    labels = decoded(answer)
    for found, image in zip(labels, PHOTOGRAPHS, strict=True):
        np.testing.assert_array_equal(found, segmenter.segment(image))
    unfolded = Segmenter(network, boxes=5, proposals="grid")
    equal = [a == unfolded.segment(b) for a, b in zip(labels, PHOTOGRAPHS, strict=True)]
    assert np.mean(np.concatenate([one.ravel() for one in equal])) >= 0.999
    assert len(np.unique(labels[0])) > 1


def test_five_at_once_get_what_each_gets_alone(answer, served) -> None:
    for index, data in enumerate(ENCODED):
        alone = served.signatures["segment_bytes"](images_bytes=tf.constant([data]))
        for name, value in answer.items():
            np.testing.assert_array_equal(alone[name].numpy()[0], value.numpy()[index], name)


def test_classes_come_by_their_share_of_the_pixels(answer) -> None:
    for index, labels in enumerate(decoded(answer)):
        shares = {label: np.mean(labels == label) for label in range(3) if label in labels}
        order = sorted(shares, key=lambda label: (-shares[label], label))
        missing = 3 - len(order)
        assert answer["class_ids"][index].numpy().tolist() == order + [-1] * missing
        names = [CLASSES[label].encode() for label in order] + [b""] * missing
        assert answer["class_names"][index].numpy().tolist() == names
        expected = [shares[label] for label in order] + [0] * missing
        np.testing.assert_allclose(answer["class_shares"][index], expected, rtol=1e-6)


def test_of_equal_shares_the_first_class_comes_first() -> None:
    summary = summarise(tf.constant([[3, 1], [0, 3], [1, 0]], tf.uint8), num_classes=5)
    assert summary.class_ids.numpy().tolist() == [0, 1, 3, -1, -1]
    np.testing.assert_allclose(summary.class_shares, [1 / 3, 1 / 3, 1 / 3, 0, 0], rtol=1e-6)
    assert name_classes(summary.class_ids, None).numpy().tolist() == [b"0", b"1", b"3", b"", b""]


def test_boxes_are_used_as_counted(served, folded) -> None:
    segmenter = Segmenter(folded, boxes=5, proposals="grid")
    counts = [2, 0, -1, 3, 1]
    answer = served.signatures["segment_bytes_with_boxes"](
        images_bytes=tf.constant(ENCODED),
        boxes=tf.constant(np.stack([BOXES] * 5)),
        counts=tf.constant(counts),
    )
    for labels, image, count in zip(decoded(answer), PHOTOGRAPHS, counts, strict=True):
        boxes = None if count < 0 else BOXES[:count]
        np.testing.assert_array_equal(labels, segmenter.segment(image, boxes))


def test_pixels_without_boxes_get_the_grid_too(served, answer) -> None:
    found = served.signatures["segment"](
        images=tf.constant(PHOTOGRAPHS[0][np.newaxis]),
        boxes=tf.zeros((1, 0, 4)),
        counts=tf.constant([-1]),
    )
    np.testing.assert_array_equal(found["labels"][0], decoded(answer)[0])


def test_labels_are_upright(served, folded) -> None:
    data = with_exif(images.encode_jpeg(PHOTOGRAPHS[0]), tiff(6))
    answer = served.signatures["segment_bytes"](images_bytes=tf.constant([data]))
    (labels,) = decoded(answer)
    assert labels.shape == (71, 45)
    expected = Segmenter(folded, boxes=5, proposals="grid").segment(images.decode_image(data))
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("most", [pipeline.MAX_PIXELS, 1500])
def test_the_crf_is_the_segmenters(folded, monkeypatch, most: int) -> None:
    monkeypatch.setattr(pipeline, "MAX_PIXELS", most)
    segmenter = Segmenter(folded, boxes=2, proposals="grid", crf=DenseCRF(iterations=3))
    image, number = PHOTOGRAPHS[0][np.newaxis], np.array([-1], np.int32)
    segment = Signatures(segmenter, 2**25).segment
    outputs = tf.function(segment)(image, np.zeros((1, 0, 4), np.float32), number)
    labels = outputs["labels"][0].numpy()
    assert np.mean(labels == segmenter.segment(image[0])) >= 0.999
    segmenter.crf = None
    assert np.mean(labels != segmenter.segment(image[0])) > 0.01
    assert outputs["confidence"].numpy().min() > 1 / 3 - 1e-5
    assert outputs["confidence"].numpy().max() <= 1 + 1e-5


GOOD = ENCODED[0]
WRONG = {
    "text": ([GOOD, b"hello"], r"`images_bytes\[1\]` must be an encoded JPEG or PNG"),
    "cut short": ([GOOD, GOOD, GOOD[:-30]], "Invalid PNG data"),
    "too large": ([images.encode_png(photograph(95, 95))], r"`images_bytes\[0\]` .* 9000 pixels"),
    "empty batch": ([], r"`images_bytes\[0\]` must be given. Received: an empty batch"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_is_told_and_the_next_is_answered(served, answer, name: str) -> None:
    data, message = WRONG[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.signatures["segment_bytes"](images_bytes=tf.constant(data, tf.string))
    again = served.signatures["segment_bytes"](images_bytes=tf.constant([GOOD]))
    assert again["labels_png_bytes"][0] == answer["labels_png_bytes"][0]


def test_a_wrong_box_is_named_through_the_signature(served) -> None:
    boxes = np.stack([BOXES, BOXES])
    boxes[1, 2, 0] = np.nan
    request = {"images_bytes": tf.constant([GOOD, GOOD]), "boxes": tf.constant(boxes)}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`boxes\[1\]` must be finite"):
        served.signatures["segment_bytes_with_boxes"](**request, counts=tf.constant([3, 3]))
    served.signatures["segment_bytes_with_boxes"](**request, counts=tf.constant([3, 2]))
