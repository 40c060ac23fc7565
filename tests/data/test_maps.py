"""The maps of an image against each other, and the instances in them."""

import numpy as np
import pytest

from tests.data.small import png, with_orientation, write_data_set, write_image, write_list
from tests.reference import windows as reference
from tfdeconv import images
from tfdeconv.data import maps, voc
from tfdeconv.errors import UserError

GRAY = np.full((6, 9, 3), 90, np.uint8)


@pytest.fixture
def split(tmp_path):
    """A data set of one image, `cat`, 9 wide and 6 high, with four classes."""
    write_data_set(tmp_path, 1)
    write_image(tmp_path, "cat", GRAY, np.zeros((6, 9), np.uint8))
    write_list(tmp_path, "train", ["cat"])
    return voc.read_split(tmp_path)


def test_maps_of_a_whole_image(split):
    labels, objects = maps.read_maps(split, "cat")
    assert labels.shape == (6, 9)
    assert objects is None


def test_a_label_map_of_another_size(split):
    write_image(split.root, "cat", GRAY, np.zeros((6, 8), np.uint8))
    with pytest.raises(UserError, match=r"Class/cat\.png.*9x6.*Received: 8x6"):
        maps.read_maps(split, "cat")


def test_an_instance_map_of_another_size(split):
    zeros = np.zeros((6, 9), np.uint8)
    write_image(split.root, "cat", GRAY, zeros, zeros[:5])
    with pytest.raises(UserError, match=r"Object/cat\.png.*9x6.*Received: 9x5"):
        maps.read_maps(split, "cat")


def test_classes_that_the_data_set_does_not_have(split):
    classes = np.zeros((6, 9), np.uint8)
    classes[0, :4] = [3, 4, 254, 255]
    write_image(split.root, "cat", GRAY, classes)
    with pytest.raises(UserError, match=r"cat\.png.*0 to 3 or 255.*Received: 4, 254\."):
        maps.read_maps(split, "cat")


def test_a_missing_label_map(split):
    split.label_path("cat").unlink()
    with pytest.raises(UserError, match=r"Class/cat\.png"):
        maps.read_maps(split, "cat")


def test_a_photograph_that_exif_rotates(split):
    (split.root / "JPEGImages" / "cat.png").unlink()
    path = split.root / "JPEGImages" / "cat.jpg"
    path.write_bytes(with_orientation(images.encode_jpeg(GRAY), 6))
    with pytest.raises(UserError, match=r"cat\.jpg.*upright.*orientation 6"):
        maps.read_maps(split, "cat")
    path.write_bytes(with_orientation(images.encode_jpeg(GRAY), 1))
    maps.read_maps(split, "cat")


def test_a_photograph_that_claims_too_many_pixels(split):
    huge = png(np.zeros((1, 1)), 8, 0)
    size = (20_000).to_bytes(4, "big") * 2
    header = b"IHDR" + size + huge[24:29]
    import zlib

    data = huge[:12] + header + zlib.crc32(header).to_bytes(4, "big") + huge[33:]
    (split.root / "JPEGImages" / "cat.png").write_bytes(data)
    with pytest.raises(UserError, match=r"cat\.png.*20000x20000"):
        maps.read_maps(split, "cat")


@pytest.mark.parametrize("strip", [1, 3, 512])
def test_objects_equal_loops_over_pixels(monkeypatch, strip):
    monkeypatch.setattr(maps, "_STRIP", strip)
    generator = np.random.default_rng(strip)
    objects = generator.choice(np.array([0, 0, 0, 2, 7, 255, 65535], np.uint16), (7, 5))
    labels = generator.integers(0, 5, (7, 5)).astype(np.uint8)
    found = maps.find_objects(objects, labels)
    assert found.ids.tolist() == [2, 7, 255]
    for object_id, box, pixels in zip(*found, strict=True):
        assert tuple(box) == reference.object_box(objects, object_id)
        members = labels[objects == object_id]
        assert pixels.tolist() == np.bincount(members, minlength=256).tolist()


def test_the_class_of_an_object_is_that_of_most_pixels_void_and_background_aside():
    objects = np.array([[1, 1, 1, 1, 1, 1], [2, 2, 3, 3, 3, 0]], np.uint16)
    labels = np.array([[255, 255, 255, 0, 0, 6], [9, 9, 0, 255, 0, 5]], np.uint8)
    assert maps.find_objects(objects, labels).classes().tolist() == [6, 9, 0]


def test_a_map_without_objects():
    found = maps.find_objects(np.full((2, 3), 65535, np.uint16), np.zeros((2, 3), np.uint8))
    assert found.boxes.shape == (0, 4) and found.classes().shape == (0,)


def test_objects_of_several_classes_are_refused():
    objects = np.array([[1] * 10, [2] * 10], np.uint16)
    labels = np.array([[3] * 9 + [0], [3] * 8 + [4] * 2], np.uint8)
    with pytest.raises(UserError, match=r"`o\.png`.*Received: 2 over pixels"):
        maps.check_objects(objects, labels, "o.png")
    assert len(maps.check_objects(objects[:1], labels[:1], "o.png").ids) == 1


def test_an_object_over_void_alone_is_refused():
    with pytest.raises(UserError, match="Received: 1 over"):
        maps.check_objects(np.ones((2, 2), np.uint16), np.full((2, 2), 255, np.uint8), "o.png")
