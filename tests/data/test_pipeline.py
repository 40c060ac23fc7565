"""The pipelines against the plan and against plain NumPy, pixel by pixel; resuming bit for bit."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.data.small import write_data_set, write_image, write_list
from tests.helpers import shared_data
from tests.reference import windows as reference
from tfdeconv import images
from tfdeconv.boxes import Proposals
from tfdeconv.data import pipeline, voc, windows
from tfdeconv.data.check import check_split

SIZES = {"input_size": 16, "window_size": 20}


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return voc.read_split(write_data_set(tmp_path_factory.mktemp("small"), 5))


@pytest.fixture(scope="module")
def found(split):
    return windows.object_windows(split)


@pytest.fixture(scope="module")
def whole_run(split, found):
    return train(split, found)


def train(split, found, **arguments):
    arguments = {"batch_size": 4, "steps": 9, "seed": 3, **SIZES, **arguments}
    dataset = pipeline.training_dataset(split, found, **arguments)
    return [(image.numpy(), labels.numpy()) for image, labels in dataset]


def crop_with_numpy(split, found, index, size):
    """One window of stage 1 or 2, by the definition."""
    image_id = split.ids[found.image[index]]
    labels = images.read_labels(split.label_path(image_id))
    if found.object_id[index]:
        objects = images.read_objects(split.object_path(image_id))
        labels = reference.isolate_object(labels, objects, found.object_id[index])
    image = images.read_image(split.image_path(image_id))
    box = tuple(found.box[index])
    return reference.crop_image(image, box, size), reference.crop_labels(labels, box, size)


def test_more_objects_than_8_bits_hold(tmp_path):
    # 20 x 20 squares of 2 x 2 pixels, with a gap of one; some of void.
    numbers = np.arange(1, 401, dtype=np.uint16).reshape(20, 20)
    numbers[3, ::5] = 65535
    objects = np.kron(numbers, np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], np.uint16))
    classes = np.where(objects == 65535, 255, objects % 3 + 1).astype(np.uint8)
    classes[objects == 0] = 0
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    write_image(tmp_path, "many", image, classes, objects)
    write_list(tmp_path, "train", ["many"])
    (tmp_path / "classes.txt").write_text("background\nred\ngreen\nblue\n")
    split = voc.read_split(tmp_path, "train")
    assert (report := check_split(split)).objects == 396 and not report.problems
    found = windows.object_windows(split)
    assert len(found) == 396 and {255, 256, 400} <= set(found.object_id.tolist())
    ((_, truths),) = pipeline.validation_dataset(split, found, batch_size=400, input_size=8)
    for index in range(len(found)):
        np.testing.assert_array_equal(truths[index], crop_with_numpy(split, found, index, 8)[1])


def test_validation_windows_equal_plain_numpy(split, found):
    batches = list(pipeline.validation_dataset(split, found, batch_size=5, input_size=16))
    assert [len(image) for image, _ in batches] == [5, 5, 2]
    crops = np.concatenate([image for image, _ in batches])
    truths = np.concatenate([labels for _, labels in batches])
    assert crops.dtype == truths.dtype == np.uint8
    for index in range(len(found)):
        image, labels = crop_with_numpy(split, found, index, 16)
        assert np.abs(crops[index] - image).max() <= 0.51
        np.testing.assert_array_equal(truths[index], labels)


def test_stage_2_windows_keep_all_labels(split):
    everything = {
        image_id: Proposals(np.array([[-9, -9, 40, 40], [0, 0, 30, 30]], np.float32), np.zeros(2))
        for image_id in split.ids
    }
    found = windows.proposal_windows(split, everything, min_iou=0.01)
    (batch,) = pipeline.validation_dataset(split, found, batch_size=99, input_size=16)
    for index in range(len(found)):
        expected = crop_with_numpy(split, found, index, 16)[1]
        np.testing.assert_array_equal(batch[1][index], expected)


def test_without_augmentation_training_sees_the_middle_of_every_window(split, found):
    batches = train(split, found, augment=False, steps=2 * len(found), batch_size=1)
    seen = [labels[0].tobytes() for _, labels in batches]
    expected = [
        crop_with_numpy(split, found, index, 20)[1][2:18, 2:18].tobytes()
        for index in range(len(found))
    ]
    assert sorted(seen) == sorted(2 * expected)


def test_augmented_windows_are_crops_or_mirrored_crops_of_windows(split, found, whole_run):
    whole = [crop_with_numpy(split, found, index, 20) for index in range(len(found))]
    places = set()
    for batch in whole_run:
        for image, labels in zip(*batch, strict=True):
            places.add(find(whole, image, labels))
    mirrored = {mirror for _, _, mirror in places}
    assert mirrored == {False, True} and len(places) > 15


def find(whole, image, labels):
    for window, truth in whole:
        for mirror in (False, True):
            flip = slice(None, None, -1 if mirror else 1)
            for top, left in np.ndindex(5, 5):
                place = np.s_[top : top + 16, left : left + 16]
                near = np.abs(window[place][:, flip] - image).max() <= 0.51
                if near and (truth[place][:, flip] == labels).all():
                    return top, left, mirror
    raise AssertionError("the batch holds what is no crop of a window")


def test_a_run_can_be_repeated(split, found, whole_run):
    again, other = (train(split, found, seed=seed) for seed in (3, 4))
    for expected, batch in zip(whole_run, again, strict=True):
        np.testing.assert_array_equal(batch[0], expected[0])
        np.testing.assert_array_equal(batch[1], expected[1])
    assert any((a[0] != b[0]).any() for a, b in zip(whole_run, other, strict=True))


@pytest.mark.parametrize("first_step", [1, 5, 9])
def test_a_resumed_run_goes_on_bit_for_bit(split, found, whole_run, first_step):
    rest = train(split, found, first_step=first_step)
    assert len(whole_run) == 9 and len(rest) == 9 - first_step
    for expected, batch in zip(whole_run[first_step:], rest, strict=True):
        np.testing.assert_array_equal(batch[0], expected[0])
        np.testing.assert_array_equal(batch[1], expected[1])


def test_batches_have_known_shapes_and_number(split, found):
    dataset = pipeline.training_dataset(split, found, batch_size=4, steps=9, **SIZES)
    assert dataset.cardinality() == 9
    assert dataset.element_spec == (
        tf.TensorSpec((4, 16, 16, 3), tf.uint8),
        tf.TensorSpec((4, 16, 16), tf.uint8),
    )
    default = pipeline.training_dataset(split, found, batch_size=1, steps=1)
    assert default.element_spec[0].shape == (1, 224, 224, 3)


@pytest.mark.parametrize("kind", ["training", "validation"])
def test_no_pipeline_is_tuned_while_it_runs(split, found, kind):
    sizes = {"batch_size": 2, "input_size": 16}
    dataset = {
        "training": lambda: pipeline.training_dataset(split, found, steps=3, seed=0, **sizes),
        "validation": lambda: pipeline.validation_dataset(split, found, **sizes),
    }[kind]()
    assert dataset.options().autotune.enabled is False
    # As training goes on with it: encoder and heads map the labels.
    assert dataset.map(lambda *element: element).options().autotune.enabled is False
    assert len(list(dataset)) == len(dataset)


def test_a_file_that_breaks_after_planning_is_named(tmp_path):
    split = voc.read_split(write_data_set(tmp_path, 2))
    found = windows.object_windows(split)
    path = split.image_path("train1")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"train1\.png"):
        train(split, found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window_size": 15}, "window_size=15"),
        ({"first_step": 10}, "first_step=10"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_wrong_arguments(split, found, arguments, message):
    with pytest.raises(ValueError, match=message):
        train(split, found, **arguments)


def test_one_pixel_wide_images(tmp_path):
    column = np.ones((6, 1), np.uint8)
    write_image(tmp_path, "thin", np.full((6, 1, 3), 200, np.uint8), column, column)
    write_list(tmp_path, "train", ["thin"])
    split = voc.read_split(tmp_path)
    ((image, labels),) = train(split, windows.object_windows(split), steps=1)
    assert 100 < image.max() <= 200 and set(np.unique(labels)) == {1, 255}


def test_real_windows_equal_opencv():
    split = voc.read_split(shared_data("voc2012"), "val")
    split = voc.Split(split.root, split.name, split.ids[:12], split.class_names)
    found = windows.object_windows(split)
    ((crops, truths),) = pipeline.validation_dataset(split, found, batch_size=99)
    for index, (number, box, object_id) in enumerate(
        zip(found.image, found.box, found.object_id, strict=True)
    ):
        image = images.read_image(split.image_path(split.ids[number]))
        labels = images.read_labels(split.label_path(split.ids[number]))
        objects = images.read_objects(split.object_path(split.ids[number]))
        truth = reference.isolate_object(labels, objects, object_id)
        expected = cv2.resize(cut(image, box, 0), (224, 224), interpolation=cv2.INTER_LINEAR)
        assert np.abs(crops[index].numpy().astype(int) - expected).max() <= 1
        side = box[2] - box[0]
        nearest = (2 * np.arange(224) + 1) * side // 448
        np.testing.assert_array_equal(truths[index], cut(truth, box, 255)[np.ix_(nearest, nearest)])


def cut(image, box, fill):
    """The window as an array of its own, filled outside the image."""
    top, left, bottom, right = box
    padding = [(600, 600), (600, 600)] + [(0, 0)] * (image.ndim - 2)
    padded = np.pad(image, padding, constant_values=fill)
    return padded[top + 600 : bottom + 600, left + 600 : right + 600]
