"""Planning windows: which there are, of which class, and how they are balanced."""

import numpy as np
import pytest

from tests.data.small import write_data_set, write_image, write_list
from tests.helpers import shared_data
from tests.reference import windows as reference
from tfdeconv import boxes, images
from tfdeconv.data import maps, voc, windows
from tfdeconv.errors import UserError


def proposals(*found):
    return boxes.Proposals(np.array(found, np.float32).reshape(-1, 4), np.zeros(len(found)))


@pytest.fixture
def split(tmp_path):
    """Two images: `a` with a 10 x 10 object of class 1 and a 4 x 8 one of class 2, `b` without."""
    classes, objects = np.zeros((30, 40), np.uint8), np.zeros((30, 40), np.uint8)
    classes[5:15, 10:20], objects[5:15, 10:20] = 1, 1
    classes[20:24, 30:38], objects[20:24, 30:38] = 2, 2
    image = np.zeros((30, 40, 3), np.uint8)
    write_image(tmp_path, "a", image, classes, objects)
    write_image(tmp_path, "b", image, 0 * classes, 0 * objects)
    write_list(tmp_path, "train", ["b", "a"])
    return voc.read_split(tmp_path)


def test_stage_1_has_a_square_about_every_object(split):
    found = windows.object_windows(split)
    assert found.image.tolist() == [1, 1]
    assert found.box.tolist() == [[4, 9, 16, 21], [17, 29, 27, 39]]
    assert found.object_id.tolist() == [1, 2]
    assert found.label.tolist() == [1, 2]
    assert windows.object_windows(split, enlarge=1.0).box[0].tolist() == [5, 10, 15, 20]


def test_stage_1_windows_are_those_of_tight_boxes(tmp_path):
    split = voc.read_split(write_data_set(tmp_path, 4))
    found = windows.object_windows(split)
    for image, box, object_id in zip(found.image, found.box, found.object_id, strict=True):
        objects = images.read_objects(split.object_path(split.ids[image]))
        tight = np.array([reference.object_box(objects, object_id)])
        assert box.tolist() == reference.enlarge_to_square(tight[0], 1.2)


def test_an_image_without_instance_map_gives_no_window_in_stage_1(split):
    split.object_path("b").unlink()
    assert windows.object_windows(split).image.tolist() == [1, 1]


@pytest.mark.parametrize("image_id", ["a", "b"])
def test_stage_1_needs_objects(split, image_id):
    write_list(split.root, "train", ["b"])
    if image_id == "a":
        write_list(split.root, "train", ["a"])
        split.object_path("a").unlink()
    with pytest.raises(UserError, match=r"SegmentationObject.*no object in 'train'.*stage 2"):
        windows.object_windows(voc.read_split(split.root))


def test_stage_2_has_the_proposals_that_overlap_an_object(split):
    found = windows.proposal_windows(
        split,
        {
            "a": proposals([5, 10, 15, 20], [0, 0, 30, 40], [5, 10, 10, 20], [20, 30, 24, 37]),
            "b": proposals([0, 0, 30, 40]),
            "another": proposals(),
        },
    )
    assert found.image.tolist() == [1, 1, 1]
    assert found.box[0].tolist() == [4, 9, 16, 21]
    assert found.label.tolist() == [1, 1, 2]
    assert found.object_id.tolist() == [0, 0, 0]


def test_stage_2_takes_regions_of_a_class_for_objects_where_there_are_none(split):
    with_map = windows.proposal_windows(split, {"a": proposals([20, 30, 24, 37]), "b": proposals()})
    split.object_path("a").unlink()
    without = windows.proposal_windows(split, {"a": proposals([20, 30, 24, 37]), "b": proposals()})
    assert with_map.label.tolist() == without.label.tolist() == [2]
    assert with_map.box.tolist() == without.box.tolist()


def test_stage_2_may_have_the_best_proposals_of_the_background(split):
    found = {"a": proposals([0, 0, 4, 4], [5, 10, 15, 20], [25, 0, 29, 9]), "b": proposals()}
    assert windows.proposal_windows(split, found).label.tolist() == [1]
    with_background = windows.proposal_windows(split, found, background=True)
    assert with_background.label.tolist() == [0, 1]
    assert with_background.box.tolist() == [[0, 0, 5, 5], [4, 9, 16, 21]]


def test_missing_proposals_are_named(split):
    with pytest.raises(UserError, match=r"none for 1 of them, such as 'a'.*tfdeconv propose"):
        windows.proposal_windows(split, {"b": proposals()})


def test_proposals_beside_every_object(split):
    with pytest.raises(UserError, match=r"overlap an object by 0\.5"):
        windows.proposal_windows(split, {"a": proposals([0, 0, 2, 2]), "b": proposals()})


def example(labels):
    count = len(labels)
    box = np.arange(4 * count, dtype=np.int32).reshape(count, 4)
    numbers = np.arange(count, dtype=np.int32)
    return windows.Windows(numbers // 2, box, numbers, np.array(labels, np.int32))


def test_balance_repeats_rare_classes():
    balanced = windows.balance(example([3] * 10 + [5] * 4 + [7]))
    assert np.bincount(balanced.label).tolist() == [0, 0, 0, 10, 0, 10, 0, 10]
    assert sorted(np.bincount(balanced.object_id)[10:14]) == [2, 2, 3, 3]
    assert (np.diff(balanced.image) >= 0).all()
    for number, box in zip(balanced.object_id, balanced.box, strict=True):
        assert box[0] == 4 * number


def test_balance_has_a_limit():
    balanced = windows.balance(example([1] * 50 + [2]))
    assert np.bincount(balanced.label).tolist() == [0, 50, windows.MAX_REPEATS]


def test_balance_depends_on_the_seed_alone():
    few = example([1] * 9 + [2] * 5)
    first, again, other = (windows.balance(few, seed).object_id for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


def test_real_objects():
    split = voc.read_split(shared_data("voc2012"), "val")
    some = voc.Split(split.root, split.name, split.ids[:20], split.class_names)
    found = windows.object_windows(some)
    sides = found.box[:, 2:] - found.box[:, :2]
    assert len(found) >= 15
    assert (sides[:, 0] == sides[:, 1]).all()
    for index in np.unique(found.image):
        labels, _ = maps.read_maps(some, some.ids[index])
        assert np.isin(found.label[found.image == index], labels).all()
