"""Cityscapes, ADE20K, Oxford pets, COCO panoptic, run lengths in CSVs and lists of pairs."""

import json

import numpy as np
import pytest

from tests.data.importers.drawn import classes, ids, photograph, picture, read, write_json
from tfdeconv.data.importers import Options, import_data
from tfdeconv.errors import UserError


def row(*values, dtype=np.uint8):
    return np.array([values] * 4, dtype)


def cityscapes(source, split, ending, mask, key="x_000000_000001"):
    photograph(source / "leftImg8bit" / split / "x" / f"{key}_leftImg8bit.png")
    picture(source / "gtFine" / split / "x" / f"{key}_gtFine_{ending}.png", mask)


def test_cityscapes(tmp_path):
    source = tmp_path / "source"
    instances = row(7, 24, 24000, 24001, 26003, 0, dtype=np.uint16)
    cityscapes(source, "train", "instanceIds", instances)
    cityscapes(source, "train", "labelIds", row(7, 24, 24, 24, 26, 0))
    cityscapes(source, "val", "labelIds", row(7, 8, 33, 29, 255, 0), "y_000000_000001")
    cityscapes(source, "test", "labelIds", row(0, 0, 0, 0, 0, 0), "z_000000_000001")
    report = import_data(source, tmp_path / "data")
    labels, objects = read(tmp_path / "data", "x_000000_000001")
    assert labels[0] == [1, 12, 12, 12, 14, 255] and objects[0] == [0, 65535, 1, 2, 3, 0]
    assert read(tmp_path / "data", "y_000000_000001", "val")[0][0] == [1, 2, 19, 255, 255, 255]
    assert classes(tmp_path / "data")[:3] == ["background", "road", "sidewalk"]
    assert report.dropped["images of test"] == 1


def test_ids_of_training_in_cityscapes(tmp_path):
    cityscapes(tmp_path / "source", "train", "labelTrainIds", row(0, 1, 18, 19, 255, 0))
    import_data(tmp_path / "source", tmp_path / "data")
    assert read(tmp_path / "data", "x_000000_000001")[0][0] == [1, 2, 19, 255, 255, 1]


def test_ade20k(tmp_path):
    source = tmp_path / "source"
    photograph(source / "images" / "training" / "ADE_train_00000001.jpg")
    mask = source / "annotations" / "training" / "ADE_train_00000001.png"
    picture(mask, row(0, 1, 150, 2, 0, 0))
    import_data(source, tmp_path / "data")
    labels, objects = read(tmp_path / "data", "ADE_train_00000001")
    assert labels[0] == [255, 1, 150, 2, 255, 255] and objects is None
    lines = [f"{number}\t0.1\t1\t1\tname{number}, other" for number in range(1, 151)]
    (source / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio", *lines]))
    import_data(source, tmp_path / "named", options=Options(classes=("name2", "name1")))
    assert read(tmp_path / "named", "ADE_train_00000001")[0][0] == [255, 2, 255, 1, 255, 255]
    picture(mask, row(0, 151, 0, 0, 0, 0))
    with pytest.raises(UserError, match=r"ADE_train_00000001\.png.*Received: 151"):
        import_data(source, tmp_path / "wrong")


def test_pets(tmp_path):
    source = tmp_path / "source"
    for name in ("Abyssinian_1", "beagle_2"):
        photograph(source / "images" / f"{name}.jpg")
        picture(source / "annotations" / "trimaps" / f"{name}.png", row(2, 3, 1, 1, 3, 2))
    (source / "annotations" / "trimaps" / "._beagle_2.png").touch()
    (source / "annotations" / "trainval.txt").write_text("Abyssinian_1 1 1 1\n")
    (source / "annotations" / "test.txt").write_text("beagle_2 2 2 1\n")
    import_data(source, tmp_path / "data")
    labels, objects = read(tmp_path / "data", "Abyssinian_1")
    assert labels[0] == [0, 255, 1, 1, 255, 0] and objects[0] == [0, 0, 1, 1, 0, 0]
    assert ids(tmp_path / "data", "test") == ("beagle_2",)


def write_panoptic(source, segments, colours):
    photograph(source / "val2017" / "a.jpg")
    mask = source / "annotations" / "panoptic_val2017" / "a.png"
    picture(mask, np.array([colours] * 4, np.uint8))
    value = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": segments}],
        "categories": [
            {"id": 200, "name": "sky", "isthing": 0},
            {"id": 1, "name": "person", "isthing": 1},
        ],
    }
    write_json(source / "annotations" / "panoptic_val2017.json", value)


def panoptic(tmp_path, segments, colours):
    write_panoptic(tmp_path / "source", segments, colours)
    return tmp_path / "data", import_data(tmp_path / "source", tmp_path / "data")


SEGMENTS = [
    {"id": 7, "category_id": 200, "iscrowd": 0},
    {"id": 300, "category_id": 1, "iscrowd": 0},
    {"id": 70000, "category_id": 1, "iscrowd": 0},
    {"id": 70001, "category_id": 1, "iscrowd": 1},
]
COLOURS = [(0, 0, 0), (7, 0, 0), (44, 1, 0), (112, 17, 1), (113, 17, 1), (7, 0, 0)]


def test_panoptic(tmp_path):
    data, _ = panoptic(tmp_path, SEGMENTS, COLOURS)
    labels, objects = read(data, "a", "val")
    assert labels[0] == [255, 2, 1, 1, 1, 2] and objects[0] == [0, 0, 1, 2, 65535, 0]


