"""`check_split` finds every problem of a data set and stays quiet about a sound one."""

import numpy as np
import pytest

from tests.data.small import with_orientation, write_data_set, write_image, write_list
from tests.helpers import shared_data
from tfdeconv import images
from tfdeconv.cli.main import main
from tfdeconv.data import voc
from tfdeconv.data.check import check_split, has_binary_masks

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
EMPTY = np.zeros((20, 30), np.uint8)


def test_a_sound_data_set_has_no_problems(tmp_path):
    report = check_split(voc.read_split(write_data_set(tmp_path, 3)))
    assert report.problems == [] and report.notes() == []
    assert report.objects == 7
    assert report.summary().startswith("train: 3 images, 7 objects; background ")
    assert report.summary().endswith("no problems")


def break_everything(root):
    """Breaks one file in every way; returns what each report must hold."""
    jpeg = images.encode_jpeg(PHOTO)
    write_data_set(root, 9)
    photographs, classes = root / "JPEGImages", root / "SegmentationClass"
    (photographs / "train0.png").unlink()
    path = photographs / "train1.png"
    path.write_bytes(path.read_bytes()[:-50])
    (photographs / "train2.png").write_bytes(b"")
    (photographs / "train3.png").unlink()
    write_image(root, "train3", PHOTO, EMPTY)
    (photographs / "train3.png").rename(photographs / "train3.jpg").write_bytes(
        with_orientation(jpeg, 8)
    )
    (classes / "train4.png").unlink()
    (classes / "train5.png").write_bytes(images.encode_png(PHOTO))
    write_image(root, "train6", PHOTO, EMPTY[:-1])
    write_image(root, "train7", PHOTO, EMPTY + 4, EMPTY)
    write_image(root, "train8", PHOTO, EMPTY, EMPTY + 1)
    write_list(root, "train", [f"train{number}" for number in range(9)] + ["train4"])
    return (
        r"JPEGImages/train0\.jpg",
        r"JPEGImages/train1\.png",
        r"JPEGImages/train2\.png",
        r"JPEGImages/train3\.jpg.*orientation 8",
        r"Class/train4\.png",
        r"Class/train5\.png",
        r"Class/train6\.png.*30x20.*30x19",
        r"Object/train6\.png.*30x20",
        r"Class/train7\.png.*Received: 4",
        r"Object/train8\.png.*one class",
        r"train\.txt.*'train4' 2 times",
    )


def test_every_problem_is_reported_with_its_file(tmp_path):
    import re

    expected = break_everything(tmp_path)
    report = check_split(voc.read_split(tmp_path))
    for pattern in expected:
        assert any(re.search(pattern, problem) for problem in report.problems), pattern
    assert len(report.problems) == len(expected)
    assert report.summary().endswith("11 problems")


def test_what_training_can_read_is_no_problem(tmp_path):
    import cv2

    deep = PHOTO.astype(np.uint16) * 257
    for image_id, data in {
        "gray": cv2.imencode(".png", PHOTO[..., 0])[1].tobytes(),
        "deep": cv2.imencode(".png", deep)[1].tobytes(),
        "alpha": cv2.imencode(".png", np.dstack([PHOTO, PHOTO[..., :1]]))[1].tobytes(),
    }.items():
        write_image(tmp_path, image_id, PHOTO, EMPTY)
        (tmp_path / "JPEGImages" / f"{image_id}.png").write_bytes(data)
    write_list(tmp_path, "train", ["gray", "deep", "alpha"])
    report = check_split(voc.read_split(tmp_path))
    assert report.problems == []


def test_missing_classes_and_instances_are_notes(tmp_path):
    write_data_set(tmp_path, 1)
    write_image(tmp_path, "empty", PHOTO, EMPTY)
    write_list(tmp_path, "train", ["empty"])
    report = check_split(voc.read_split(tmp_path))
    assert report.problems == []
    assert report.notes() == [
        "'train' has no pixels of red, green, blue",
        "'train' has no instance maps: DeconvNet's stage 1 cannot be trained on it",
    ]


@pytest.mark.parametrize("name", ["voc2012", "nuclei", "camvid"])
def test_real_data_is_sound(name):
    split = voc.read_split(shared_data(name), "val")
    some = voc.Split(split.root, split.name, split.ids[:10], split.class_names)
    assert check_split(some).problems == []


def test_masks_of_0_and_255_alone_are_noted(tmp_path, capsys):
    mask = np.zeros((8, 9), np.uint8)
    mask[2:5, 3:6] = 255
    for name in ("a", "b"):
        write_image(tmp_path, name, np.zeros((8, 9, 3), np.uint8), mask)
    write_list(tmp_path, "train", ["a", "b"])
    (tmp_path / "classes.txt").write_text("background\nlesion\n")
    assert main(["check", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "of 'train' contain only 0 and 255. 255 is the ignore index, so that 'lesion'" in out
    split = voc.read_split(tmp_path, "train")
    assert has_binary_masks(split)
    mask[0, 0] = 1
    write_image(tmp_path, "b", np.zeros((8, 9, 3), np.uint8), mask)
    assert not has_binary_masks(split)


def test_what_validation_shares_with_training_is_noted(tmp_path, capsys):
    write_data_set(tmp_path, 2)
    (tmp_path / "JPEGImages" / "copy.png").write_bytes(
        (tmp_path / "JPEGImages" / "train1.png").read_bytes()
    )
    for folder in ("SegmentationClass", "SegmentationObject"):
        (tmp_path / folder / "copy.png").write_bytes(
            (tmp_path / folder / "train1.png").read_bytes()
        )
    write_list(tmp_path, "val", ["copy"])
    main(["check", str(tmp_path)])
    note = "note: 1 image of 'val' is also in 'train', such as 'copy' (there 'train1')"
    assert note in capsys.readouterr().out


def test_a_class_of_validation_alone_is_noted(tmp_path, capsys):
    for name, label in (("a", 1), ("b", 2)):
        image = np.full((8, 9, 3), label, np.uint8)
        write_image(tmp_path, name, image, np.full((8, 9), label, np.uint8))
    write_list(tmp_path, "train", ["a"])
    write_list(tmp_path, "val", ["b"])
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\n")
    main(["check", str(tmp_path)])
    assert "note: only 'val' has pixels of dog, which cannot be learned" in capsys.readouterr().out
