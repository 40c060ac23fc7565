"""`tfdeconv import`: what it prints, its options, and formats that cannot be told apart."""

import argparse
import json

import pytest

from tests.data.importers.drawn import classes, ids, photograph, picture, write_json
from tests.helpers import run_python, run_tfdeconv, shared_data
from tfdeconv import images
from tfdeconv.cli import import_data
from tfdeconv.data import importers, voc
from tfdeconv.data.check import check_split
from tfdeconv.errors import UserError

BOX = {"label": "cat", "points": [[0, 0], [2, 2]], "shape_type": "rectangle", "group_id": None}


def run(*words):
    parser = argparse.ArgumentParser()
    import_data.add_arguments(parser)
    return import_data.run(parser.parse_args([str(word) for word in words]))


def labelme(source, count=1):
    for number in range(count):
        photograph(source / f"{number}.png")
        value = {"shapes": [BOX], "imagePath": f"{number}.png", "imageData": None}
        write_json(source / f"{number}.json", value)
    return source


def test_what_is_printed(tmp_path):
    source = labelme(tmp_path / "source", 4)
    result = run_tfdeconv("import", str(source), str(tmp_path / "data"), "--val", "0.25")
    assert result.returncode == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[1] == "classes: 0 background (83.3 %), 1 cat (16.7 %)"
    assert "train: 3 images, 0 without annotations, 3 instances" in lines
    assert lines[0].startswith("format: labelme (`")
    assert len(ids(tmp_path / "data", "val")) == 1


def test_tensorflow_is_not_loaded(tmp_path):
    source = labelme(tmp_path / "source")
    program = (
        "import sys; from tfdeconv.cli.main import main\n"
        f"assert main(['import', {str(source)!r}, {str(tmp_path / 'data')!r}]) == 0\n"
        "assert not {'tensorflow', 'keras', 'cv2'} & set(sys.modules)"
    )
    result = run_python("-c", program)
    assert result.returncode == 0, result.stderr


def test_classes_from_a_file_and_one_split(tmp_path):
    source = labelme(tmp_path / "source")
    (tmp_path / "names.txt").write_text("dog\ncat\n")
    run(source, tmp_path / "data", "--classes", tmp_path / "names.txt", "--split", "test")
    assert classes(tmp_path / "data") == ["background", "dog", "cat"]
    assert voc.split_names(tmp_path / "data") == ("test",)


def test_two_formats_are_both_listed(tmp_path):
    source = labelme(tmp_path / "source")
    photograph(source / "images" / "x.png")
    picture(source / "masks" / "x.png", [[0, 1], [1, 0]])
    with pytest.raises(UserError, match=r"labelme \(.*masks \(.*--format"):
        run(source, tmp_path / "data")
    run(source, tmp_path / "data", "--format", "labelme")
    assert ids(tmp_path / "data") == ("0",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing", "data"], "`missing` must exist"),
        (["source", "data", "--format", "x"], "auto or one of coco, labelme"),
        (["source", "data", "--format", "coco"], "format coco"),
        (["source", "data", "--val", "1"], "at least 0 and below 1"),
        (["source", "data", "--val", "0.5", "--split", "x"], "cannot be used with `--split`"),
        (["source", "data"], "2 files of no known kind.*Known formats: coco"),
        (["zip", "data"], "unpack it first"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    photograph(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "notes.txt").touch()
    (tmp_path / "zip").mkdir()
    (tmp_path / "zip" / "export.zip").touch()
    with pytest.raises(UserError, match=message):
        run(*words)
    assert not (tmp_path / "data").exists()


# Images, images without annotations and instances of each split. Where one folder holds two exports
# of the same images, one file is given.
SAMPLES = {
    "coco_instances/instances.json": {"train": [2, 0, 3]},
    "coco_instances/instances_with_crowd_rle.json": {"train": [2, 0, 3]},
    "labelme/primitives": {"train": [1, 0, 8]},
    "labelme_voc_export": {"train": [1, 0, 6]},
    "roboflow_semantic": {"val": [2, 0, 0]},
    "dsb2018": {"train": [3, 0, 36]},
    "datumaro_tiny/coco_dataset/coco_stuff": {"train": [1, 0, 0], "val": [1, 0, 0]},
    "datumaro_tiny/coco_dataset/coco_roboflow": {"train": [1, 1, 0], "val": [1, 0, 1]},
    "datumaro_tiny/cvat_dataset/for_images/export_task": {"train": [2, 0, 2]},
    "datumaro_tiny/cvat_dataset/for_images/export_project": {
        "test": [2, 0, 2],
        "train": [2, 0, 2],
        "val": [2, 0, 2],
    },
    "datumaro_tiny/kaggle_dataset/image_mask_with_labelmap": {"train": [3, 0, 0]},
    "datumaro_tiny/kaggle_dataset/image_mask": {"train": [2, 0, 0]},
    "datumaro_tiny/common_semantic_segmentation_dataset/dataset": {"train": [2, 0, 0]},
    "datumaro_tiny/camvid_dataset": {"test": [2, 0, 0], "train": [1, 0, 0], "val": [1, 0, 0]},
    "datumaro_tiny/cityscapes_dataset/dataset": {"train": [1, 0, 0], "val": [1, 0, 0]},
    "datumaro_tiny/cityscapes_dataset/train_dataset": {"train": [1, 0, 1], "val": [1, 0, 0]},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_real_exports(tmp_path, name):
    report = importers.import_data(shared_data("formats") / name, tmp_path / "data")
    assert report.splits == SAMPLES[name]
    for split in voc.split_names(tmp_path / "data"):
        assert check_split(voc.read_split(tmp_path / "data", split)).problems == []


def test_the_voc_export_of_labelme_stays_as_it_is(tmp_path):
    source = shared_data("formats") / "labelme_voc_export"
    importers.import_data(source, tmp_path / "data")
    name = "SegmentationClass/2011_000006.png"
    expected, found = (images.read_labels(root / name) for root in (source, tmp_path / "data"))
    assert (expected == found).all()


def test_areas_of_coco(tmp_path):
    source = shared_data("formats") / "coco_instances" / "instances.json"
    importers.import_data(source, tmp_path / "data")
    areas = {}
    for number in (36086, 109005):
        labels = images.read_labels(tmp_path / "data" / f"SegmentationClass/{number:012}.png")
        areas |= {label: int((labels == label).sum()) for label in (2, 3, 4) if label in labels}
    for annotation in json.loads(source.read_text())["annotations"]:
        # Polygons and the centres of pixels inside them differ by what borders cut.
        assert areas[annotation["category_id"] + 1] == pytest.approx(annotation["area"], rel=3e-3)
