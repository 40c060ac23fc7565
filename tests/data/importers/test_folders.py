"""Folders of images and masks: what their values mean, how they are paired, what is refused."""

import numpy as np
import pytest

from tests.data.importers.drawn import classes, ids, photograph, picture, read
from tfdeconv.data.importers import Options, Splitting, import_data
from tfdeconv.errors import UserError
from tfdeconv.labels import encode_png, palette

RED, GREEN, BLACK = (128, 0, 0), (0, 128, 0), (0, 0, 0)


def row(*values):
    """A mask of 4 rows that are alike."""
    return np.array([values] * 4, np.uint8)


def imported(tmp_path, *masks, folder="masks", mode=None, table=None, **options):
    source = tmp_path / "source"
    for number, mask in enumerate(masks):
        photograph(source / "images" / f"{number}.jpg")
        picture(source / folder / f"{number}_mask.png", mask, mode)
    for name, text in (table or {}).items():
        (source / name).write_text(text)
    data = tmp_path / "data"
    return data, import_data(source, data, options=Options(**options))


def first_row(data, image_id="0", split="train"):
    return read(data, image_id, split)[0][0]


@pytest.mark.parametrize("mode", [None, "RGB", "RGBA", "1"])
def test_0_and_255_are_two_classes(tmp_path, mode):
    data, report = imported(tmp_path, row(0, 0, 255, 255, 0, 0), row(0, 0, 0, 0, 0, 0), mode=mode)
    assert first_row(data) == [0, 0, 1, 1, 0, 0] and first_row(data, "1") == [0] * 6
    assert classes(data) == ["background", "foreground"]
    assert report.pixels[255] == 0 and report.splits == {"train": [2, 1, 0]}
    assert read(data, "0")[1] is None


def test_the_class_of_255_is_named(tmp_path):
    data, _ = imported(tmp_path, row(0, 0, 255, 255, 0, 0), classes=("lesion",))
    assert classes(data) == ["background", "lesion"]
    with pytest.raises(UserError, match="0 and 255 in all masks, and 3 classes"):
        imported(tmp_path / "again", row(0, 0, 255, 255, 0, 0), classes=("background", "a", "b"))


def test_the_class_of_255_stands_in_classes_txt(tmp_path):
    table = {"classes.txt": "background\nlesion\n"}
    data, _ = imported(tmp_path, row(0, 0, 255, 255, 0, 0), table=table)
    assert classes(data) == ["background", "lesion"] and first_row(data) == [0, 0, 1, 1, 0, 0]


def test_indices_with_void(tmp_path):
    data, report = imported(tmp_path, row(0, 1, 2, 255, 2, 0), classes=("background", "a", "b"))
    assert first_row(data) == [0, 1, 2, 255, 2, 0] and "255 is void" in report.notes


def test_names_without_the_background_and_other_voids(tmp_path):
    data, _ = imported(tmp_path, row(0, 1, 2, 3, 2, 0), classes=("a", "b", "c"), void=("3",))
    assert first_row(data) == [1, 2, 3, 255, 3, 1]
    data, _ = imported(tmp_path / "2", row(0, 1, 2, 2, 2, 0), classes=("a", "b"))
    assert first_row(data) == [0, 1, 2, 2, 2, 0] and classes(data) == ["background", "a", "b"]


def test_indices_of_palettes_of_any_colour(tmp_path):
    source = tmp_path / "source"
    photograph(source / "images" / "a.png")
    colours = palette()[[0, 2, 1]]
    (source / "masks").mkdir()
    (source / "masks" / "a.png").write_bytes(encode_png(row(0, 1, 2, 2, 1, 0), colours))
    import_data(source, tmp_path / "data", options=Options(classes=("background", "a", "b")))
    assert first_row(tmp_path / "data", "a") == [0, 1, 2, 2, 1, 0]


