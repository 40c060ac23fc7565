"""FRRN-A and FRRN-B: Table 1 of the paper, the two streams, and a step of training."""

import functools
import re

import keras
import numpy as np
import pytest

from tests.models.networks import trained_losses
from tfdeconv.models import FRRNA, FRRNB, class_names, load_model

NETWORKS = {"a": FRRNA, "b": FRRNB}
STRIDES = {"a": 16, "b": 32}
# (scale, channels) of every full-resolution residual unit in the order of Table 1.
UNITS = {
    "a": [(2, 96)] * 3 + [(4, 192)] * 4 + [(8, 384)] * 2 + [(16, 384)] * 2
    + [(8, 192)] * 2 + [(4, 192)] * 2 + [(2, 96)] * 2,
    "b": [(2, 96)] * 3 + [(4, 192)] * 4 + [(8, 384)] * 2 + [(16, 384)] * 2 + [(32, 384)] * 2
    + [(16, 192)] * 2 + [(8, 192)] * 2 + [(4, 192)] * 2 + [(2, 96)] * 2,
}  # fmt: skip
# Table 1, in millions; without the statistics of batch normalisation.
MILLIONS = {"a": 17.7, "b": 24.8}


@functools.cache
def narrow(kind: str) -> keras.Model:
    return NETWORKS[kind](3, width=1 / 16, class_names=("ground", "tree", "sky"))


@pytest.mark.parametrize("kind", NETWORKS)
def test_units_and_weights_are_those_of_table_1(kind: str) -> None:
    model = NETWORKS[kind](19, kernel_initializer="zeros")
    pattern = re.compile(r"frru(\d+)_(?:up_)?\d+_conv1")
    found, before = [], 48
    for layer in model.layers:
        match = pattern.fullmatch(layer.name)
        if match:
            assert layer.kernel.shape == (3, 3, before + 32, layer.filters)
            before = layer.filters
            found.append((int(match[1]), before))
    assert found == UNITS[kind]
    weights = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert round(weights / 1e6, 1) == MILLIONS[kind]
    assert model.get_layer("conv1").kernel.shape == (5, 5, 3, 48)
    assert model.get_layer("split").kernel.shape == (1, 1, 48, 32)
    assert model.get_layer("ru_up1_proj").kernel.shape == (1, 1, before + 32, 48)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_residual_stream_is_touched_by_sums_only(kind: str) -> None:
    model = narrow(kind)
    stream = model.get_layer("split_bn").output
    sums = [x for x in model.layers if re.fullmatch(r"frru\d+_(up_)?\d+", x.name)]
    assert len(sums) == len(UNITS[kind])
    for layer in sums:
        assert isinstance(layer, keras.layers.Add) and layer.input[0] is stream
        assert model.get_layer(f"{layer.name}_pool").input is stream
        stream = layer.output
    assert model.get_layer("join").input[1] is stream


@pytest.mark.parametrize("kind", NETWORKS)
def test_scores_have_the_size_of_the_image(kind: str) -> None:
    stride = STRIDES[kind]
    for size in ((stride, stride), (2 * stride, 3 * stride)):
        found = narrow(kind)(np.zeros((2, *size, 3), np.uint8))
        assert found.shape == (2, *size, 3) and found.dtype == "float32"
    with pytest.raises(ValueError, match=f"sides that are multiples of {stride}"):
        narrow(kind)(np.zeros((1, stride, stride + 1, 3), np.uint8))
    with pytest.raises(ValueError, match=f"multiples of {stride}. Received.*nearest is {stride}"):
        NETWORKS[kind](3, (stride, stride + 2, 3), width=1 / 16)


def test_steps_of_training_lower_the_loss() -> None:
    before, after = trained_losses(FRRNA(3, width=1 / 16), size=16, steps=3)
    assert after < before


def test_saved_with_its_class_names(tmp_path) -> None:
    narrow("a").save(tmp_path / "model.keras")
    again = load_model(tmp_path)
    assert class_names(again) == ("ground", "tree", "sky") and again.name == "frrn_a"
