"""Windows that cover whole images, and how large networks see them."""

import numpy as np
import pytest

from tests.data.small import CLASSES, write_image, write_list
from tfdeconv.data import pipeline
from tfdeconv.data.voc import Split, read_split
from tfdeconv.data.whole_images import (
    LONGEST_SIDE,
    centred_windows,
    fill_outside,
    image_windows,
    limited_size,
)
from tfdeconv.errors import UserError
from tfdeconv.layers import Preprocess


@pytest.fixture
def split_of(tmp_path):
    def make(*sizes: tuple[int, int]) -> Split:
        generator = np.random.default_rng(0)
        names = []
        for number, size in enumerate(sizes):
            names.append(f"image{number}")
            image = generator.integers(0, 256, (*size, 3)).astype(np.uint8)
            labels = generator.integers(0, len(CLASSES), size).astype(np.uint8)
            write_image(tmp_path, names[-1], image, labels)
        write_list(tmp_path, "train", names)
        (tmp_path / "classes.txt").write_text("\n".join(CLASSES) + "\n")
        return read_split(tmp_path, "train")

    return make


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((1, 1), (1, 1)),
        ((500, 500), (500, 500)),
        ((500, 501), (499, 500)),
        ((333, 1000), (166, 500)),
        ((1, 9000), (1, 500)),
    ],
)
def test_nothing_is_seen_larger_than_500_pixels(size, seen) -> None:
    assert tuple(limited_size(size).numpy()) == seen and LONGEST_SIDE == 500
    assert tuple(limited_size(size[::-1]).numpy()) == seen[::-1]


def test_an_image_that_fits_stands_in_the_middle(split_of) -> None:
    windows = image_windows(split_of((20, 30), (31, 7)), side=40)
    assert windows.box.tolist() == [[-10, -5, 30, 35], [-5, -17, 35, 23]]
    assert windows.image.tolist() == [0, 1]
    assert not windows.object_id.any() and not windows.label.any()


def test_a_larger_image_is_covered_evenly(split_of) -> None:
    windows = image_windows(split_of((20, 50)), side=20)
    assert windows.box.tolist() == [[0, 0, 20, 20], [0, 15, 20, 35], [0, 30, 20, 50]]
    # With a margin the border may come as near to the middle of a window as the rest.
    windows = image_windows(split_of((20, 38)), side=22, margin=1)
    assert windows.box.tolist() == [[-1, -1, 21, 21], [-1, 17, 21, 39]]


def test_windows_of_a_shrunken_image_are_larger(split_of) -> None:
    windows = image_windows(split_of((300, 1000)), side=400, margin=10)
    assert windows.box.tolist() == [[-250, -20, 550, 780], [-250, 220, 550, 1020]]


def test_windows_about_objects_have_the_size_that_the_network_sees(tmp_path) -> None:
    classes = np.zeros((20, 30), np.uint8)
    classes[4:8, 10:20], classes[15:18, 0:1] = 2, 3
    classes[0, 0] = 255
    image = np.zeros((20, 30, 3), np.uint8)
    write_image(tmp_path, "small", image, classes)
    # Twice as large as networks see it; the objects are those of its instance map.
    large = np.zeros((500, 1000), np.uint8)
    large[100:200, 100:200] = 1
    write_image(tmp_path, "large", np.zeros((500, 1000, 3), np.uint8), large, large)
    write_image(tmp_path, "empty", image, np.zeros_like(classes))
    write_list(tmp_path, "train", ["small", "large", "empty"])
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    split = read_split(tmp_path, "train")
    windows = centred_windows(split, 10)
    assert windows.box.tolist() == [[1, 10, 11, 20], [11, -5, 21, 5], [140, 140, 160, 160]]
    assert windows.image.tolist() == [0, 0, 1] and windows.label.tolist() == [2, 3, 1]
    assert not windows.object_id.any()
    write_list(tmp_path, "train", ["empty"])
    with pytest.raises(UserError, match="must have objects for windows around them"):
        centred_windows(read_split(tmp_path, "train"), 10)


@pytest.mark.parametrize("side", [1, 7, 16, 500])
def test_every_pixel_is_in_a_window_and_every_window_shows_some(split_of, side: int) -> None:
    sizes = [(33, 20), (1, 1), (16, 17)]
    split = split_of(*sizes)
    windows = image_windows(split, side)
    for index, size in enumerate(sizes):
        count = np.zeros(size, int)
        for top, left, bottom, right in windows.box[windows.image == index]:
            assert bottom - top == right - left == side
            part = count[max(top, 0) : bottom, max(left, 0) : right]
            assert part.size
            part += 1
        assert count.min() >= 1 and count.max() <= 4


def test_the_pipeline_leaves_pixels_as_they_are(split_of) -> None:
    split = split_of((20, 30))
    windows = image_windows(split, side=32)
    ((image, labels),) = pipeline.validation_dataset(split, windows, batch_size=1, input_size=32)
    from tfdeconv import images

    inside = np.s_[0, 6:26, 1:31]
    np.testing.assert_array_equal(
        image.numpy()[inside], images.read_image(split.image_path("image0"))
    )
    np.testing.assert_array_equal(
        labels.numpy()[inside], images.read_labels(split.label_path("image0"))
    )
    assert (labels.numpy() == 255).sum() == 32 * 32 - 20 * 30


def test_what_is_outside_gets_the_mean_colour() -> None:
    labels = np.array([[[255, 255, 0, 3]]], np.uint8)
    images = np.array([[[[0, 0, 0], [0, 1, 0], [0, 0, 0], [7, 8, 9]]]], np.uint8)
    filled, kept = fill_outside(images, labels)
    assert filled.dtype == np.uint8
    assert filled.numpy().tolist() == [[[[123, 117, 104], [0, 1, 0], [0, 0, 0], [7, 8, 9]]]]
    np.testing.assert_array_equal(kept, labels)
    # Next to nothing is left of it when the network has subtracted its mean.
    assert np.abs(Preprocess()(filled).numpy()[0, 0, 0]).max() < 0.5


def test_a_missing_photograph_is_named(split_of) -> None:
    split = split_of((20, 30))
    split.image_path("image0").unlink()
    with pytest.raises(UserError, match=r"image0.jpg` must exist"):
        image_windows(split, 10)