def test_masks_of_4_and_16_bits(tmp_path):
    source = tmp_path / "source"
    photograph(source / "images" / "a.png")
    photograph(source / "images" / "b.png")
    picture(source / "masks" / "a.png", np.array(row(0, 1, 2, 2, 1, 0), np.uint16))
    from PIL import Image

    image = Image.fromarray(row(0, 1, 2, 2, 1, 0)).convert("P")
    image.putpalette([0, 0, 0, 9, 9, 9, 8, 8, 8])
    image.save(source / "masks" / "b.png", bits=4)
    import_data(source, tmp_path / "data")
    assert first_row(tmp_path / "data", "a") == [0, 1, 2, 2, 1, 0]
    labels = first_row(tmp_path / "data", "b")
    # Converting to a palette keeps the order of the gray values.
    assert labels == [0, 1, 2, 2, 1, 0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\ncar,0,128,0\nBackground,0,0,0\nroad,128,0,0\n"),
        ("class_dict.csv", "r, g, b, name\r\n0,128,0,car\r\n0,0,0,Background\r\n128,0,0,road\r\n"),
        ("labelmap.txt", "# label:color\ncar:0,128,0::\nbackground:0,0,0::\nroad:128,0,0::\n"),
        ("label_colors.txt", "0 128 0\tcar\n0 0 0 \tbackground\n128 0 0\troad\n"),
        (
            "dataset_meta.json",
            '{"label_map": {"0": "car", "1": "background", "2": "road"}, '
            '"segmentation_colors": [[0, 128, 0], [0, 0, 0], [128, 0, 0]]}',
        ),
    ],
)
def test_colours(tmp_path, name, text):
    mask = np.array([[BLACK, RED, GREEN, GREEN, RED, BLACK]] * 4, np.uint8)
    gray = np.zeros((4, 6), np.uint8)
    data, report = imported(tmp_path, mask, gray, table={name: text})
    assert classes(data) == ["background", "car", "road"]
    assert first_row(data) == [0, 2, 1, 1, 2, 0] and report.splits["train"] == [2, 1, 0]


def test_colours_without_a_list_or_not_in_it(tmp_path):
    mask = np.array([[BLACK, RED, GREEN, GREEN, RED, BLACK]] * 4, np.uint8)
    with pytest.raises(UserError, match=r"#000000, #008000, #800000.*class_dict\.csv"):
        imported(tmp_path, mask)
    table = {"class_dict.csv": "name,r,g,b\nbackground,0,0,0\ncar,0,128,0\n"}
    with pytest.raises(UserError, match=r"0_mask\.png.*#800000 in row 0, column 1"):
        imported(tmp_path, mask, table=table)
    table = {"class_dict.csv": "name,r,g,b\nbackground,0,0,0\ncar,0,128\n"}
    with pytest.raises(UserError, match=r"class_dict\.csv`, line 3"):
        imported(tmp_path, mask, table=table)


def test_void_among_colours(tmp_path):
    mask = np.array([[BLACK, RED, GREEN, GREEN, RED, BLACK]] * 4, np.uint8)
    table = {"class_dict.csv": "name,r,g,b\nVoid,0,0,0\nroad,128,0,0\ncar,0,128,0\n"}
    data, _ = imported(tmp_path, mask, table=table)
    assert first_row(data) == [255, 1, 2, 2, 1, 255]
    data, _ = imported(tmp_path / "2", mask, table=table, void=("road",))
    assert first_row(data) == [255, 255, 1, 1, 255, 255]


def test_black_and_white_in_a_list_of_colours(tmp_path):
    table = {"class_dict.csv": "name,r,g,b\nlesion,255,255,255\nskin,0,0,0\n"}
    data, _ = imported(tmp_path, row(0, 0, 255, 255, 0, 0), mode="RGB", table=table)
    assert classes(data) == ["background", "lesion", "skin"]
    assert first_row(data) == [2, 2, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (row(0, 85, 170, 254, 0, 0), "class numbers from 0.*85, 170, 254"),
        (np.arange(24 * 24, dtype=np.uint16).reshape(24, 24), "at most 256"),
        (row(0, 0, 255, 255, 0, 0)[:3], "as large as.*6x4.*6x3"),
    ],
)
def test_masks_that_are_none(tmp_path, mask, message):
    with pytest.raises(UserError, match=message) as caught:
        imported(tmp_path, mask)
    assert "0_mask.png" in str(caught.value) and not (tmp_path / "data").exists()


