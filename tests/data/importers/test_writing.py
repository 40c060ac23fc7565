"""Writing a data set: whole or nothing, going on when interrupted, names, splits, photographs."""

import os
import shutil

import numpy as np
import pytest

from tests.data.importers.drawn import ids, photograph, picture, read
from tfdeconv import images
from tfdeconv.data.check import check_split
from tfdeconv.data.importers import Splitting, import_data, painting, writing
from tfdeconv.data.importers.sources import Options, Sample, Source
from tfdeconv.data.voc import read_split, split_names
from tfdeconv.errors import UserError


def box(height, width):
    return painting.paint(
        [painting.Shape(1, painting.fill([painting.rectangle(0, 0, 3, 3)], height, width))],
        height,
        width,
    )


def source(tmp_path, names, draw=box, split=None):
    samples = []
    for name in names:
        path = photograph(tmp_path / "photos" / name)
        samples.append(Sample(name, path, draw, f"`{name}`", split))
    return Source(("background", "thing"), samples, len(samples), why="drawn")


def write(tmp_path, opened, splitting=None, **others):
    data = tmp_path / "data"
    report = writing.write_data_set(opened, data, Options(), splitting or Splitting(), **others)
    return data, report


def test_what_is_written_passes_the_check(tmp_path):
    data, report = write(tmp_path, source(tmp_path, ["a.png", "b.jpg"]))
    found = check_split(read_split(data))
    assert found.problems == [] and found.objects == 2
    assert np.array_equal(found.pixels, report.pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "photos"]
    assert sorted(path.name for path in data.iterdir()) == [
        "ImageSets",
        "JPEGImages",
        "SegmentationClass",
        "SegmentationObject",
        "classes.txt",
    ]


def test_only_a_new_or_empty_folder_is_written(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path, source(tmp_path, ["a.png"]))
    with pytest.raises(UserError, match="new folder or an empty one"):
        write(tmp_path, source(tmp_path, ["a.png"]))
    for other in (".", "photos"):
        with pytest.raises(UserError, match="must not contain the source"):
            import_data(tmp_path / "photos", tmp_path / other)


def test_an_error_leaves_nothing(tmp_path):
    def draw(height, width):
        raise UserError("the annotation is wrong")

    with pytest.raises(UserError, match="the annotation is wrong"):
        write(tmp_path, source(tmp_path, ["a.png", "b.png"], draw))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_an_interrupted_import_goes_on(tmp_path):
    drawn = []

    def draw(stop):
        def drawing(height, width):
            drawn.append(0)
            if stop and len(drawn) > 30:
                raise KeyboardInterrupt
            return box(height, width)

        return drawing

    names = [f"{number:02}.png" for number in range(60)]
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, source(tmp_path, names, draw(True)))
    assert not (tmp_path / "data").exists()
    journal = tmp_path / ".data.importing" / "import.jsonl"
    finished = len(journal.read_text().splitlines()) - 1
    assert finished > 5
    journal.write_text(journal.read_text()[:-9])
    # Photographs are written anew by the second source; one of them has another size now.
    opened = source(tmp_path, [], draw(False))
    for number, name in enumerate(names):
        path = tmp_path / "photos" / name
        if number == 2:
            os.utime(path, (1, 1))
        opened.samples.append(Sample(name, path, draw(False), name))
    drawn.clear()
    data, report = write(tmp_path, opened)
    assert len(drawn) == 60 - finished + 2
    assert report.splits == {"train": [60, 0, 60]} and len(ids(data)) == 60
    assert not (data / "import.jsonl").exists()


def test_other_options_begin_anew(tmp_path):
    write(tmp_path, source(tmp_path, ["a.png"]))
    (tmp_path / "data").rename(tmp_path / ".data.importing")
    (tmp_path / ".data.importing" / "import.jsonl").write_text('other\n{"id": "a", "stamp": "x"}\n')
    (tmp_path / ".data.importing" / "JPEGImages" / "old.png").touch()
    data, _ = write(tmp_path, source(tmp_path, ["a.png"]))
    assert [path.name for path in (data / "JPEGImages").iterdir()] == ["a.png"]


def test_names_become_ids(tmp_path):
    long = "x" * 240
    names = [
        "a.jpg",
        "sub/a.png",
        "A.png",
        "a.b.jpg",
        f"{long}.png",
        "cafe\u0301.png",
        "n\u00a0m.png",
    ]
    data, _ = write(tmp_path, source(tmp_path, names))
    found = ids(data)
    assert found[:4] == ("a", "sub_a", "A_2", "a.b")
    assert len(found[4]) == 200 and found[5:] == ("caf\u00e9", "n_m")
    for image_id in found:
        assert read(data, image_id)[0][0][:4] == [1, 1, 1, 0]


def test_splits(tmp_path):
    names = [f"{number}.png" for number in range(10)]
    data, report = write(tmp_path, source(tmp_path, names), Splitting(val=0.2))
    assert len(ids(data, "val")) == 2 and len(ids(data)) == 8
    assert not set(ids(data, "val")) & set(ids(data))
    in_val = ids(data, "val")
    shutil.rmtree(data)
    data, _ = write(tmp_path, source(tmp_path, names), Splitting(val=0.2))
    assert ids(data, "val") == in_val
    shutil.rmtree(data)
    data, report = write(tmp_path, source(tmp_path, names, split="val"), Splitting(only="test"))
    assert split_names(data) == ("test",) and report.splits == {"test": [10, 0, 10]}
    shutil.rmtree(data)
    with pytest.raises(UserError, match="`--val` cannot be used"):
        write(tmp_path, source(tmp_path, names, split="val"), Splitting(val=0.2))


def test_photographs_that_must_be_converted(tmp_path):
    opened = source(tmp_path, ["plain.jpg"])
    for name in ("a.bmp", "b.webp", "c.tiff", "d.gif"):
        path = picture(tmp_path / "photos" / name, np.full((4, 6, 3), 90, np.uint8))
        opened.samples.append(Sample(name, path, box, name))
    data, _ = write(tmp_path, opened)
    found = sorted(path.name for path in (data / "JPEGImages").iterdir())
    assert found == ["a.png", "b.png", "c.png", "d.png", "plain.jpg"]
    assert images.read_image(data / "JPEGImages" / "a.png").tolist() == [[[90] * 3] * 6] * 4
    original = (tmp_path / "photos" / "plain.jpg").read_bytes()
    assert (data / "JPEGImages" / "plain.jpg").read_bytes() == original


def test_links_in_place_of_copies(tmp_path):
    data, _ = write(tmp_path, source(tmp_path, ["a.png"]), link=True)
    assert (data / "JPEGImages" / "a.png").samefile(tmp_path / "photos" / "a.png")


def test_the_report_says_everything(tmp_path):
    _, report = write(tmp_path, source(tmp_path, ["a.png", "b.jpg"]))
    assert report.lines() == [
        "format: drawn",
        "classes: 0 background (62.5 %), 1 thing (37.5 %)",
        "train: 2 images, 0 without annotations, 2 instances",
        "dropped: nothing",
        "void: 0.0 % of the pixels",
        "note: all images are in `train`; `--val 0.2` puts a fifth into `val`",
    ]
