"""CVAT for images: shapes, their order, masks, projects, and what is refused."""

import pytest

from tests.data.importers.drawn import classes, ids, photograph, read
from tfdeconv.data.importers import import_data
from tfdeconv.errors import UserError

LABELS = "<meta><task><labels><label><name>dog</name></label><label><name>cat</name></label>"
HEAD = f"<annotations><version>1.1</version>{LABELS}</labels></task></meta>"


def polygon(label, left, right, **attributes):
    points = f"{left},0;{right},0;{right},2;{left},2"
    return shape("polygon", label, points=points, **attributes)


def shape(kind, label, **attributes):
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f'<{kind} label="{label}" {written}><attribute name="x">dog</attribute></{kind}>'


def imported(tmp_path, *shapes, image='name="a.png" width="6" height="4"', head=HEAD):
    source = tmp_path / "source"
    photograph(source / "images" / "a.png")
    text = f'<?xml version="1.0"?>{head}<image id="0" {image}>{"".join(shapes)}</image>'
    (source / "annotations.xml").write_text(f"{text}</annotations>", "utf-8")
    data = tmp_path / "data"
    return data, import_data(source, data)


def test_z_order_groups_and_classes(tmp_path):
    data, report = imported(
        tmp_path,
        polygon("cat", 0, 3, z_order=2),
        polygon("dog", 2, 6, z_order=1),
        polygon("background", 4, 5, z_order=3),
        polygon("cat", 5, 6, z_order=4, group_id=5),
        polygon("cat", 3, 4, z_order=4, group_id=5),
        shape("tag", "dog"),
        shape("polyline", "dog", points="0,0;1,1"),
        polygon("cat", 8, 9),
    )
    labels, objects = read(data, "a")
    assert classes(data) == ["background", "dog", "cat"]
    assert labels[0] == [2, 2, 2, 2, 0, 2] and objects[0] == [1, 1, 1, 2, 0, 2]
    assert +report.dropped == {
        "shapes without an area": 1,
        "without a pixel": 1,
        "hidden by others": 1,
    }


def test_masks_go_along_the_rows_of_their_box(tmp_path):
    mask = shape("mask", "dog", rle="2, 3, 1", left=4, top=1, width=3, height=2)
    data, _ = imported(tmp_path, mask)
    assert read(data, "a")[0] == [[0] * 6, [0] * 6, [0, 0, 0, 0, 1, 1], [0] * 6]


def test_boxes_and_ellipses_turn_about_their_centres(tmp_path):
    box = shape("box", "dog", xtl=0, ytl=1, xbr=4, ybr=3, rotation=90)
    ellipse = shape("ellipse", "cat", cx=5, cy=2, rx=2, ry=1, rotation=90)
    data, _ = imported(tmp_path, box, ellipse)
    assert read(data, "a")[0][0] == [0, 1, 1, 0, 2, 2]


def test_projects_put_images_into_subsets(tmp_path):
    source = tmp_path / "source"
    for subset in ("Train", "Validation"):
        photograph(source / "images" / subset / "sub" / "a.png")
    images = "".join(
        f'<image id="0" name="sub/a.png" subset="{subset}" width="6" height="4">'
        f"{polygon('dog', 0, 1)}</image>"
        for subset in ("Train", "Validation")
    )
    (source / "annotations.xml").write_text(f"{HEAD}{images}</annotations>")
    import_data(source, tmp_path / "data")
    assert ids(tmp_path / "data") == ("sub_a",) and ids(tmp_path / "data", "val") == ("sub_a_2",)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (shape("mask", "dog", rle="2, 3", left=0, top=0, width=3, height=2), "fill the mask"),
        (shape("mask", "dog", rle="x", left=0, top=0, width=3, height=2), "run lengths"),
        (shape("mask", "dog", rle="1", left=0, top=0, width=99999, height=99999), "fit an image"),
        (shape("polygon", "dog", points="0,0;1"), "x,y;x,y"),
        (shape("polygon", "dog", points="0,0;nan,1;1,1"), "not finite"),
        (shape("box", "dog", xtl=0), "`ytl`"),
        (polygon("dog", 0, 1, z_order="top"), "`z_order`"),
        ("<polygon/>", "`label`"),
        ('<polygon label="dog">', "must be XML"),
        ("&lol;", "must be XML"),
    ],
)
def test_mistakes_are_refused_with_their_place(tmp_path, written, message):
    with pytest.raises(UserError, match=message) as caught:
        imported(tmp_path, written)
    assert "annotations.xml" in str(caught.value) and not (tmp_path / "data").exists()


def test_document_types_and_videos(tmp_path):
    head = f'<!DOCTYPE a [<!ENTITY lol "lol">]>{HEAD}'
    with pytest.raises(UserError, match=r"annotations\.xml`, line 1, must have no document type"):
        imported(tmp_path, head=head)
    with pytest.raises(UserError, match="CVAT for images"):
        imported(tmp_path, head=f'{HEAD}<track id="0" label="dog"></track>')


def test_the_boxes_of_voc_are_named(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation><folder>x</folder></annotation>")
    with pytest.raises(UserError, match="root `annotation`"):
        import_data(tmp_path, tmp_path / "data")
