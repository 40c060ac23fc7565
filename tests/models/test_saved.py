"""Opening saved models, and what is no model."""

import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.models import DeconvNet, build, class_names, load_model

SMALL = {"num_classes": 2, "input_shape": (32, 32, 3), "width": 1 / 32}


def test_weights_and_names_survive(tmp_path):
    model = DeconvNet(**SMALL, class_names=("ground", "tree"))
    model.save(tmp_path / "model.keras")
    image = np.full((1, 32, 32, 3), 99, np.uint8)
    for path in (tmp_path, tmp_path / "model.keras"):
        again = load_model(path)
        assert class_names(again) == ("ground", "tree")
        assert np.array_equal(again(image), model(image))


def test_weights_of_a_file_are_loaded(tmp_path):
    model = DeconvNet(**SMALL)
    model.save_weights(tmp_path / "some.weights.h5")
    again = DeconvNet(**SMALL, weights=tmp_path / "some.weights.h5")
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)


def test_weights_of_another_network_are_refused(tmp_path):
    DeconvNet(**SMALL).save_weights(tmp_path / "some.weights.h5")
    with pytest.raises(
        UserError, match=r"some\.weights\.h5.*must hold the weights of this network"
    ):
        DeconvNet(2, (64, 64, 3), width=1 / 16, weights=tmp_path / "some.weights.h5")
    with pytest.raises(UserError, match="no such file"):
        DeconvNet(**SMALL, weights=tmp_path / "missing.weights.h5")


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 cut short"])
def test_what_is_no_model_is_named(tmp_path, content):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.keras"):
        load_model(tmp_path)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(UserError, match=r"must be a \.keras file or a run folder"):
        load_model(tmp_path / "nothing")


def test_an_unknown_network_gets_the_nearest_name():
    with pytest.raises(UserError, match="Did you mean 'deconvnet'"):
        build("deconvnett")
