"""The report of the paper's claims: its other unpoolings, its measure by size, its tables."""

import sys

import keras
import numpy as np
import pytest

from tests.helpers import run_python
from tfdeconv import files
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.data.voc import read_split
from tfdeconv.models import DeconvNet, load_model
from tfdeconv.training.run_folder import RunFolder
from training.reproduction import command, measures, sizes, table
from training.reproduction.unpooling import KINDS, BilinearUnpool, CornerUnpool, with_unpooling


def test_the_corner_is_the_upper_left_one_of_every_window():
    values = np.arange(1, 13, dtype="float32").reshape(2, 1, 3, 2)
    unpooled = np.asarray(CornerUnpool()(values, None, np.zeros((2, 2, 6, 2), "float32")))
    expected = np.zeros((2, 2, 6, 2), "float32")
    expected[:, ::2, ::2] = values
    np.testing.assert_array_equal(unpooled, expected)


def test_bilinear_takes_the_size_of_what_was_pooled():
    values = np.array([[0.0, 4.0]], "float32").reshape(1, 1, 2, 1)
    enlarged = np.asarray(BilinearUnpool()(values, None, np.zeros((1, 2, 4, 1), "float32")))
    np.testing.assert_allclose(enlarged[0, :, :, 0], [[0, 1, 3, 4]] * 2)


@pytest.mark.parametrize("kind", KINDS)
def test_another_unpooling_keeps_weights_and_names_and_can_be_saved(kind, tmp_path):
    network = DeconvNet(3, (64, 64, 3), width=1 / 32, class_names=("a", "b", "c"), fc6_kernel=1)
    copy = with_unpooling(network, kind)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in network.layers]
    for mine, theirs in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    scores = keras.ops.convert_to_numpy(copy(image))
    same = np.array_equal(scores, keras.ops.convert_to_numpy(network(image)))
    assert same == (kind == "switches")
    copy.save(tmp_path / "model.keras")
    again = keras.ops.convert_to_numpy(load_model(tmp_path / "model.keras")(image))
    np.testing.assert_array_equal(again, scores)


def test_an_object_is_judged_in_its_window_without_its_neighbours():
    truth = np.zeros((10, 20), np.uint8)
    objects = np.zeros((10, 20), np.uint16)
    truth[2:4, 2:6], objects[2:4, 2:6] = 1, 1
    truth[2:4, 6:16], objects[2:4, 6:16] = 1, 2
    truth[5], objects[5] = 255, 65535
    predicted = np.zeros((10, 20), np.uint8)
    predicted[2:6, 2:6] = 1
    # Of the first all 8 pixels are found, and 4 too many in the row below them; the void row and
    # the second object do not count. Of the second none is found, but for those 4, outside its own.
    first, second = sizes.object_ious(truth, objects, predicted)
    assert first == (pytest.approx(4 / 20), pytest.approx(8 / 12))
    assert second == (pytest.approx(10 / 20), 0.0)


def test_perfect_maps_have_an_iou_of_one_at_every_size(tmp_path):
    split = read_split(draw_dataset(tmp_path / "data", images=1, val=3, seed=1), "val")
    for image_id in split.ids:
        data = split.label_path(image_id).read_bytes()
        files.write_bytes(tmp_path / "maps" / f"{image_id}.png", data)
    found = [value for value in sizes.iou_by_size(split, tmp_path / "maps") if value == value]
    assert found and all(value == 1.0 for value in found)


def test_mean_and_spread_in_the_tables():
    names = {row for _, rows in table.CLAIMS for row in rows.values()} | set(table.SIZES.values())
    row = {"mean_iou": 0.5, "seconds": 2.5, "by_size": [0.1, 0.2, 0.3, 0.4]}
    slower = {**row, "seconds": 5.5}
    times = [{"stage2": 60.0, "stage1": 30.0}, {"stage2": 120.0, "stage1": 30.0}]
    text = table.report({0: dict.fromkeys(names, row), 1: dict.fromkeys(names, slower)}, times)
    assert "| stage 1 + 2 | 50.0 ± 0.0 | 50.0, 50.0 | 4 |" in text
    assert text.endswith("| Training | stage 1 | stage 2 |\n|---|---|---|\n| minutes | 0.5 | 1.5 |")
    assert "| DeconvNet | 10.0 ± 0.0 | 20.0 ± 0.0 | 30.0 ± 0.0 | 40.0 ± 0.0 |" in text


def test_every_row_of_the_tables_is_measured():
    models = dict.fromkeys(("stage1", "stage2", *KINDS, "fcn8s", "fcn8s-stage2"))
    named = {row for _, rows in table.CLAIMS for row in rows.values()} | set(table.SIZES.values())
    assert named == set(measures.rows(models))


def test_a_folder_of_other_data_is_told(tmp_path, monkeypatch, capsys):
    RunFolder(tmp_path).begin({"data": None, "steps": None})
    arguments = ["reproduce", str(tmp_path), "--data", str(tmp_path / "mine")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert command.main() == 1
    assert "hold what the same call measured" in capsys.readouterr().err


@pytest.mark.large
def test_the_command_goes_on_and_prints_the_tables_last(tmp_path):
    command = ("-m", "training.reproduce", str(tmp_path), "--seeds", "0", "--steps", "4")
    first = run_python(*command, timeout=1800)
    assert first.returncode == 0, first.stderr
    assert first.stdout.rstrip().endswith((tmp_path / "report.md").read_text().rstrip())
    assert (tmp_path / "seed0" / "rows.json").is_file()
    again = run_python(*command, timeout=300)
    assert "mean IoU" not in again.stdout.split("|")[0]