def test_panoptic_files_that_disagree(tmp_path):
    with pytest.raises(UserError, match=r"list every id of .*a\.png.*70001 in row 0, column 4"):
        panoptic(tmp_path, SEGMENTS[:3], COLOURS)
    with pytest.raises(UserError, match=r"panoptic_val2017\.json.*known category"):
        panoptic(tmp_path, [{"id": 7, "category_id": 5}], COLOURS)
    with pytest.raises(UserError, match=r"panoptic_val2017\.json.*`segments_info`"):
        panoptic(tmp_path, None, COLOURS)


def run_lengths(tmp_path, text, **options):
    source = tmp_path / "source"
    photograph(source / "train" / "a.png", 4, 5)
    photograph(source / "train" / "b.png", 4, 5)
    (source / "train.csv").write_text(text)
    report = import_data(source, tmp_path / "data", options=Options(**options))
    return tmp_path / "data", report


def test_run_lengths_from_1_down_the_columns(tmp_path):
    data, report = run_lengths(
        tmp_path, "ImageId,EncodedPixels\na.png,6 3 13 1\na.png,1 1\nb.png,\n"
    )
    labels, objects = read(data, "a")
    assert objects == [[2, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0]]
    assert labels[0] == [1, 0, 0, 1, 0] and report.splits == {"train": [2, 1, 2]}


def test_run_lengths_along_the_rows_and_classes(tmp_path):
    text = "id,annotation,cell_type\na,6 3,astro\nb,1 1,cort\n"
    data, _ = run_lengths(tmp_path, text, along_rows=True)
    assert read(data, "a")[0][1] == [1, 1, 1, 0, 0] and read(data, "b")[0][0][0] == 2
    text = "Image_Label,EncodedPixels\na.png_Fish,1 2\nb.png_Sugar,\n"
    data, _ = run_lengths(tmp_path / "2", text)
    assert classes(data) == ["background", "Fish"]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("1 21", "beyond the 20 pixels"),
        ("0 1", "beyond"),
        ("1 2 3", "without a length"),
        ("1 5 2 1", "overlap"),
        ("1 x", "whole numbers"),
        ("1 99999999999999999999", "whole numbers"),
        ('1 1,"', "3 columns|2 columns"),
    ],
)
def test_run_lengths_that_are_none(tmp_path, runs, message):
    with pytest.raises(UserError, match=message) as caught:
        run_lengths(tmp_path, f"ImageId,EncodedPixels\nb.png,\na.png,{runs}\n")
    assert "train.csv`, line 3" in str(caught.value)


def test_lists_of_two_columns(tmp_path):
    source = tmp_path / "source"
    for name in ("a", "b"):
        photograph(source / "JPEGImages" / f"{name}.jpg")
        picture(source / "SegmentationClassAug" / f"{name}.png", row(0, 1, 2, 255, 0, 0))
    line = "/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png\r\n"
    (source / "train.txt").write_text(line.format("a") + line.format("gone"))
    (source / "val.txt").write_text("/VOC" + line.format("b"))
    report = import_data(source, tmp_path / "data")
    assert ids(tmp_path / "data") == ("a",) and ids(tmp_path / "data", "val") == ("b",)
    assert read(tmp_path / "data", "a")[0][0] == [0, 1, 2, 255, 0, 0]
    assert report.dropped["lines whose files are missing"] == 1
    (source / "train.txt").write_text(line.format("a") + "a b c\n")
    with pytest.raises(UserError, match=r"train\.txt`, line 2"):
        import_data(source, tmp_path / "again")
    (source / "val.txt").unlink()
    (source / "train.txt").write_text(line.format("../../a"[:5]))
    with pytest.raises(UserError, match="none of them"):
        import_data(source, tmp_path / "again")


def test_camvid_of_segnet(tmp_path):
    source = tmp_path / "CamVid"
    photograph(source / "train" / "a.png")
    picture(source / "trainannot" / "a.png", row(0, 1, 10, 11, 0, 0))
    (source / "train.txt").write_text(
        "/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png\n"
    )
    import_data(source, tmp_path / "data")
    assert read(tmp_path / "data", "a")[0][0] == [1, 2, 11, 255, 1, 1]
    assert classes(tmp_path / "data")[:3] == ["background", "sky", "building"]


def test_camvid_in_its_colours(tmp_path):
    source = tmp_path / "CamVid"
    photograph(source / "train" / "a.png")
    colours = [(0, 0, 0), (128, 128, 128), (128, 64, 128), (64, 0, 128), (0, 0, 0), (0, 0, 0)]
    picture(source / "trainannot" / "a.png", np.array([colours] * 4, np.uint8))
    (source / "train.txt").write_text("/train/a.png /trainannot/a.png\n")
    import_data(source, tmp_path / "data", options=Options(classes=("Road", "Car")))
    assert read(tmp_path / "data", "a")[0][0] == [255, 255, 1, 2, 255, 255]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_metadata_of_hugging_face(tmp_path, kind):
    folder = tmp_path / "source" / "validation"
    photograph(folder / "images" / "a.jpg")
    picture(folder / "masks" / "a.png", row(0, 1, 1, 0, 0, 0))
    values = {"image_file_name": "images/a.jpg", "mask_file_name": "masks/a.png"}
    text = "image_file_name,mask_file_name\nimages/a.jpg,masks/a.png\n"
    (folder / f"metadata.{kind}").write_text(text if kind == "csv" else json.dumps(values) + "\n")
    import_data(tmp_path / "source", tmp_path / "data")
    assert ids(tmp_path / "data", "val") == ("a",)
    (folder / f"metadata.{kind}").write_text(text.replace("masks/a.png", ""))
    if kind == "csv":
        with pytest.raises(UserError, match=r"metadata\.csv`, row 1"):
            import_data(tmp_path / "source", tmp_path / "again")
