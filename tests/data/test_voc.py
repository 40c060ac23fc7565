"""The folder of a data set and its lists."""

import subprocess
import sys

import pytest

from tests.data.small import CLASSES, write_data_set, write_list
from tests.helpers import CHECKOUT
from tfdeconv.data import voc
from tfdeconv.errors import UserError
from tfdeconv.labels import VOC_CLASSES


def test_a_split_has_ids_paths_and_names(tmp_path):
    split = voc.read_split(write_data_set(tmp_path, 2))
    assert split.ids == ("train0", "train1")
    assert split.class_names == CLASSES
    assert split.image_path("train0") == tmp_path / "JPEGImages" / "train0.png"
    assert split.label_path("train0") == tmp_path / "SegmentationClass" / "train0.png"
    assert split.object_path("train0") == tmp_path / "SegmentationObject" / "train0.png"
    assert voc.split_names(tmp_path) == ("train",)


def test_without_a_list_of_classes_they_are_vocs(tmp_path):
    (write_data_set(tmp_path) / "classes.txt").unlink()
    assert voc.read_split(tmp_path).class_names == VOC_CLASSES


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".png"])
def test_images_are_found_with_either_ending(tmp_path, ending):
    path = write_data_set(tmp_path, 1) / "JPEGImages" / "train0.png"
    path.rename(path.with_suffix(ending))
    assert voc.read_split(tmp_path).image_path("train0").suffix == ending


def test_an_id_with_a_dot_keeps_it(tmp_path):
    write_list(write_data_set(tmp_path, 1), "train", ["img.v2"])
    (tmp_path / "JPEGImages" / "train0.png").rename(tmp_path / "JPEGImages" / "img.v2.png")
    assert voc.read_split(tmp_path).image_path("img.v2").name == "img.v2.png"


def test_a_missing_image_is_named(tmp_path):
    write_list(write_data_set(tmp_path), "train", ["nowhere"])
    with pytest.raises(UserError, match=r"JPEGImages/nowhere\.jpg"):
        voc.read_split(tmp_path).image_path("nowhere")


def test_a_folder_that_is_no_data_set(tmp_path):
    with pytest.raises(UserError, match="PASCAL VOC layout"):
        voc.read_split(tmp_path / "absent")


def test_a_missing_split_tells_which_there_are(tmp_path):
    write_data_set(tmp_path)
    write_list(tmp_path, "val", ["train0"])
    with pytest.raises(UserError, match=r"test\.txt.*has: train, val"):
        voc.read_split(tmp_path, "test")


def test_an_empty_split(tmp_path):
    write_list(write_data_set(tmp_path), "train", [])
    with pytest.raises(UserError, match=r"train\.txt.*empty"):
        voc.read_split(tmp_path)


@pytest.mark.parametrize("image_id", ["../secret", "a/b", "a\\b", ".."])
def test_ids_stay_in_their_folder(tmp_path, image_id):
    write_list(write_data_set(tmp_path), "train", ["train0", image_id])
    with pytest.raises(UserError, match="file names without folder"):
        voc.read_split(tmp_path)


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_harmless(tmp_path):
    path = write_data_set(tmp_path) / "ImageSets" / "Segmentation" / "train.txt"
    path.write_bytes(b"\xef\xbb\xbftrain0 \r\n\r\ntrain1\r\n")
    assert voc.read_split(tmp_path).ids == ("train0", "train1")


def test_planning_does_not_load_tensorflow():
    code = (
        "import sys; from tfdeconv.data import maps, voc, windows; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0