def test_more_labels_than_names_and_jpeg_masks(tmp_path):
    with pytest.raises(UserError, match=r"0_mask\.png.*0 to 1.*Received: 4"):
        imported(tmp_path, row(0, 1, 4, 2, 0, 0), classes=("background", "a"))
    picture(tmp_path / "source" / "masks" / "0_mask.png", row(0, 0, 0, 0, 0, 0)).rename(
        tmp_path / "x"
    )
    picture(tmp_path / "source" / "masks" / "0_mask.jpg", row(0, 0, 255, 255, 0, 0))
    with pytest.raises(UserError, match=r"0_mask\.jpg.*Received: JPEG"):
        import_data(tmp_path / "source", tmp_path / "data")


def test_pairs_in_folders_of_splits(tmp_path):
    source = tmp_path / "source"
    for split in ("train", "validation"):
        photograph(source / split / "images" / "a.jpg")
        picture(source / split / "masks" / "a.png", row(0, 1, 1, 0, 0, 0))
        photograph(source / "Images" / split / "b.JPG")
        picture(source / "labels" / split / "b.png", row(0, 1, 1, 0, 0, 0))
    photograph(source / "images" / "alone.png")
    picture(source / "masks" / "lonely.png", row(0, 1, 1, 0, 0, 0))
    report = import_data(source, tmp_path / "data")
    assert ids(tmp_path / "data") == ("b", "a")
    assert ids(tmp_path / "data", "val") == ("b_2", "a_2")
    assert report.dropped == {"images without a mask": 1, "masks without an image": 1}


def test_one_mask_for_two_images(tmp_path):
    photograph(tmp_path / "source" / "images" / "0.png")
    with pytest.raises(UserError, match=r"0\.jpg, images/0\.png|0\.png, images/0\.jpg"):
        imported(tmp_path, row(0, 0, 255, 255, 0, 0))


def test_photographs_elsewhere(tmp_path):
    picture(tmp_path / "source" / "masks" / "a.png", row(0, 1, 1, 0, 0, 0))
    photograph(tmp_path / "photos" / "a.jpg")
    with pytest.raises(UserError, match="must be an export of an annotation tool"):
        import_data(tmp_path / "source", tmp_path / "data")
    import_data(tmp_path / "source", tmp_path / "data", images=tmp_path / "photos")
    assert ids(tmp_path / "data") == ("a",)


def roboflow(source, split, name, mask, listed="Pixel Value, Class\n0, background\n1, dog\n2, cat"):
    photograph(source / split / f"{name}.jpg")
    picture(source / split / f"{name}_mask.png", mask)
    (source / split / "_classes.csv").write_text(listed)


def test_roboflow(tmp_path):
    source = tmp_path / "source"
    names = [f"a_jpg.rf.{'0' * 31}{copy}" for copy in range(2)] + [f"b_jpg.rf.{'0' * 32}"]
    for name in names:
        roboflow(source, "train", name, row(0, 1, 1, 0, 2, 0))
    import_data(source, tmp_path / "data", splitting=Splitting(val=0.5))
    assert classes(tmp_path / "data") == ["background", "dog", "cat"]
    assert first_row(tmp_path / "data", names[2], "val") == [0, 1, 1, 0, 2, 0] or first_row(
        tmp_path / "data", names[2]
    ) == [0, 1, 1, 0, 2, 0]
    # Copies of one photograph stay together.
    in_val = {name[:5] for name in ids(tmp_path / "data", "val")}
    assert not in_val & {name[:5] for name in ids(tmp_path / "data")}


def test_roboflow_lists_that_differ_or_are_of_another_kind(tmp_path):
    source = tmp_path / "source"
    roboflow(source, "train", "a", row(0, 1, 1, 0, 0, 0))
    roboflow(source, "valid", "b", row(0, 1, 1, 0, 0, 0), "Pixel Value, Class\n0, x\n1, y")
    with pytest.raises(UserError, match="the same classes"):
        import_data(source, tmp_path / "data")
    roboflow(source, "valid", "b", row(0, 1, 1, 0, 0, 0), "filename, dog, cat\nb.jpg, 1, 0")
    import_data(source, tmp_path / "data")
    assert ids(tmp_path / "data", "val") == ("b",)


