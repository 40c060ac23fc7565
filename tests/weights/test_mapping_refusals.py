"""Files that do not fit a network are refused by name, and nothing of them is loaded."""

import keras
import numpy as np
import pytest

from tests.weights import networks
from tfdeconv.errors import UserError
from tfdeconv.models import DeconvNet, FCN8s
from tfdeconv.weights import load_caffemodel

WIDTH = 1 / 32


@pytest.fixture(scope="module")
def untouched():
    return DeconvNet(3, (64, 64, 3), width=WIDTH)


def changed(name, blobs):
    zeros = [np.zeros(shape, "float32") for shape in blobs]
    return networks.deconvnet(WIDTH, 3, kernel=2) | {name: zeros}


def without(names):
    found = networks.deconvnet(WIDTH, 3, kernel=2)
    return {name: blobs for name, blobs in found.items() if name not in names}


def unfinite(name):
    found = networks.deconvnet(WIDTH, 3, kernel=2)
    found[name][1].flat[-1] = np.nan
    return found


NINE = [f"debn{stage}_{index}" for stage in (5, 4, 3) for index in (1, 2, 3)]
MISSING = ", ".join(f"{name!r} is missing" for name in NINE)


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        (without(["deconv3_2"]), "layer 'deconv3_2' is missing"),
        (without(["debn4_1"]), "layer 'debn4_1' is missing"),
        (changed("fc6", [(128, 16, 2, 2)]), r"'fc6' has blobs of \(128, 16, 2, 2\) in place of .*"),
        (changed("fc6", [(128, 16, 3, 3), (128,)]), r"\(128, 16, 3, 3\) and .*of \(128, 16, 2, 2"),
        (changed("deconv4_3", [(8, 16, 3, 3), (8,)]), r"in place of \(16, 8, 3, 3\) and \(1, 1, 1"),
        (changed("bn1_2", [(1, 2, 1, 1)]), r"'bn1_2' has blobs of \(1, 2, 1, 1\) in place of"),
        (changed("bn1_2", [(1, 2, 1, 1)] * 3), "'bn1_2' has blobs of .* in place of"),
        (changed("conv2_1", [(4, 2, 3, 3), (4,), (4,)]), r"1, 4\) and \(1, 1, 1, 4\) in place"),
        (changed("conv2_1", [(4, 2, 3, 3), (2, 2)]), "'conv2_1' has blobs of"),
        (changed("seg-score-voc", [(5, 9, 1, 1), (5,)]), "'seg-score-voc' has blobs of"),
        (networks.vgg16(WIDTH), r"'bn1_1' is missing, .*, and \d+ more\. Choose the network"),
        (without(NINE), rf"layer {MISSING}\. Choose the network"),
        (unfinite("conv1_1"), "not finite in layer 'conv1_1'"),
        (unfinite("seg-score-voc"), "not finite in layer 'seg-score-voc'"),
    ],
)
def test_a_blob_that_does_not_fit_is_named_and_nothing_loaded(file, untouched, blobs, message):
    before = untouched.get_weights()
    with pytest.raises(UserError, match=message):
        load_caffemodel(untouched, file(blobs), new_head=True)
    for mine, theirs in zip(untouched.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_network_of_other_layers_is_refused(file):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="conv1_1")])
    with pytest.raises(UserError, match="'conv1_1' is a Dense, which has no counterpart"):
        load_caffemodel(model, file(networks.vgg16(WIDTH)))


def test_deconvnet_is_not_loaded_without_its_batch_normalisation(file):
    blobs = networks.fcn8s(1 / 64, 3, old=False) | {"bn1_1": [np.ones((1, 1, 1, 1), "float32")] * 2}
    with pytest.raises(UserError, match="layer 'bn1_1' has no place in it"):
        load_caffemodel(FCN8s(3, width=1 / 64), file(blobs))
