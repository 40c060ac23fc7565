"""The command `visualize`: both kinds of picture, and what must not happen."""

import argparse
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.layers_helpers import switch_network
from tests.segmentation.networks import colour_network, open_network, painted
from tfdeconv import boxes, images
from tfdeconv.cli import visualize
from tfdeconv.data.crops import enlarge_to_square
from tfdeconv.errors import UserError
from tfdeconv.layers import MaxPoolWithArgmax
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.visual.regions import by_size, draw_aggregation

NAMES = ("ground", "red", "green")


def parse(*words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    visualize.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def run(*words) -> None:
    visualize.run(parse(*words))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Networks with unpooling and without, for any size and for large images, and a photograph."""
    root = tmp_path_factory.mktemp("visualize")
    keras.utils.set_random_seed(0)
    switch_network((16, 16, 3), NAMES).save(root / "unpooling.keras")
    colour_network().save(root / "colours.keras")
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(3, 3, strides=2, padding="same")(inputs)
    x = keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same", name="upscore")(x)
    keras.Model(inputs, x, name="fcn").save(root / "fcn.keras")
    pooled, _ = MaxPoolWithArgmax(2)(inputs)
    keras.Model(inputs, keras.layers.Conv2D(3, 20)(pooled), name="deep").save(root / "deep.keras")
    colour_network(class_names=("ground", "green", "red")).save(root / "renamed.keras")
    inputs = keras.Input((16, 16, 1))
    keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs)).save(root / "heights.keras")
    (root / "photo.png").write_bytes(images.encode_png(painted(30, 44)[0]))
    return root


def test_activations(folder, tmp_path, capsys) -> None:
    out = tmp_path / "new" / "figure.png"
    run(folder / "unpooling.keras", folder / "photo.png", "--out", out)
    whole = images.read_image(out)
    # The input, the maps before two unpoolings and the last one above; what became of them below.
    assert whole.shape == (8 + 2 * 274 + 44, 8 + 4 * 232, 3)
    said = capsys.readouterr().out
    assert said in [f"{out}: 2 steps of the decoder for '{name}'\n" for name in NAMES[1:]]
    run(folder / "unpooling.keras", folder / "photo.png", "--out", out, "--box", "5,5,15,22")
    assert (images.read_image(out)[50:274, 8:232] != whole[50:274, 8:232]).any()


def test_the_object_is_shown_with_the_margin_that_the_network_sees() -> None:
    image = painted(30, 44)[0]
    crop, inside = visualize.network_input(colour_network(12), image, (5, 5.4, 15, 15.4))
    region = enlarge_to_square([[5, 5.4, 15, 15.4]]).numpy()[0]
    assert (region[2:] - region[:2] == 12).all()
    top, left, bottom, right = region
    np.testing.assert_array_equal(crop, image[top:bottom, left:right])
    assert (np.argwhere(inside > 0).min(0) == 1).all() and inside.sum() == 100


def test_the_margin_of_the_whole_image_is_not_inside() -> None:
    crop, inside = visualize.network_input(colour_network(48), np.full((20, 40, 3), 9, np.uint8))
    assert crop.shape == (48, 48, 3) and (crop[inside == 1] == 9).all()
    assert inside.sum() == 20 * 40 and not crop[inside == 0].any()


def test_a_network_for_any_size_is_shown_the_whole_image_whatever_the_box() -> None:
    image = painted(30, 44)[0]
    picture, inside = visualize.network_input(open_network(16), image, (5, 6, 15, 26))
    assert picture.shape == (32, 48, 3) and inside.shape == (32, 48)
    np.testing.assert_array_equal(picture[:30, :44], image)
    assert (picture[30:] == [123, 117, 104]).all() and inside.sum() == 10 * 20


def test_another_network_beside(folder, tmp_path, capsys) -> None:
    out = tmp_path / "figure.png"
    words = (folder / "unpooling.keras", folder / "photo.png", "--out", out)
    run(*words, "--compare", folder / "fcn.keras")
    assert images.read_image(out).shape == (8 + 4 * 274 + 44, 8 + 4 * 232, 3)
    assert ": 3 steps of the decoder for" in capsys.readouterr().out


@pytest.mark.parametrize("aggregate", ["max", "mean"])
def test_aggregation_ends_with_what_the_segmenter_finds(
    folder, tmp_path, capsys, aggregate
) -> None:
    out = tmp_path / "figure.png"
    words = (folder / "colours.keras", folder / "photo.png", "--out", out, "--aggregation")
    run(*words, "--proposals", "grid", "--boxes", 12, "--aggregate", aggregate)
    assert capsys.readouterr().out == f"{out}: 4 steps, up to 13 regions\n"
    image = images.read_image(folder / "photo.png")
    model = keras.saving.load_model(folder / "colours.keras")
    segmenter = Segmenter(model, boxes=12, proposals="grid", aggregate=aggregate)
    regions = by_size(segmenter.regions(image))
    expected = draw_aggregation(image, regions, {13: segmenter.segment(image)})
    # The labels of the last of four panels; in the boxes above them, other ones are new.
    below = slice(8 + 42 + 205 + 8, 8 + 42 + 205 + 8 + 205)
    drawn = images.read_image(out)[below, 8 + 3 * 308 : 3 * 308 + 308]
    np.testing.assert_array_equal(drawn, expected[below, 8:308])


def test_proposals_of_a_file(folder, tmp_path, capsys) -> None:
    found = np.array([[3, 3, 20, 20], [0, 0, 30, 30]], np.float32)
    boxes.save(tmp_path / "found.npz", {"photo": boxes.Proposals(found, np.ones(2, "f4"))}, {})
    words = ("--out", tmp_path / "a.png", "--aggregation", "--proposals", tmp_path / "found.npz")
    run(folder / "colours.keras", folder / "photo.png", *words)
    assert "2 steps, up to 3 regions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        ("colours", (), r"must have layers that enlarge a map"),
        ("unpooling", ("--compare", "MISSING"), r"MISSING` must be a \.keras file"),
        ("unpooling", ("--box", "100,0,120,20"), r"`--box` must show some of the image, 30 pixels"),
        (
            "unpooling",
            ("--aggregation", "--box", "0,0,9,9"),
            r"`--aggregation` cannot be combined with",
        ),
        ("fcn", ("--switches",), r"must have switches.*'fcn', which has none"),
        (
            "unpooling",
            ("--switches", "--compare", "fcn.keras"),
            r"`--switches` cannot be combined with",
        ),
        ("heights", (), r"must map RGB images of one square size"),
        ("unpooling", ("--compare", "colours.keras"), r"must have layers that enlarge a map"),
        (
            "unpooling",
            ("--compare", "renamed.keras"),
            r"`--compare` must .* 3 \(ground, green, red",
        ),
        ("deep", (), r"images of every size.* 30x44 pixels. Give a larger image"),
        ("deep", ("--switches",), r"images of every size.* 30x44 pixels. Give a larger image"),
        ("fcn", ("--aggregation",), r"images of any size.* Leave --aggregation out"),
        ("missing", (), r"missing.keras` must be a \.keras file"),
    ],
)
def test_mistakes_are_told(folder, tmp_path, monkeypatch, model, words, message) -> None:
    monkeypatch.chdir(folder)
    out = tmp_path / "figure.png"
    with pytest.raises(UserError, match=message):
        run(folder / f"{model}.keras", folder / "photo.png", "--out", out, *words)
    assert not out.exists()


def test_a_photograph_that_is_missing_and_an_ending_that_is_wrong(folder, tmp_path) -> None:
    with pytest.raises(UserError, match=r"nothing.jpg` must be a file that can be read"):
        run("no model", tmp_path / "nothing.jpg", "--out", tmp_path / "figure.png")
    with pytest.raises(UserError, match=r"must end in \.png. Received: `figure.jpg`"):
        run("no model", folder / "photo.png", "--out", "figure.jpg")


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("1,2,3", "must be four numbers"),
        ("a,b,c,d", "must be four numbers"),
        ("5,5,5,9", "must have an area"),
        ("5,9,8,5", "must have an area"),
        ("0,0,nan,9", "must be pixels of an image"),
        ("0,0,1e12,9", "must be pixels of an image"),
    ],
)
def test_a_box_that_is_none(box, message, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("model", "image", "--out", "x.png", "--box", box)
    assert message in capsys.readouterr().err


def test_switches_of_a_network_for_any_size(folder, tmp_path, capsys) -> None:
    keras.utils.set_random_seed(0)
    switch_network((None, None, 3), NAMES).save(tmp_path / "open.keras")
    out = tmp_path / "figure.png"
    run(tmp_path / "open.keras", folder / "photo.png", "--out", out, "--switches")
    assert capsys.readouterr().out == f"{out}: the switches of 2 poolings\n"
    # 30 rows to 44 columns, 336 pixels wide.
    assert images.read_image(out).shape == (8 + 2 * (230 + 42 + 8) + 44, 8 + 3 * 344, 3)