def cvat_masks(source, labels, objects, listed):
    photograph(source / "JPEGImages" / "a.jpg")
    picture(source / "SegmentationClass" / "a.png", labels)
    picture(source / "SegmentationObject" / "a.png", objects)
    (source / "ImageSets" / "Segmentation").mkdir(parents=True)
    (source / "ImageSets" / "Segmentation" / "default.txt").write_text("a\n")
    (source / "labelmap.txt").write_text(listed)


def test_masks_of_cvat(tmp_path):
    labels = np.array([[BLACK, RED, RED, GREEN, BLACK, BLACK]] * 4, np.uint8)
    objects = np.array([[BLACK, RED, GREEN, (128, 128, 0), BLACK, BLACK]] * 4, np.uint8)
    listed = "# label:color_rgb:parts:actions\ncar:0,128,0::\nbackground:0,0,0::\nroad:128,0,0::\n"
    cvat_masks(tmp_path / "source", labels, objects, listed)
    report = import_data(tmp_path / "source", tmp_path / "data")
    read_labels, read_objects = read(tmp_path / "data", "a")
    assert classes(tmp_path / "data") == ["background", "car", "road"]
    assert read_labels[0] == [0, 2, 2, 1, 0, 0] and read_objects[0] == [0, 1, 2, 3, 0, 0]
    assert report.splits == {"train": [1, 0, 3]} and not +report.dropped


def test_indices_of_cvat_count_the_lines(tmp_path):
    mask = row(1, 2, 2, 0, 1, 1)
    listed = "car:0,128,0::\nbackground:0,0,0::\nroad:128,0,0::\n"
    cvat_masks(tmp_path / "source", mask, row(0, 4, 9, 9, 0, 0), listed)
    import_data(tmp_path / "source", tmp_path / "data")
    labels, objects = read(tmp_path / "data", "a")
    assert labels[0] == [0, 2, 2, 1, 0, 0] and objects[0] == [0, 1, 2, 2, 0, 0]


def test_voc_export_of_labelme(tmp_path):
    source = tmp_path / "source"
    photograph(source / "JPEGImages" / "a.jpg")
    for folder, mask in (("Class", row(0, 2, 2, 255, 1, 0)), ("Object", row(0, 5, 7, 255, 9, 0))):
        (source / f"Segmentation{folder}").mkdir()
        (source / f"Segmentation{folder}" / "a.png").write_bytes(encode_png(mask))
    (source / "class_names.txt").write_text("_background_\ndog\ncat\n")
    import_data(source, tmp_path / "data")
    labels, objects = read(tmp_path / "data", "a")
    assert labels[0] == [0, 2, 2, 255, 1, 0] and objects[0] == [0, 1, 2, 0, 3, 0]
    assert classes(tmp_path / "data") == ["background", "dog", "cat"]


def test_one_mask_an_object(tmp_path):
    source = tmp_path / "source" / "stage1_train"
    for name in ("x", "y"):
        photograph(source / name / "images" / f"{name}.png")
        picture(source / name / "masks" / "1.png", row(0, 255, 255, 0, 0, 0))
        picture(source / name / "masks" / "2.png", row(0, 0, 255, 255, 0, 0), "RGBA")
    report = import_data(tmp_path / "source", tmp_path / "data")
    labels, objects = read(tmp_path / "data", "x")
    assert labels[0] == [0, 1, 1, 1, 0, 0] and objects[0] == [0, 1, 2, 2, 0, 0]
    assert classes(tmp_path / "data") == ["background", "object"]
    assert report.splits == {"train": [2, 0, 4]}
    picture(source / "y" / "masks" / "2.png", row(0, 255, 255)[:2])
    with pytest.raises(UserError, match=r"masks/2\.png.*6x4.*3x2"):
        import_data(tmp_path / "source", tmp_path / "again", options=Options(classes=("nucleus",)))
