"""labelme: every type of shape, embedded photographs, groups, ignored areas and what is refused."""

import base64

import numpy as np
import pytest

from tests.data.importers.drawn import classes, ids, photograph, picture, read, write_json
from tfdeconv import images
from tfdeconv.data.importers import Options, import_data
from tfdeconv.errors import UserError


def shape(label, points, kind="polygon", **others):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, **others}


def labelme(shapes, name="a.png", data=None, size=(4, 6)):
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": data,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }


def imported(tmp_path, shapes, **options):
    source = tmp_path / "source"
    photograph(source / "a.png")
    write_json(source / "a.json", labelme(shapes))
    report = import_data(source, tmp_path / "data", options=Options(**options))
    return tmp_path / "data", report


def encoded(tmp_path, mask) -> str:
    path = picture(tmp_path / "mask.png", np.array(mask, np.uint8))
    return base64.b64encode(path.read_bytes()).decode()


def test_groups_order_and_classes_by_the_alphabet(tmp_path):
    shapes = [
        shape("dog", [[0, 0], [1, 0], [1, 1], [0, 1]], group_id=5),
        shape("dog", [[2, 0], [3, 0], [3, 1], [2, 1]], group_id=5),
        shape("cat", [[1, 1], [0, 0]], "rectangle", group_id=5),
        shape("_background_", [[2, 0], [3, 2]], "rectangle"),
        shape("__ignore__", [[4, 0], [5, 1]], "rectangle"),
    ]
    data, report = imported(tmp_path, shapes)
    labels, objects = read(data, "a")
    assert classes(data) == ["background", "cat", "dog"]
    assert labels[0] == [1, 0, 0, 0, 255, 0] and objects[0] == [1, 0, 0, 0, 0, 0]
    assert report.dropped["hidden by others"] == 1


def test_later_shapes_lie_over_earlier_ones(tmp_path):
    low, high = [[0, 0], [4, 2]], [[2, 0], [6, 2]]
    data, _ = imported(tmp_path, [shape("b", low, "rectangle"), shape("a", high, "rectangle")])
    assert read(data, "a")[0][0] == [2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("kind", "points", "row"),
    [
        ("circle", [[3, 1.5], [3, 3.1]], [0, 1, 1, 1, 1, 0]),
        ("oriented_rectangle", [[1, 0], [2, 0], [2, 4], [1, 4]], [0, 1, 0, 0, 0, 0]),
        (None, [[1, 0], [2, 0], [2, 4], [1, 4]], [0, 1, 0, 0, 0, 0]),
        ("line", [[-9, 1], [3, 1]], [1, 1, 1, 0, 0, 0]),
        ("linestrip", [[-9, 1], [0, 1], [3, 1]], [1, 1, 1, 0, 0, 0]),
        ("point", [[-1, 1]], [1, 1, 1, 1, 0, 0]),
        ("points", [[1, 1]], [0, 0, 0, 0, 0, 0]),
    ],
)
def test_types_of_shapes(tmp_path, kind, points, row):
    data, _ = imported(tmp_path, [shape("x", points, kind)])
    assert read(data, "a")[0][1] == row


def test_masks_may_leave_the_image(tmp_path):
    mask = encoded(tmp_path, [[1, 1, 1], [0, 1, 1]])
    shapes = [shape("x", [[4.4, -1.3], [6.4, 0.7]], "mask", mask=mask)]
    data, _ = imported(tmp_path, shapes)
    assert read(data, "a")[0][:2] == [[0, 0, 0, 0, 0, 1], [0] * 6]


def test_embedded_photographs_and_wrong_paths(tmp_path):
    source = tmp_path / "source"
    inside = base64.b64encode(images.encode_jpeg(np.zeros((4, 6, 3), np.uint8))).decode()
    write_json(source / "a.json", labelme([], name="a.json", data=inside))
    photograph(source / "b.jpg")
    write_json(source / "b.json", labelme([shape("x", [[0, 0], [1, 1]], "rectangle")], "no.jpg"))
    write_json(source / "c.json", labelme([], "../b.jpg"))
    write_json(source / "d.json", labelme([], "nowhere.jpg"))
    report = import_data(source, tmp_path / "data")
    assert ids(tmp_path / "data") == ("a", "b", "c")
    assert report.splits == {"train": [3, 2, 1]}
    assert report.dropped["images whose photograph is missing"] == 1


def test_a_rotated_photograph_is_turned_upright(tmp_path):
    from PIL import Image

    source = tmp_path / "source"
    source.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 6)).save(source / "a.jpg", exif=exif)
    write_json(source / "a.json", labelme([shape("x", [[5, 3], [6, 4]], "rectangle")], "a.jpg"))
    import_data(source, tmp_path / "data")
    assert read(tmp_path / "data", "a")[0][3] == [0, 0, 0, 0, 0, 1]


def test_labels_txt_orders_the_classes(tmp_path):
    (tmp_path / "source").mkdir()
    text = "__ignore__\n_background_\nzebra\nant\n"
    (tmp_path / "source" / "labels.txt").write_text(text)
    data, _ = imported(tmp_path, [shape("ant", [[0, 0], [1, 1]], "rectangle")])
    assert classes(data) == ["background", "zebra", "ant"] and read(data, "a")[0][0][0] == 2


def test_other_classes_than_the_chosen_are_counted(tmp_path):
    shapes = [shape("x", [[0, 0], [1, 1]], "rectangle"), shape("y", [[0, 0], [1, 1]], "rectangle")]
    _, report = imported(tmp_path, shapes, classes=("background", "y"))
    assert report.dropped["objects of an unknown class"] == 1
    with pytest.raises(UserError, match="the class that `--void` names"):
        imported(tmp_path / "again", shapes, void=("sky",))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (shape("x", [[0, 0], [float("nan"), 1], [1, 1]]), "must be JSON.*NaN"),
        (shape("x", [[0, 0], [1e99, 1], [1, 1]]), "shape 1.*not finite"),
        (shape("x", [[0, 0]], "rectangle"), "shape 1.*a rectangle of 1 points"),
        (shape("x", [[0, 0], [1, 1]], "star"), "shape 1.*'star'"),
        (shape("x", [[0, 0], [1, 1]], "mask"), "shape 1.*without `mask`"),
        (shape("x", [[0, 0], [1, 1]], "mask", mask="!"), "shape 1.*base64"),
        (shape("x", [[0, 0], [1, 1]], "mask", mask="AAAA"), "shape 1.*no PNG"),
        (shape(5, [[0, 0], [1, 1]]), "shape 1.*`label`"),
        ("x", "shape 1"),
    ],
)
def test_mistakes_are_refused_with_their_place(tmp_path, wrong, message):
    with pytest.raises(UserError, match=message) as caught:
        imported(tmp_path, [wrong])
    assert "a.json" in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_a_mask_is_bounded_by_the_photograph(tmp_path):
    mask = encoded(tmp_path, np.zeros((400, 3)))
    with pytest.raises(UserError, match=r"shape 1.*a mask of 3x400 in 6x4"):
        imported(tmp_path, [shape("x", [[0, 0], [1, 1]], "mask", mask=mask)])


def test_damaged_embedded_photographs(tmp_path):
    write_json(tmp_path / "source" / "a.json", labelme([], data="AAAA") | {"imageHeight": None})
    with pytest.raises(UserError, match="1 to 254 different classes"):
        import_data(tmp_path / "source", tmp_path / "data")
    options = Options(classes=("x",))
    with pytest.raises(UserError, match=r"a\.json.*must be an image"):
        import_data(tmp_path / "source", tmp_path / "data", options=options)
