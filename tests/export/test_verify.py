"""Verification: it agrees with the right model, and says so when it does not."""

import keras
import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.export import Verification, export_saved_model, verify
from tfdeconv.export.verify import sample_requests
from tfdeconv.models import DeconvNet


def plain_network(num_classes: int = 3, seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(num_classes, 3, padding="same")(x))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    return export_saved_model(plain_network(), tmp_path_factory.mktemp("served"))


def test_the_same_model_agrees(exported, tmp_path) -> None:
    plain_network().save(tmp_path / "model.keras")
    for model in (plain_network(), tmp_path):
        verification = verify(exported.parent, model)
        assert verification.agrees
        assert verification.equal_labels == 1 and verification.scores_difference < 1e-6
        assert verification.log == ()


def test_other_weights_do_not_agree(exported) -> None:
    verification = verify(exported, plain_network(seed=1))
    assert not verification.agrees
    assert verification.scores_difference > 0.1 and verification.equal_labels < 0.9


def test_a_model_of_another_shape_is_told(exported) -> None:
    with pytest.raises(UserError, match=r"exported from this model.*\(3, 16, 16, 3\).*16, 16, 4\)"):
        verify(exported, plain_network(num_classes=4))


def deconvnet() -> keras.Model:
    return DeconvNet(2, (32, 32, 3), width=1 / 32)


@pytest.mark.parametrize(
    ("policy", "build"),
    [
        ("mixed_float16", plain_network),
        ("mixed_bfloat16", plain_network),
        # Not float16: activations of untrained weights overflow.
        pytest.param("mixed_bfloat16", deconvnet, marks=pytest.mark.large),
    ],
)
def test_half_precision_agrees_within_its_bound(policy: str, build, tmp_path) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    verification = verify(export_saved_model(model, tmp_path), model)
    assert verification.bound == 2e-2
    assert verification.agrees, str(verification)
    # Where a processor lacks float16, TensorFlow says that it computes another way.
    assert [line for line in verification.log if "supports DT_HALF only" not in line] == []


def test_what_cannot_be_verified_is_told(exported, tmp_path) -> None:
    with pytest.raises(UserError, match="must be a folder written by `tfdeconv export`"):
        verify(tmp_path, plain_network())
    (tmp_path / "1" / "assets.extra").mkdir(parents=True)
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"damaged")
    metadata = (exported / "assets.extra" / "tfdeconv.json").read_text()
    (tmp_path / "1" / "assets.extra" / "tfdeconv.json").write_text(metadata)
    with pytest.raises(UserError, match=r"must run in TensorFlow without Python.*saved_model.pb"):
        verify(tmp_path, plain_network())


def test_not_a_number_is_no_agreement() -> None:
    good = Verification(0.0, 0.0, 1.0, 1e-4, ())
    assert good.agrees
    assert not good._replace(scores_difference=np.nan).agrees
    assert not good._replace(confidence_difference=2e-4).agrees
    assert not good._replace(equal_labels=0.9989).agrees
    assert "labels agree on 100.00 % of pixels" in str(good)


def test_samples_ask_both_signatures_for_odd_sizes() -> None:
    requests = sample_requests(32)
    assert requests["0/regions/crops"].shape == (3, 32, 32, 3)
    assert requests["0/segment/images"].shape == (2, 40, 49, 3)
    assert requests["0/segment/counts"].tolist() == [3, 0]
    boxes = requests["0/segment/boxes"]
    assert boxes.min() < 0 and boxes[..., 3].max() > 49
