"""Supervisely: polygons with holes, rectangles, bitmaps, and what is refused."""

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.data.importers.drawn import classes, photograph, read, write_json
from tfdeconv.data.importers import import_data
from tfdeconv.errors import UserError

# The example of the format's documentation, whose mask is a ring that is open on the right.
KNOWN = (
    "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44"
    "cOHAB6DqY0yORgq8YkAZBk9XP5d1TglNANAFGzA="
)


def imported(tmp_path, *objects):
    source = tmp_path / "source"
    photograph(source / "ds" / "img" / "a.png")
    titles = [{"title": name, "shape": "any", "color": "#ff0000"} for name in ("dog", "cat")]
    write_json(source / "meta.json", {"classes": titles, "tags": []})
    value = {"size": {"height": 4, "width": 6}, "tags": [], "objects": list(objects)}
    write_json(source / "ds" / "ann" / "a.png.json", value)
    return tmp_path / "data", import_data(source, tmp_path / "data")


def bitmap(data, left=0, top=0, label="dog"):
    inside = {"origin": [left, top], "data": data}
    return {"classTitle": label, "geometryType": "bitmap", "bitmap": inside}


def shape(kind, exterior, interior=(), label="dog"):
    points = {"exterior": exterior, "interior": list(interior)}
    return {"classTitle": label, "geometryType": kind, "points": points}


def test_polygons_with_holes_and_order(tmp_path):
    whole = shape("polygon", [[0, 0], [5, 0], [5, 4], [0, 4]], [[[1, 1], [4, 1], [4, 3], [1, 3]]])
    corner = shape("rectangle", [[6, 1], [4, 0]], label="cat")
    line = shape("line", [[0, 0], [1, 1]])
    other = shape("polygon", [[0, 0], [1, 0], [1, 1]], label="horse")
    data, report = imported(tmp_path, whole, corner, line, other)
    labels, objects = read(data, "ds_a")
    assert classes(data) == ["background", "dog", "cat"]
    assert labels[:2] == [[1, 1, 1, 1, 2, 2], [1, 0, 0, 0, 1, 0]]
    assert objects[0] == [1, 1, 1, 1, 2, 2]
    assert +report.dropped == {"shapes without an area": 1, "objects of an unknown class": 1}


@pytest.mark.parametrize("mode", ["known", "L", "P", "RGBA", "plain"])
def test_bitmaps(tmp_path, mode):
    mask = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 1]], np.uint8)
    data = KNOWN
    if mode != "known":
        image = Image.fromarray(mask * 255)
        if mode == "P":
            image = Image.fromarray(mask)
            image.putpalette([0, 0, 0, 255, 255, 255])
        elif mode == "RGBA":
            image = Image.merge("RGBA", [Image.new("L", (3, 3), 255)] * 3 + [image])
        file = io.BytesIO()
        image.save(file, "PNG", **({"transparency": 0} if mode == "P" else {}))
        raw = file.getvalue()
        data = base64.b64encode(raw if mode == "plain" else zlib.compress(raw)).decode()
    found, _ = imported(tmp_path, bitmap(data, 4, 1))
    assert read(found, "ds_a")[0] == [
        [0] * 6,
        [0, 0, 0, 0, 1, 1],
        [0] * 4 + [1, 0],
        [0] * 4 + [1] * 2,
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (bitmap("!"), "base64"),
        (bitmap("AAAA"), "neither PNG nor zlib"),
        (bitmap(base64.b64encode(zlib.compress(bytes(10**7))).decode()), "larger than the image"),
        (bitmap(KNOWN[:60]), "cut short"),
        (bitmap(KNOWN, left="x"), "coordinates"),
        ({"classTitle": "dog", "geometryType": "bitmap"}, "without `data`"),
        ({"classTitle": "dog", "geometryType": "polygon"}, "without `points`"),
        (shape("polygon", [[0, 0], [1]]), "pairs of numbers"),
        (shape("rectangle", [[0, 0]]), "1 points"),
        ("x", "a list `objects`"),
    ],
)
def test_mistakes_are_refused_with_their_place(tmp_path, changed, message):
    with pytest.raises(UserError, match=message) as caught:
        imported(tmp_path, changed)
    assert "a.png.json" in str(caught.value) and not (tmp_path / "data").exists()
