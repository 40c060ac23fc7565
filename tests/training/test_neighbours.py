"""Training of the networks that DeconvNet is measured against, by the same command."""

import keras
import numpy as np
import pytest

from tests.helpers import run_tfdeconv
from tfdeconv.data.drawn import CLASS_NAMES, draw_dataset
from tfdeconv.data.voc import read_split
from tfdeconv.errors import UserError
from tfdeconv.models import UNet, build, class_names, list_models, load_model, takes, width_of
from tfdeconv.segmentation.evaluate import evaluate
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.training.init import copy_weights, starting_model
from tfdeconv.training.recipes import NETWORKS, find_recipe
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import train

NEIGHBOURS = NETWORKS[1:]
TINY = {"width": 1 / 32, "input_size": 64, "batch_size": 2, "steps": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "data", images=3, val=1, seed=0)


def test_every_network_can_be_trained() -> None:
    assert {"deconvnet", *NEIGHBOURS} == set(list_models())
    with pytest.raises(UserError, match=r"exists only for deconvnet.*fcn32s\. Received: 'unet'"):
        find_recipe("paper", "unet")
    with pytest.raises(UserError, match=r"Did you mean 'segnet'\?"):
        find_recipe("small", "seg_net")


@pytest.mark.parametrize("network", ["unet", "deep_contextual", "fcn8s"])
def test_the_small_recipe_normalises_and_asks_auxiliary_classifiers(network: str) -> None:
    recipe = find_recipe("small", network).with_changes(width=1 / 64)
    model = starting_model(network, recipe, CLASS_NAMES)
    kinds = [layer.__class__.__name__ for layer in model.layers]
    assert "BatchNormalization" in kinds
    assert len(model.outputs) == (4 if takes(network, "auxiliary") else 1)
    plain = build(network, num_classes=2, width=1 / 64)
    assert "BatchNormalization" not in [layer.__class__.__name__ for layer in plain.layers]
    assert width_of(model) == width_of(plain) == 1 / 64


def test_sizes_that_a_network_cannot_take_are_told_before_anything_is_written(data, tmp_path):
    message = r"multiple of 16 for unet, at least 16\. Received: input_size=50\. The nearest is 48"
    with pytest.raises(UserError, match=message):
        train("unet", data, tmp_path / "run", **{**TINY, "input_size": 50})
    assert not (tmp_path / "run").exists()
    UNet(9, width=1 / 32, class_names=CLASS_NAMES).save(tmp_path / "unet.keras")
    with pytest.raises(UserError, match=message):
        train("unet", data, tmp_path / "run", init=tmp_path / "unet.keras", input_size=50)


def test_a_network_goes_on_from_itself_and_begins_its_head_anew_for_other_classes() -> None:
    source = UNet(3, width=1 / 64, class_names=("a", "b", "c"))
    same = UNet(3, width=1 / 64, class_names=("a", "b", "c"))
    assert set(copy_weights(source, same)) == {layer.name for layer in same.layers if layer.weights}
    other = UNet(3, width=1 / 64, class_names=("a", "c", "b"))
    filled = copy_weights(source, other)
    assert "conv_u0d-score" not in filled and "conv_u0c-d" in filled
    source.get_layer("preprocess").mean = (1.0, 2.0, 3.0)
    copy_weights(source, other)
    assert other.get_layer("preprocess").mean == (1.0, 2.0, 3.0)
    with pytest.raises(UserError, match="which shares none"):
        copy_weights(build("segnet", num_classes=3, width=1 / 64), same)


def test_a_foreign_network_is_refused(data, tmp_path) -> None:
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(9, 1)(image), name="mine")
    model.save(tmp_path / "mine.keras")
    with pytest.raises(UserError, match=r"network of this package.*Received: mine"):
        train("unet", data, tmp_path / "run", init=tmp_path / "mine.keras", **TINY)


@pytest.mark.large
@pytest.mark.parametrize("network", NEIGHBOURS)
def test_every_command_takes_every_network(network: str, data, tmp_path) -> None:
    flags = [part for n, v in TINY.items() for part in (f"--{n.replace('_', '-')}", str(v))]
    out = str(tmp_path / "run")
    photograph = str(next((data / "JPEGImages").iterdir()))
    for words in (
        ("train", network, str(data), "--out", out, *flags),
        ("evaluate", out, str(data)),
        ("segment", out, photograph, "--out", str(tmp_path / "maps")),
        ("export", out, str(tmp_path / "served")),
        ("verify", str(tmp_path / "served" / "1"), out),
        ("visualize", out, photograph, "--out", str(tmp_path / "maps.png")),
    ):
        result = run_tfdeconv(*words)
        assert result.returncode == 0, (words, result.stdout, result.stderr)
    model = load_model(RunFolder(out).path)
    assert class_names(model) == CLASS_NAMES and len(model.outputs) == 1
    for layer in model.layers:
        for value in layer.get_weights():
            assert np.isfinite(value).all()
    assert evaluate(Segmenter(out), read_split(data, "val")).images == 1
    again = train(network, data, tmp_path / "again", init=out, **{**TINY, "width": None})
    assert load_model(again.path).count_params() == model.count_params()
