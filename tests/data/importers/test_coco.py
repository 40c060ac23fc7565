"""COCO instances: every kind of mask, categories, crowds, splits, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.data.importers.drawn import classes, compress, ids, photograph, read, write_json
from tfdeconv.data.importers import Options, import_data
from tfdeconv.errors import UserError

SQUARE = [0, 0, 2, 0, 2, 2, 0, 2]


def annotation(segmentation, category=7, image=1, **others):
    return {
        "id": 100,
        "image_id": image,
        "category_id": category,
        "iscrowd": 0,
        "segmentation": segmentation,
        **others,
    }


def coco(annotations, categories=((0, "cat"), (7, "dog")), images=((1, "a.png"),)):
    return {
        "images": [
            {"id": number, "file_name": name, "height": 4, "width": 6} for number, name in images
        ],
        "categories": [{"id": number, "name": name} for number, name in categories],
        "annotations": annotations,
    }


def imported(tmp_path, value, **options) -> tuple[Path, object]:
    photograph(tmp_path / "source" / "images" / "a.png")
    write_json(tmp_path / "source" / "annotations" / "instances_train2017.json", value)
    data = tmp_path / "data"
    return data, import_data(tmp_path / "source", data, options=Options(**options))


def test_polygons_of_several_rings_are_one_object(tmp_path):
    data, _ = imported(tmp_path, coco([annotation([SQUARE, [4, 0, 6, 0, 6, 1, 4, 1]])]))
    labels, objects = read(data, "a")
    assert labels == [[2, 2, 0, 0, 2, 2], [2, 2, 0, 0, 0, 0], [0] * 6, [0] * 6]
    assert objects[0] == [1, 1, 0, 0, 1, 1]
    # Id 0 is a category like any other.
    assert classes(data) == ["background", "cat", "dog"]


@pytest.mark.parametrize("counts", [[4, 3, 1, 1, 15], compress([4, 3, 1, 1, 15])])
@pytest.mark.parametrize("wrapped", [False, True])
def test_run_lengths_go_down_the_columns(tmp_path, counts, wrapped):
    mask = {"size": [4, 6], "counts": counts}
    data, _ = imported(tmp_path, coco([annotation([mask] if wrapped else mask, category=0)]))
    labels, _ = read(data, "a")
    assert labels == [[0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0] * 6]


def test_small_objects_lie_over_large_ones(tmp_path):
    large = annotation([[0, 0, 6, 0, 6, 4, 0, 4]], category=0)
    data, report = imported(tmp_path, coco([annotation([SQUARE]), large]))
    labels, objects = read(data, "a")
    assert labels[0] == [2, 2, 1, 1, 1, 1] and objects[0] == [2, 2, 1, 1, 1, 1]
    assert report.splits == {"train": [1, 0, 2]}


def test_a_crowd_is_void_for_instances_only(tmp_path):
    mask = {"size": [4, 6], "counts": [0, 4, 20]}
    value = coco([annotation(mask, iscrowd=1)])
    data, _ = imported(tmp_path, value)
    labels, objects = read(data, "a")
    assert labels[0][:2] == [2, 0] and objects[0][:2] == [65535, 0]


def test_crowds_of_cvat_are_objects(tmp_path):
    mask = {"size": [4, 6], "counts": [0, 4, 20]}
    value = coco([annotation(mask, iscrowd=1, attributes={"occluded": False})])
    data, report = imported(tmp_path, value)
    assert read(data, "a")[1][0][:2] == [1, 0]
    assert any("CVAT" in note for note in report.notes)
    _, report = imported(tmp_path / "again", value, crowd="void")
    assert report.splits["train"][2] == 0


def test_what_has_no_mask_or_class_is_counted(tmp_path):
    value = coco(
        [
            annotation([]),
            annotation([[]]),
            annotation([[1, 1, 2, 2]]),
            annotation([SQUARE], category=99),
            annotation([SQUARE], image=99),
            annotation([SQUARE]),
            annotation(SQUARE),
        ],
        images=[(1, "a.png"), (2, "absent.png")],
    )
    _, report = imported(tmp_path, value)
    assert +report.dropped == {
        "boxes without a mask": 2,
        "without a pixel": 1,
        "objects of an unknown class": 1,
        "annotations of unknown images": 1,
        "hidden by others": 1,
        "images whose photograph is missing": 1,
    }


def test_an_unused_parent_of_the_same_name_is_no_class(tmp_path):
    value = coco([annotation([SQUARE], category=3)], categories=[(0, "wall"), (3, "wall")])
    value["categories"][1]["supercategory"] = "wall"
    data, _ = imported(tmp_path, value)
    assert classes(data) == ["background", "wall"]


def test_parents_that_are_no_text(tmp_path):
    value = coco([annotation([SQUARE])])
    value["categories"][1]["supercategory"] = ["x"]
    data, _ = imported(tmp_path, value)
    assert classes(data) == ["background", "cat", "dog"]


def test_two_used_categories_of_one_name_are_two_classes(tmp_path):
    value = coco(
        [annotation([SQUARE], category=3), annotation([SQUARE], category=4)],
        categories=[(3, "wall"), (4, "wall"), (5, "background")],
    )
    data, _ = imported(tmp_path, value)
    assert classes(data) == ["background", "wall", "wall_4"]


def test_chosen_classes_and_void(tmp_path):
    value = coco([annotation([SQUARE]), annotation([[2, 0, 3, 0, 3, 1, 2, 1]], category=0)])
    data, report = imported(tmp_path, value, classes=("dog",), void=("cat",))
    assert classes(data) == ["background", "dog"]
    assert read(data, "a")[0][0] == [1, 1, 255, 0, 0, 0] and report.splits["train"] == [1, 0, 1]


def test_splits_folders_and_paths_of_windows(tmp_path):
    source = tmp_path / "source"
    for split in ("train", "valid"):
        photograph(source / split / "sub" / "a.png")
        value = coco([annotation([SQUARE])], images=[(1, "sub\\a.png")])
        write_json(source / split / "_annotations.coco.json", value)
    import_data(source, tmp_path / "data")
    assert ids(tmp_path / "data") == ("sub_a",) and ids(tmp_path / "data", "val") == ("sub_a_2",)


def test_paths_do_not_leave_the_source(tmp_path):
    photograph(tmp_path / "secret.png")
    (tmp_path / "source").mkdir()
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        write_json(tmp_path / "source" / "x.json", coco([], images=[(1, name)]))
        with pytest.raises(UserError, match="No image of the annotations"):
            import_data(tmp_path / "source", tmp_path / "data")
    write_json(tmp_path / "source" / "x.json", coco([], images=[(1, "link.png")]))
    (tmp_path / "source" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UserError, match=r"link\.png.*Copy the file"):
        import_data(tmp_path / "source", tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.png", "source"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (annotation([[0, 0, 2, 0, float("nan"), 1]]), "NaN"),
        (annotation([[0, 0, 2, 0, 1e300, 1]]), "annotation 100.*not finite"),
        (annotation([[0, 0, "x", 0, 1, 1]]), "annotation 100.*pairs of numbers"),
        (annotation([[0, 0, 2, 0, 1]]), "annotation 100.*pairs of numbers"),
        (annotation({"size": [4, 6], "counts": [1, 2]}), "annotation 100.*fill the mask"),
        (annotation({"size": [9, 9], "counts": [81]}), r"annotation 100.*size \[9, 9\]"),
        (annotation({"size": [4, 6]}), "annotation 100.*run lengths"),
        (annotation("polygon"), "annotation 100.*str in place of"),
        (annotation([SQUARE], category=None), "annotation 100.*`category_id`"),
        (annotation([SQUARE], image=[]), "annotation 100.*`image_id`"),
        ([], "objects in `annotations`"),
    ],
)
def test_mistakes_are_refused_with_their_place(tmp_path, changed, message):
    with pytest.raises(UserError, match=message) as caught:
        imported(tmp_path, coco([changed]))
    assert "instances_train2017.json" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [{"id": 1}', "`file_name`"),
        ('{"images": [', "must be JSON"),
        ('{"images": [], "categories": [{"id": 1}}', "must be JSON"),
        ('{"images": [], "annotations": [],}', "must be JSON"),
        ('{"images": []} x', "must be JSON.*after the end"),
        ('{"images": [' + "[" * 100_000, "must be JSON"),
        ('{"images": [{"id": 1, "file_name": "a", "height": -4, "width": 6}]}', "`height`"),
    ],
)
def test_broken_json(tmp_path, text, message):
    photograph(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "x.json").write_text(text)
    with pytest.raises(UserError, match=message):
        import_data(tmp_path / "source", tmp_path / "data")


def test_another_size_and_two_files_for_one_photograph(tmp_path):
    value = coco([annotation([SQUARE])])
    value["images"][0]["width"] = 60
    with pytest.raises(UserError, match=r"image 'a.png'.*6x4.*60x4"):
        imported(tmp_path, value)
    write_json(tmp_path / "source" / "annotations" / "instances_val.json", coco([]))
    write_json(tmp_path / "source" / "annotations" / "instances_train2017.json", coco([]))
    with pytest.raises(UserError, match="annotated in one file"):
        import_data(tmp_path / "source", tmp_path / "data")
    images = tmp_path / "source" / "images"
    path = tmp_path / "source" / "annotations" / "instances_val.json"
    import_data(path, tmp_path / "data", images=images, options=Options(classes=("x",)))
    assert ids(tmp_path / "data", "val") == ("a",)


def test_captions_are_left_alone(tmp_path):
    captions = {"images": [], "annotations": [{"id": 1, "image_id": 1, "caption": "x"}]}
    write_json(tmp_path / "source" / "annotations" / "captions_train2017.json", captions)
    data, _ = imported(tmp_path, coco([annotation([SQUARE])]))
    assert ids(data) == ("a",)


def test_elements_are_read_across_the_borders_of_the_window(tmp_path, monkeypatch):
    from tfdeconv.data.importers import sources

    monkeypatch.setattr(sources, "_CHUNK", 7)
    value = coco([annotation([SQUARE])]) | {"info": {"x": [1, {"y": "]}"}]}, "number": 123456789}
    path = write_json(tmp_path / "x.json", value)
    read_back: dict = {}
    for key, element in sources.iterate_json(path):
        if isinstance(value[key], list):
            read_back.setdefault(key, []).append(element)
        else:
            read_back[key] = element
    assert json.dumps(read_back) == json.dumps(value)
