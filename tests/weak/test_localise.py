"""What is measured and written of a classifier whose maps are known: red, and green."""

import keras
import numpy as np
import pytest

from tfdeconv import images, labels
from tfdeconv.boxes import Proposals
from tfdeconv.data.voc import Split, read_split
from tfdeconv.errors import UserError
from tfdeconv.weak.boxes import refine_box
from tfdeconv.weak.localise import Found, Localiser, class_boxes, classes_in, localise, summary
from tfdeconv.weak.maps import box_of
from tfdeconv.weak.pseudo_labels import write_pseudo_set

# Roughly the red block, roughly the green one, and ones of nothing.
CANDIDATES = np.float32([[0, 34, 12, 50], [7, 4, 33, 31], [19, 41, 29, 53], [0, 0, 40, 60]])
PROPOSALS = Proposals(CANDIDATES, np.ones(4, np.float32))
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)


def colour_classifier() -> keras.Model:
    """Maps of half the size: how red and how green 2x2 pixels are."""
    inputs = keras.Input((None, None, 3), name="image")
    maps = keras.layers.Conv2D(2, 1, 2, name="cam")
    outputs = keras.layers.GlobalAveragePooling2D()(maps(inputs))
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[0, 0, [0, 1], [0, 1]] = 1 / 255
    maps.set_weights([kernel, np.zeros(2, np.float32)])
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Split:
    """An image with a large red and a small green block, and one with nothing."""
    root = tmp_path_factory.mktemp("weak") / "data"
    truth = np.zeros((40, 60), np.uint8)
    truth[8:32, 6:30] = 1
    truth[20:30, 40:52] = 2
    for name, map_ in (("both", truth), ("none", np.zeros((20, 30), np.uint8))):
        for folder, data in (
            ("JPEGImages", images.encode_png(COLOURS[map_])),
            ("SegmentationClass", labels.encode_png(map_)),
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / f"{name}.png").write_bytes(data)
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("both\nnone\n")
    (root / "classes.txt").write_text("ground\nred\ngreen\n")
    return read_split(root, "train")


@pytest.fixture(scope="module")
def localiser() -> Localiser:
    return Localiser(colour_classifier(), 60)


@pytest.fixture(scope="module")
def found(localiser, split) -> list[Found]:
    return list(localise(localiser, split, {"both": PROPOSALS, "none": PROPOSALS}))


def test_every_class_of_every_image_is_found(found) -> None:
    red, green = found
    assert (red.image_id, red.label, red.first) == ("both", 1, True)
    assert (green.label, green.first) == (2, False)
    assert red.truth.tolist() == [[8, 6, 32, 30]] and green.truth.tolist() == [[20, 40, 30, 52]]
    assert red.heat.shape == (40, 60) and red.iou > 0.85 and green.iou > 0.7
    assert red.part.tolist() == box_of(red.heat, 0.2).tolist()
    assert summary([red, green])[:3] == (1.0, 0.5, 0.5) and summary([red, green]).judged == 2
    assert np.isnan(summary([]).known) and summary([]).judged == 0


def test_the_box_is_the_best_candidate_moved_to_the_edges(localiser, split) -> None:
    image = images.read_image(split.image_path("both"))
    sights, first = localiser.find(image, [2, 1], CANDIDATES)
    heats, same = localiser.heats(image, [2, 1])
    assert first == same == 1 and list(sights) == [2, 1]
    for label, roughly in ((1, CANDIDATES[1]), (2, CANDIDATES[2])):
        heat, box = sights[label]
        np.testing.assert_array_equal(heat, heats[label])
        assert box.tolist() == refine_box(image, np.round(roughly)).tolist()


def test_a_wrong_box_does_not_count(found) -> None:
    red, green = found
    whole = np.array([0, 0, 40, 60])
    wrong = red._replace(box=whole, part=red.truth[0])
    assert wrong.iou == pytest.approx(24 * 24 / 2400)
    assert summary([wrong, green._replace(part=whole)]) == (0.5, 0.0, 0.5, 0.5, 2)


def test_a_mirror_image_has_the_mirrored_heat(localiser, split) -> None:
    image = images.read_image(split.image_path("both"))
    heats, _ = localiser.heats(image, [1])
    mirrored, _ = localiser.heats(np.ascontiguousarray(image[:, ::-1]), [1])
    np.testing.assert_allclose(mirrored[1], heats[1][:, ::-1], atol=1e-5)


def test_boxes_of_objects_and_of_classes() -> None:
    truth = np.array([[0, 2, 255, 2], [1, 2, 0, 2]], np.uint8)
    objects = np.array([[0, 1, 255, 3], [2, 1, 0, 3]], np.uint8)
    assert class_boxes(truth, objects, 2).tolist() == [[0, 1, 2, 2], [0, 3, 2, 4]]
    assert class_boxes(truth, None, 2).tolist() == [[0, 1, 2, 4]]
    assert class_boxes(truth, np.zeros_like(truth), 1).tolist() == [[1, 0, 2, 1]]
    assert classes_in(truth) == [1, 2]


def test_the_pseudo_set_is_a_data_set(localiser, split, tmp_path) -> None:
    mean_iou = write_pseudo_set(localiser, split, tmp_path / "pseudo", 0.2, 0.8)
    made = read_split(tmp_path / "pseudo", "train")
    assert made.ids == split.ids and made.class_names == split.class_names
    guessed = images.read_labels(made.label_path("both"))
    assert set(np.unique(guessed)) == {0, 1, 2, 255} and guessed.shape == (40, 60)
    assert guessed[20, 15] == 1 and guessed[25, 46] == 2 and guessed[0, 0] == 0
    assert not images.read_labels(made.label_path("none")).any()
    assert made.image_path("both").read_bytes() == split.image_path("both").read_bytes()
    assert mean_iou > 0.95
    assert write_pseudo_set(localiser, split, tmp_path / "pseudo", 0.2, 0.8) == mean_iou


def test_the_truth_is_not_written_over(localiser, split, tmp_path) -> None:
    (tmp_path / "link").symlink_to(split.root)
    before = split.label_path("both").read_bytes()
    for out in (split.root, tmp_path / "link", split.root / "JPEGImages" / ".."):
        with pytest.raises(UserError, match="must be another folder than that of the data"):
            write_pseudo_set(localiser, split, out, 0.2, 0.8)
    assert split.label_path("both").read_bytes() == before
