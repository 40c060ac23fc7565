"""The drawn data set: valid, reproducible, growing without changing what stands."""

import hashlib

import cv2
import numpy as np
import pytest

from tests.helpers import run_python
from tfdeconv.data.drawn import CLASS_NAMES, draw_dataset
from tfdeconv.data.drawn.objects import CLASSES, Frame
from tfdeconv.data.drawn.scene import SIZES, draw_scene
from tfdeconv.errors import UserError
from tfdeconv.images import read_image, read_labels
from tfdeconv.labels import IGNORE_LABEL, read_class_names


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "set", images=6, val=3)


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng((0, 0, number))) for number in range(12)]


def ids(root, split):
    return (root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()


def digests(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_layout_is_that_of_voc(drawn):
    assert read_class_names(drawn / "classes.txt") == CLASS_NAMES
    assert CLASS_NAMES[0] == "background" and len(CLASS_NAMES) == 9
    assert ids(drawn, "train") == [f"train_0000{number}" for number in range(6)]
    assert ids(drawn, "val") == [f"val_0000{number}" for number in range(3)]
    for name in ids(drawn, "train") + ids(drawn, "val"):
        image = read_image(drawn / "JPEGImages" / f"{name}.jpg")
        labels = read_labels(drawn / "SegmentationClass" / f"{name}.png")
        instances = read_labels(drawn / "SegmentationObject" / f"{name}.png")
        assert image.shape[:2] == labels.shape == instances.shape
        assert 150 <= min(labels.shape) <= 170 and 190 <= max(labels.shape) <= 210


def test_every_instance_has_one_class_and_can_be_seen(scenes):
    for scene in scenes:
        numbers = [number for number in np.unique(scene.instances) if 0 < number < IGNORE_LABEL]
        assert numbers == list(range(1, len(numbers) + 1))
        assert 2 <= len(numbers) <= 6
        for number in numbers:
            classes = np.unique(scene.labels[scene.instances == number])
            assert len(classes) == 1 and 1 <= classes[0] < len(CLASS_NAMES)
        np.testing.assert_array_equal(scene.labels == 255, scene.instances == 255)
        np.testing.assert_array_equal(scene.labels == 0, scene.instances == 0)


def test_void_separates_every_two_owners(scenes):
    for scene in scenes:
        for a, b in (
            (scene.instances[1:], scene.instances[:-1]),
            (scene.instances[:, 1:], scene.instances[:, :-1]),
        ):
            touching = (a != b) & (a != IGNORE_LABEL) & (b != IGNORE_LABEL)
            assert not touching.any()
        assert 0.005 < (scene.labels == IGNORE_LABEL).mean() < 0.2


def test_pictures_are_neither_flat_nor_saturated(scenes):
    for scene in scenes:
        assert scene.image.dtype == np.uint8
        assert scene.image.std() > 15
        assert np.isin(scene.image, (0, 255)).mean() < 0.1


def test_both_orientations_and_every_class_occur(scenes):
    shapes = {scene.image.shape[0] > scene.image.shape[1] for scene in scenes}
    assert shapes == {True, False}
    found = np.unique(np.concatenate([np.unique(scene.labels) for scene in scenes]))
    assert found.tolist() == [*range(len(CLASS_NAMES)), IGNORE_LABEL]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("seed", range(5))
def test_an_object_fits_its_frame(name, seed):
    y, x = np.mgrid[-1.25:1.25:100j, -1.25:1.25:100j].astype(np.float32)
    frame = Frame(x, y, np.hypot(x, y), np.arctan2(y, x))
    drawn = CLASSES[name](frame, np.random.default_rng(seed))
    assert drawn.inside.dtype == bool and 0.1 < drawn.inside[10:-10, 10:-10].mean() < 0.8
    border = np.ones_like(drawn.inside)
    border[4:-4, 4:-4] = False
    assert not (drawn.inside & border).any()
    assert drawn.colours.dtype == np.float32 and drawn.colours.shape == (3, 100, 100)
    assert drawn.relief.dtype == np.float32 and np.isfinite(drawn.relief).all()


def test_sizes_span_a_tenth_to_nine_tenths():
    assert SIZES == (0.1, 0.9)


def test_same_seed_same_files_another_seed_others(drawn, tmp_path):
    again = draw_dataset(tmp_path / "again", images=6, val=3)
    assert digests(again) == digests(drawn)
    other = draw_dataset(tmp_path / "other", images=1, val=0, seed=1)
    name = "JPEGImages/train_00000.jpg"
    assert digests(other)[name] != digests(drawn)[name]


def test_training_and_validation_pictures_differ(drawn):
    found = digests(drawn)
    assert found["JPEGImages/train_00000.jpg"] != found["JPEGImages/val_00000.jpg"]


def test_growing_keeps_what_stands(tmp_path):
    root = draw_dataset(tmp_path / "set", images=2, val=1)
    before = digests(root)
    draw_dataset(root, images=4, val=2)
    after = digests(root)
    pictures = [name for name in before if name.endswith((".jpg", ".png"))]
    assert len(pictures) == 9
    assert {name: after[name] for name in pictures} == {name: before[name] for name in pictures}
    assert len(ids(root, "train")) == 4 and len(ids(root, "val")) == 2


def test_an_interrupted_picture_is_drawn_again(tmp_path):
    root = draw_dataset(tmp_path / "set", images=2, val=1)
    before = digests(root)
    (root / "SegmentationObject" / "train_00001.png").unlink()
    draw_dataset(root, images=2, val=1)
    assert digests(root) == before


def test_a_folder_with_other_things_is_refused_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match=r"must be a new or empty folder.*Choose another folder"):
        draw_dataset(tmp_path, images=1, val=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(UserError, match="must be a new or empty folder"):
        draw_dataset(tmp_path / "thesis.txt", images=1, val=0)


def test_another_seed_in_the_same_folder_is_refused(tmp_path):
    draw_dataset(tmp_path, images=1, val=0, seed=3)
    with pytest.raises(UserError, match=r"seed 4.*Received.*'seed': 3"):
        draw_dataset(tmp_path, images=1, val=0, seed=4)


def test_one_object_alone(tmp_path):
    root = draw_dataset(tmp_path / "single", images=4, val=1, objects=1)
    for name in ids(root, "train") + ids(root, "val"):
        instances = read_labels(root / "SegmentationObject" / f"{name}.png")
        assert set(np.unique(instances)) == {0, 1, IGNORE_LABEL}
    with pytest.raises(UserError, match=r"seed 0 and version 1 to be ext.*Received.*'objects': 1"):
        draw_dataset(root, images=4, val=1)
    with pytest.raises(UserError, match=r"seed 0, objects 2 and version"):
        draw_dataset(root, images=4, val=1, objects=2)


def test_as_many_objects_as_asked_for_at_most():
    for number in range(6):
        scene = draw_scene(np.random.default_rng((0, number)), objects=6)
        assert 2 <= len(np.unique(scene.instances)) - 2 <= 6


@pytest.mark.parametrize(
    "wrong", [{"images": 0}, {"val": -1}, {"seed": -2}, {"objects": 0}, {"objects": 7}]
)
def test_numbers_are_checked(tmp_path, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UserError, match=f"{name}={value}"):
        draw_dataset(tmp_path / "set", **wrong)
    assert not (tmp_path / "set").exists()


def test_label_pngs_show_colours_in_a_viewer(drawn):
    path = drawn / "SegmentationClass" / f"{ids(drawn, 'train')[0]}.png"
    shown = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) >= 3


def test_drawing_never_loads_tensorflow():
    done = run_python(
        "-c",
        "import sys, tfdeconv.data.drawn; print([m for m in ('tensorflow', 'keras', 'cv2') "
        "if m in sys.modules])",
    )
    assert done.stdout.strip() == "[]", done.stderr
