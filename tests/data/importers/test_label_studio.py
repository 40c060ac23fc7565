"""Label Studio: per cents, rotation, brushes, tasks, and what is refused."""

import itertools

import numpy as np
import pytest

from tests.data.importers.drawn import classes, ids, photograph, read, write_json
from tfdeconv.data.importers import import_data
from tfdeconv.data.importers.label_studio import decode_brush
from tfdeconv.errors import UserError


def region(kind, value, label="dog", **others):
    return {
        "id": "r1",
        "type": kind,
        "value": {kind: [label], **value},
        "original_width": 6,
        "original_height": 4,
        "image_rotation": 0,
        **others,
    }


def rectangle(x, y, width, height, label="dog", **others):
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, **others}
    return region("rectanglelabels", value, label)


def task(regions, image="/data/upload/1/0123abcd-a.png", **others):
    annotations = [{"id": 2, "was_cancelled": False, "result": regions}]
    return {"id": 17, "data": {"image": image}, "annotations": annotations, **others}


def imported(tmp_path, tasks):
    photograph(tmp_path / "source" / "images" / "a.png")
    write_json(tmp_path / "source" / "project.json", tasks)
    return tmp_path / "data", import_data(tmp_path / "source", tmp_path / "data")


def encode_brush(values, word=8, sizes=(3, 4, 8, 16)) -> list[int]:
    """Label Studio's run lengths; a run for each stretch of equal values."""
    bits = f"{len(values):032b}{word - 1:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    borders = [0, *(np.flatnonzero(np.diff(values)) + 1), len(values)]
    for start, end in itertools.pairwise(borders):
        size = next(i for i, size in enumerate(sizes) if end - start <= 1 << size)
        bits += f"1{size:02b}{end - start - 1:0{sizes[size]}b}{values[start]:0{word}b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def test_polygons_and_rectangles_in_per_cent(tmp_path):
    points = [[0, 0], [50, 0], [50, 50], [0, 50]]
    regions = [
        region("polygonlabels", {"points": points}, "cat"),
        rectangle(100 / 3, 0, 100 / 3, 25),
        # Its corner is the one after the rotation, which is of pixels and not of per cents.
        rectangle(100, 0, 50, 100 / 6, rotation=90),
        region("keypointlabels", {"x": 1, "y": 1}),
        {"id": "c", "type": "choices", "value": {"choices": ["x"]}},
    ]
    data, report = imported(tmp_path, [task(regions)])
    labels, _ = read(data, "a")
    assert classes(data) == ["background", "cat", "dog"]
    assert labels == [[1, 1, 2, 2, 0, 2], [1, 1, 1, 0, 0, 2], [0, 0, 0, 0, 0, 2], [0] * 6]
    assert report.dropped["regions without an area or a class"] == 2


def test_ellipses_and_brushes(tmp_path):
    alpha = np.zeros((4, 6, 4), int)
    alpha[1, 2:5, 3] = 200
    brush = {"format": "rle", "rle": encode_brush(alpha.ravel())}
    ellipse = {"x": 50, "y": 50, "radiusX": 50, "radiusY": 50, "rotation": 0}
    regions = [region("ellipselabels", ellipse, "cat"), region("brushlabels", brush)]
    data, _ = imported(tmp_path, [task(regions)])
    labels, objects = read(data, "a")
    assert labels == [
        [0, 1, 1, 1, 1, 0],
        [1, 1, 2, 2, 2, 1],
        [1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 0],
    ]
    assert objects[1] == [1, 1, 2, 2, 2, 1]


def test_the_known_vector_of_a_brush():
    data = [0, 0, 0, 18, 57, 27, 252, 96, 32, 1, 0, 6, 0, 40, 0, 192, 3, 128, 17, 56, 32]
    expected = [1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 4, 4, 4, 4, 4, 4, 4, 4]
    assert decode_brush(data, 18).tolist() == expected
    for length in range(len(data)):
        with pytest.raises(ValueError, match="brush"):
            decode_brush(data[:length], 18)


@pytest.mark.parametrize(
    "image",
    [
        "a.png",
        "s3://bucket/folder/a.png",
        "/data/local-files/?d=folder/a.png",
        "https://host/x/a.png?token=1",
        "\\upload\\0123abcd-a.png",
    ],
)
def test_names_of_photographs(tmp_path, image):
    data, _ = imported(tmp_path, [task([rectangle(0, 0, 50, 50)], image)])
    assert ids(data) == ("a",)


def test_cancelled_annotations_do_not_count(tmp_path):
    value = task([rectangle(0, 0, 50, 50)])
    value["annotations"].insert(0, {"was_cancelled": True, "result": [rectangle(0, 0, 1, 1, "x")]})
    data, _ = imported(tmp_path, [value])
    assert classes(data) == ["background", "dog"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (region("brushlabels", {"format": "rle", "rle": [0, 0, 0, 1, 0, 0, 0, 0]}), "1 values"),
        (region("brushlabels", {"format": "rle", "rle": [999]}), "list of bytes"),
        (region("brushlabels", {"format": "rle"}), "list of bytes"),
        (region("brushlabels", {"format": "png"}), "'png'"),
        (region("polygonlabels", {"points": [[1], [2]]}), "pairs of numbers"),
        (rectangle(0, 0, None, 5), "finite"),
        (rectangle(0, 0, 50, 50) | {"image_rotation": 90}, "not rotated"),
        (rectangle(0, 0, 50, 50) | {"original_width": None}, "`original_width`"),
        (rectangle(0, 0, 50, 50) | {"original_width": 60}, "60x4"),
        ("x", "objects with `value`"),
    ],
)
def test_mistakes_are_refused_with_their_place(tmp_path, changed, message):
    with pytest.raises(UserError, match=message) as caught:
        imported(tmp_path, [task([changed])])
    assert "project.json" in str(caught.value) and "task 17" in str(caught.value)
