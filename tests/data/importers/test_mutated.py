"""Damaged sources: an import, or a refusal that names the file; no crash and no half data set."""

import random
import re
import shutil
import tracemalloc

import numpy as np
import pytest

from tests.data.importers import (
    test_coco,
    test_cvat,
    test_folders,
    test_known_sets,
    test_label_studio,
    test_labelme,
    test_supervisely,
)
from tests.data.importers.drawn import compress, photograph, picture, write_json
from tfdeconv.data.importers import import_data
from tfdeconv.errors import UserError

WORDS = (
    *(b"null", b"-1", b"1e999", b"NaN", b"99999999999999999999", b"4000000000", b"0.5", b"true"),
    *(b"[]", b"{}", b'""', b'"../../x"', b"<!DOCTYPE a>", b"&x;"),
    *(b"\x00", b"\xff", b",", b"]", b"}", b"<", b'"', b"\n"),
)


def coco(source):
    photograph(source / "a.png")
    masks = [compress([4, 3, 1, 1, 15]), [4, 3, 1, 1, 15]]
    annotations = [test_coco.annotation({"size": [4, 6], "counts": counts}) for counts in masks]
    annotations.append(test_coco.annotation([test_coco.SQUARE], iscrowd=1))
    return write_json(source / "x.json", test_coco.coco(annotations))


def labelme(source):
    photograph(source / "a.png")
    mask = test_labelme.encoded(source.parent, [[1, 1, 1], [0, 1, 1]])
    shapes = [
        test_labelme.shape("x", [[0, 0], [1, 1]], "rectangle", group_id=4),
        test_labelme.shape("y", [[3, 1.5], [3, 3.1]], "circle"),
        test_labelme.shape("x", [[0, 0], [2, 1]], "mask", mask=mask),
    ]
    return write_json(source / "a.json", test_labelme.labelme(shapes))


def cvat(source):
    photograph(source / "images" / "a.png")
    shapes = (
        test_cvat.polygon("cat", 0, 3, z_order=2),
        test_cvat.shape("mask", "dog", rle="2, 3, 1", left=4, top=1, width=3, height=2),
        test_cvat.shape("ellipse", "cat", cx=5, cy=2, rx=2, ry=1, rotation=90),
    )
    image = f'<image id="0" name="a.png" width="6" height="4">{"".join(shapes)}</image>'
    path = source / "annotations.xml"
    path.write_text(f'<?xml version="1.0"?>{test_cvat.HEAD}{image}</annotations>')
    return path


def label_studio(source):
    photograph(source / "a.png")
    alpha = np.zeros((4, 6, 4), int)
    alpha[1, 2:5, 3] = 200
    brush = {"format": "rle", "rle": test_label_studio.encode_brush(alpha.ravel())}
    regions = [
        test_label_studio.region("brushlabels", brush),
        test_label_studio.rectangle(0, 0, 50, 50),
        test_label_studio.region("polygonlabels", {"points": [[0, 0], [50, 0], [50, 50]]}),
    ]
    return write_json(source / "project.json", [test_label_studio.task(regions)])


def supervisely(source):
    photograph(source / "ds" / "img" / "a.png")
    write_json(source / "meta.json", {"classes": [{"title": "dog"}], "tags": []})
    objects = [
        test_supervisely.bitmap(test_supervisely.KNOWN, 4, 1),
        test_supervisely.shape("polygon", [[0, 0], [5, 0], [5, 4]], [[[1, 1], [2, 1], [2, 2]]]),
    ]
    value = {"size": {"height": 4, "width": 6}, "objects": objects}
    return write_json(source / "ds" / "ann" / "a.png.json", value)


def colours(source):
    photograph(source / "images" / "a.png")
    picture(source / "masks" / "a.png", np.array([[(0, 0, 0), (0, 128, 0)] * 3] * 4, np.uint8))
    path = source / "class_dict.csv"
    path.write_text("name,r,g,b\ncar,0,128,0\nbackground,0,0,0\n")
    return path


def roboflow(source):
    test_folders.roboflow(source, "train", "a", test_folders.row(0, 1, 1, 0, 2, 0))
    return source / "train" / "_classes.csv"


def mask(source):
    photograph(source / "images" / "a.png")
    return picture(source / "masks" / "a.png", test_folders.row(0, 1, 1, 0, 2, 0))


def panoptic(source):
    test_known_sets.write_panoptic(source, test_known_sets.SEGMENTS, test_known_sets.COLOURS)
    return source / "annotations" / "panoptic_val2017.json"


def run_lengths(source):
    photograph(source / "a.png", 4, 5)
    path = source / "train.csv"
    path.write_text("ImageId,EncodedPixels,ClassId\na.png,6 3 13 1,1\na.png,1 1,2\n")
    return path


def two_columns(source):
    photograph(source / "i" / "a.jpg")
    picture(source / "m" / "a.png", test_folders.row(0, 1, 2, 255, 0, 0))
    path = source / "train.txt"
    path.write_text("/i/a.jpg /m/a.png\n")
    return path


SOURCES = (
    *(coco, labelme, cvat, label_studio, supervisely, colours, roboflow, mask),
    *(panoptic, run_lengths, two_columns),
)


def mutate(data: bytes, choice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(choice.choice([1, 1, 2, 4])):
        at, kind = choice.randrange(len(changed) + 1), choice.random()
        values = list(re.finditer(rb'-?\d+(\.\d+)?|"[^"]*"|null', bytes(changed)))
        if kind < 0.1:
            changed[at : at + 1] = bytes([choice.randrange(256)])
        elif kind < 0.15:
            del changed[at : at + choice.randrange(1, 40)]
        elif kind < 0.2:
            del changed[at:]
        elif kind < 0.3 or not values:
            changed[at:at] = choice.choice(WORDS)
        else:
            found = choice.choice(values)
            changed[found.start() : found.end()] = choice.choice(WORDS)
    return bytes(changed)


def check(tmp_path, make, seed):
    folder, data = tmp_path / "folder" / "source", tmp_path / "data"
    shutil.rmtree(tmp_path / "folder", ignore_errors=True)
    folder.mkdir(parents=True)
    path = make(folder)
    path.write_bytes(mutate(path.read_bytes(), random.Random(f"{make.__name__} {seed}")))
    try:
        import_data(folder, data)
    except UserError as error:
        assert str(folder) in str(error) or str(data) in str(error)
        assert not data.exists()
    else:
        assert (data / "classes.txt").is_file()
        shutil.rmtree(data)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("make", SOURCES)
def test_damaged_sources(tmp_path, make):
    tracemalloc.start()
    for seed in range(12):
        check(tmp_path, make, seed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The images have 24 pixels; what is allocated is that of any import.
    assert peak < 50e6


@pytest.mark.large
@pytest.mark.parametrize("make", SOURCES)
def test_many_damaged_sources(tmp_path, make):
    for seed in range(12, 200):
        check(tmp_path, make, seed)
