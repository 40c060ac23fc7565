"""Palettes: an index is a label, but where an optimiser sorted PASCAL VOC's colours anew."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.data.small import png, write_data_set, write_image, write_list
from tfdeconv import images, labels
from tfdeconv.data import maps, voc
from tfdeconv.data.check import check_split
from tfdeconv.data.decode import decode_labels, decode_objects
from tfdeconv.errors import UserError
from tfdeconv.labels import VOC_CLASSES

VOC = labels.palette()
OWN = ("ground", "road", "grass", "sky")
MAP = np.array([[0, 1], [2, 3]], np.uint8)
BLACK = np.zeros((4, 3), np.uint8)


def read_by_both(data: bytes, names) -> list[list[int]]:
    found = images.decode_labels(data, "a.png", names)
    np.testing.assert_array_equal(decode_labels(tf.constant(data), "a.png", names), found)
    return found.tolist()


SAME = MAP.tolist()
CASES = [
    # A palette of one's own, whatever its colours.
    ([(0, 0, 0), (255, 0, 0), (0, 255, 0), (70, 130, 180)], OWN, SAME),
    ([(0, 0, 0), (255, 0, 0), (0, 255, 0), (70, 130, 180)], VOC_CLASSES, SAME),
    ([(0, 0, 0), (255, 0, 0), (0, 255, 0), (70, 130, 180)], None, SAME),
    # Dark colours, all of which are VOC's for other labels.
    ([(0, 0, 0), (0, 128, 0), (128, 128, 0), (128, 0, 0)], OWN, SAME),
    ([(0, 0, 0), (64, 64, 64), (128, 128, 128), (192, 192, 192)], OWN, SAME),
    ([(i, i, i) for i in range(256)], OWN, SAME),
    ([(i, i, i) for i in range(256)], None, SAME),
    # Colours of VOC that are no class of it.
    (VOC[[0, 30, 20, 15]], VOC_CLASSES, SAME),
    # A colour that occurs twice tells no label; black at the end fills up.
    (VOC[[0, 15, 15, 7]], VOC_CLASSES, SAME),
    (BLACK, VOC_CLASSES, SAME),
    ([*VOC[:4], *BLACK], VOC_CLASSES, SAME),
    # VOC's colours, sorted anew.
    (VOC[[15, 255, 0, 20]], VOC_CLASSES, [[15, 255], [0, 20]]),
    (VOC[[20, 7, 15, 0]], VOC_CLASSES, [[20, 7], [15, 0]]),
    (VOC[[7, 255, 0, 21]], None, [[7, 255], [0, 21]]),
    ([*VOC[[9, 0, 4, 3]], *BLACK], VOC_CLASSES, [[9, 0], [4, 3]]),
    # With void among them, also for other classes.
    (VOC[[3, 255, 0, 2]], OWN, [[3, 255], [0, 2]]),
    (VOC[[4, 255, 0, 2]], OWN, SAME),
    (VOC, OWN, SAME),
    (VOC, None, SAME),
]


@pytest.mark.parametrize("colours, names, expected", CASES)
def test_which_label_an_index_stands_for(colours, names, expected) -> None:
    assert read_by_both(png(MAP, 8, 3, np.array(colours)), names) == expected


def test_random_palettes_are_read_alike_in_the_graph() -> None:
    generator = np.random.default_rng(0)
    names = [None, VOC_CLASSES, OWN, tuple("abcdefghij")]
    read = {
        chosen: tf.function(
            lambda data, chosen=chosen: decode_labels(data, "a", chosen),
            input_signature=[tf.TensorSpec((), tf.string)],
        )
        for chosen in names
    }
    pool = np.array([0, 1, 2, 3, 4, 9, 20, 21, 255])
    for number in range(80):
        count = generator.integers(1, 9)
        colours = VOC[generator.permutation(pool)[:count]]
        colours = np.concatenate([colours, np.zeros((generator.integers(3), 3), np.uint8)])
        values = generator.integers(0, count, (3, 4))
        data, chosen = png(values, 8, 3, colours), names[number % 4]
        np.testing.assert_array_equal(read[chosen](data), images.decode_labels(data, "a", chosen))


def test_void_may_lie_behind_the_palette_and_nothing_else() -> None:
    data = png(np.array([[0, 255]]), 8, 3, VOC[:21])
    assert read_by_both(data, VOC_CLASSES) == [[0, 255]]
    data = png(np.array([[0, 21]]), 8, 3, VOC[:21])
    with pytest.raises(UserError, match=r"`a\.png`.*index 21 of 21 colours in row 0, column 1"):
        images.decode_labels(data, "a.png")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)outside of its palette.*a\.png"):
        decode_labels(tf.constant(data), "a.png")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_few_bits_and_interlaced_rows(bits: int) -> None:
    expected = (np.arange(35) % 2**bits).reshape(5, 7).astype(np.uint8)
    for data in (png(expected, bits, 0), png(expected, bits, 3, VOC[: 2**bits])):
        assert read_by_both(data, None) == expected.tolist()


def test_real_optimisers_are_seen_through() -> None:
    expected = np.array([[15, 15, 0], [0, 7, 255]], np.uint8)
    image = Image.open(io.BytesIO(labels.encode_png(expected))).convert("RGB").quantize(8)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    assert read_by_both(file.getvalue(), VOC_CLASSES) == expected.tolist()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16", "PA"])
def test_pictures_of_labels_are_refused(mode: str) -> None:
    image = Image.fromarray(MAP.astype(np.uint16) if mode == "I;16" else MAP)
    image = image if mode == "I;16" else image.convert("LA" if mode == "PA" else mode)
    file = io.BytesIO()
    image.save(file, "PNG")
    with pytest.raises(UserError, match=r"`a\.png` must be a palette or 8-bit gray PNG.*mode"):
        images.decode_labels(file.getvalue(), "a.png")
    for kind in ("TIFF", "JPEG", "GIF"):
        file = io.BytesIO()
        Image.fromarray(MAP).save(file, kind)
        with pytest.raises(UserError, match=rf"palette or 8-bit gray PNG.*Received: {kind}"):
            images.decode_labels(file.getvalue(), "a.png")


def test_every_label_comes_back_in_colours_of_ones_own() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(8, 32)
    own = np.array([(0, 0, 0), (0, 128, 0), (128, 128, 0), (128, 0, 0)], np.uint8)
    for colours in (None, own, VOC[:21], VOC[::-1]):
        data = labels.encode_png(every, colours)
        np.testing.assert_array_equal(images.decode_labels(data, "a", OWN), every)
    data = labels.encode_png(MAP, own)
    # Even where the classes are not known: white is none of VOC's colours.
    np.testing.assert_array_equal(images.decode_labels(data), MAP)
    shown = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(shown, own[MAP])


@pytest.mark.parametrize("colours", [np.zeros(3, np.uint8), np.zeros((257, 3), np.uint8)])
def test_what_is_no_palette_is_refused(colours) -> None:
    with pytest.raises(ValueError, match="`colours` must be at most 256"):
        labels.encode_png(MAP, colours)
    with pytest.raises(ValueError, match="`labels` must be a non-empty"):
        labels.encode_png(MAP[0])


def own_data(root, colours, image_id: str = "a"):
    """A data set of one image in four classes of its own, with this palette."""
    classes = np.repeat(np.arange(4, dtype=np.uint8), 5).reshape(4, 5)
    write_image(root, image_id, np.zeros((4, 5, 3), np.uint8), classes)
    path = root / "SegmentationClass" / f"{image_id}.png"
    path.write_bytes(png(classes, 8, 3, np.array(colours)))
    write_list(root, "train", [image_id])
    (root / "classes.txt").write_text("\n".join(OWN))
    return voc.read_split(root), classes


@pytest.mark.parametrize("colours", [case[0] for case in CASES if case[1] is OWN][:4])
def test_a_data_set_is_read_by_its_indices(tmp_path, colours) -> None:
    split, classes = own_data(tmp_path, colours)
    np.testing.assert_array_equal(maps.read_maps(split, "a")[0], classes)
    np.testing.assert_array_equal(maps.read_colours(split), np.array(colours)[:4])


def test_colours_of_a_data_set_that_has_none_of_its_own(tmp_path) -> None:
    for colours in (VOC, VOC[:4], VOC[[3, 255, 0, 2]], VOC[[0, 2, 1]]):
        assert maps.read_colours(own_data(tmp_path, colours)[0]) is None
    write_data_set(tmp_path / "drawn", 1)
    assert maps.read_colours(voc.read_split(tmp_path / "drawn")) is None


def test_what_may_be_vocs_palette_in_another_order_is_noted(tmp_path) -> None:
    dark, bright = CASES[3][0], CASES[0][0]
    notes = check_split(own_data(tmp_path, dark)[0]).notes()
    assert f"`{tmp_path}/SegmentationClass/a.png` has colours of PASCAL VOC's" in notes[-1]
    for colours in (bright, VOC, VOC[[0, 30, 20, 15]]):
        notes = check_split(own_data(tmp_path, colours)[0]).notes()
        assert not [note for note in notes if "PASCAL" in note]


@pytest.mark.parametrize(
    ("numbers", "bits"), [([0, 1, 254, 65535], 8), ([0, 1, 255, 65535], 16), ([400, 65534], 16)]
)
def test_instance_maps_come_back_by_both_readers(tmp_path, numbers, bits: int) -> None:
    objects = np.array([numbers, numbers[::-1]], np.uint16)
    data = labels.encode_objects(objects)
    assert data[24] == bits
    (tmp_path / "objects.png").write_bytes(data)
    np.testing.assert_array_equal(images.read_objects(tmp_path / "objects.png"), objects)
    found = decode_objects(tf.constant(data))
    assert found.dtype == tf.uint16
    np.testing.assert_array_equal(found, objects)


def test_a_label_map_of_16_bits_is_refused_by_both_readers() -> None:
    data = labels.encode_objects(np.full((2, 3), 300, np.uint16))
    with pytest.raises(UserError, match=r"8-bit gray PNG of class indices.*mode 'I;16'"):
        images.decode_labels(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match="8-bit gray PNGs"):
        decode_labels(tf.constant(data))


@pytest.mark.parametrize("objects", [np.zeros((2, 3), np.uint8), np.zeros((0, 3), np.uint16)])
def test_what_is_no_instance_map_is_refused(objects) -> None:
    with pytest.raises(ValueError, match=r"must be a non-empty \(height, width\) uint16 array"):
        labels.encode_objects(objects)
