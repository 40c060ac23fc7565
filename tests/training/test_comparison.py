"""The comparison of all networks: what they cost, its tables, its command."""

import json

import keras
import numpy as np
import pytest

from tests.helpers import run_python
from tfdeconv import images
from tfdeconv.models import DeconvNet, UNet
from tfdeconv.training.recipes import NETWORKS as TRAINED
from training.comparison import entries, report
from training.comparison.command import NETWORKS
from training.comparison.cost import multiply_accumulates


def test_what_a_network_costs_is_counted_layer_by_layer() -> None:
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", use_bias=True)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2DTranspose(2, 4, strides=2, padding="same")(x)
    model = keras.Model(image, x)
    expected = 5 * 7 * (3 * 3 * 3 * 4) + 5 * 7 * (4 * 4 * 4 * 2)
    assert multiply_accumulates(model, 10, 14) == expected


def test_sizes_that_a_network_cannot_take_are_counted_at_the_next() -> None:
    model = UNet(2, width=1 / 32)
    assert multiply_accumulates(model, 17, 30) == multiply_accumulates(model, 32, 32)
    fixed = DeconvNet(2, (32, 32, 3), width=1 / 32)
    assert multiply_accumulates(fixed, 500, 375) == multiply_accumulates(fixed, 32, 32)


@pytest.mark.large
def test_deconvnet_costs_what_its_layer_table_says() -> None:
    # The encoder of VGG-16 at 224 pixels takes 15.3 GMAC, as does the way back, and fc6 and its
    # inverse 2 x 0.1 of 7x7x512x4096.
    assert multiply_accumulates(DeconvNet(21), 1, 1) == pytest.approx(32.75e9, rel=0.01)


def test_the_tables_name_the_best_first() -> None:
    one = {"pixel_accuracy": 0.5, "weights": 1234, "gmac": 1.0, "seconds": 0.1}
    one |= {"processor_minutes": 5.0}
    networks = {
        "unet": {**one, "mean_iou": 0.4, "iou": {"sky": 0.4, "tree": None}},
        "segnet": {**one, "mean_iou": 0.5, "iou": {"sky": 0.5, "tree": None}},
    }
    text = report.report({"camvid": networks, "nuclei": {}})
    assert text.index("| SegNet | 50.0 |") < text.index("| U-Net | 40.0 |")
    assert "| SegNet | 50 | - |" in text and "nuclei" not in text
    assert set(report.NAMES) == set(NETWORKS) == set(TRAINED)


@pytest.mark.large
def test_the_command_trains_compares_and_goes_on(tmp_path, monkeypatch) -> None:
    words = ("-m", "training.compare", str(tmp_path), "--networks", "deconvnet", "unet")
    result = run_python(*words, "--steps", "2")
    assert result.returncode == 0, result.stderr
    assert "| U-Net |" in result.stdout and "| DeconvNet |" in result.stdout
    assert (tmp_path / "comparison.md").read_text() in result.stdout
    sheet = images.read_image(tmp_path / "comparison.png")
    assert np.ptp(sheet) == 255
    found = entries.read(tmp_path, ["drawn"], ["unet", "segnet"])
    assert set(found["drawn"]) == {"unet"} and found["drawn"]["unet"]["gmac"] > 0
    # A second time nothing is trained.
    stored = tmp_path / "drawn" / "unet" / "result.json"
    stored.write_text(json.dumps({**json.loads(stored.read_text()), "weights": 7}))
    again = run_python(*words, "--steps", "2", "--report")
    assert "| 7 |" in again.stdout and "---" not in again.stdout.splitlines()[0]


@pytest.mark.parametrize("words", [("--data", "camvid"), ("--networks", "u_net")])
def test_mistakes_are_told(tmp_path, words) -> None:
    result = run_python("-m", "training.compare", str(tmp_path), *words)
    assert result.returncode == 2 and "error: argument" in result.stderr
