"""Verification: it agrees with the right model, and says so when it does not."""

import keras
import numpy as np
import pytest

from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.export import (
    Verification,
    export_saved_model,
    read_metadata,
    verification,
    verify,
)
from tfdeconv.export.saved_model import read_warmup
from tfdeconv.export.verification import run_in_fresh_process, sample_requests
from tfdeconv.images import decode_image
from tfdeconv.labels import encode_png
from tfdeconv.models import DeconvNet


def plain_network(num_classes: int = 3, seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(num_classes, 3, padding="same")(x))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    return export_saved_model(plain_network(), tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def answered(exported):
    """What the process says of the folder, once for all tests."""
    return run_in_fresh_process(exported, sample_requests(read_metadata(exported)), warm_up=True)


@pytest.fixture
def answers_at_hand(answered, monkeypatch) -> None:
    answers, log = answered
    known = lambda *_, **__: (dict(answers), log)  # noqa: E731
    monkeypatch.setattr(verification, "run_in_fresh_process", known)


def test_the_same_model_agrees(exported, tmp_path) -> None:
    plain_network().save(tmp_path / "model.keras")
    found = verify(exported.parent, tmp_path)
    assert found.agrees and found.equal_labels == 1 and found.scores_difference < 1e-6
    assert found.log == ()


def test_every_signature_is_warmed_up(answered, exported) -> None:
    warmed = {name.split("/")[1] for name in answered[0] if name.startswith("warmup")}
    assert warmed == set(dict(read_warmup(exported))) and len(warmed) == 6


def test_other_weights_do_not_agree(exported, answers_at_hand) -> None:
    found = verify(exported, plain_network(seed=1))
    assert not found.agrees and found.warmed_up == 6
    assert found.scores_difference > 0.1 and found.equal_labels < 0.9


def test_a_model_of_another_shape_is_told(exported, answers_at_hand) -> None:
    with pytest.raises(UserError, match=r"exported from this model.*\(3, 16, 16, 3\).*16, 16, 4\)"):
        verify(exported, plain_network(num_classes=4))


@pytest.mark.parametrize("name", ["labels_png_bytes", "labels"])
def test_a_wrong_label_map_does_not_agree(exported, answered, monkeypatch, name: str) -> None:
    answers, log = dict(answered[0]), answered[1]
    key = f"0/segment{'_bytes' * (name != 'labels')}/{name}"
    wrong = np.zeros((20, 25), np.uint8), np.zeros((25, 16), np.uint8)
    answers[key] = [encode_png(one) for one in wrong] if name != "labels" else 0 * answers[key]
    monkeypatch.setattr(verification, "run_in_fresh_process", lambda *_, **__: (answers, log))
    assert verify(exported, plain_network()).equal_labels < 0.9


def deconvnet() -> keras.Model:
    return DeconvNet(2, (32, 32, 3), width=1 / 32)


@pytest.mark.parametrize(
    ("policy", "build", "options"),
    [
        ("float32", plain_network, {"precision": "bfloat16"}),
        pytest.param("float32", plain_network, {"precision": "float16"}, marks=pytest.mark.large),
        pytest.param("mixed_float16", plain_network, {}, marks=pytest.mark.large),
        # Not float16: activations of untrained weights overflow.
        pytest.param("mixed_bfloat16", deconvnet, {}, marks=pytest.mark.large),
        pytest.param("float32", deconvnet, {"precision": "bfloat16"}, marks=pytest.mark.large),
    ],
)
def test_half_precision_agrees_within_its_bound(policy: str, build, options, tmp_path) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    found = verify(export_saved_model(model, tmp_path, **options), model)
    assert found.scores_bound == 2e-2
    assert found.agrees, str(found)
    assert found.log == ()


def test_the_parameters_of_the_crf_travel_with_the_folder(tmp_path) -> None:
    crf = DenseCRF(gaussian=None, bilateral=(np.float32(9), 20, 2), iterations=np.int64(1))
    found = verify(export_saved_model(plain_network(), tmp_path, crf=crf), plain_network())
    assert found.agrees and found.scores_bound == 1e-4, str(found)


def test_what_cannot_be_verified_is_told(exported, tmp_path) -> None:
    with pytest.raises(UserError, match="must be a folder written by `tfdeconv export`"):
        verify(tmp_path, plain_network())
    (tmp_path / "1" / "assets.extra").mkdir(parents=True)
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"damaged")
    metadata = (exported / "assets.extra" / "tfdeconv.json").read_text()
    (tmp_path / "1" / "assets.extra" / "tfdeconv.json").write_text(metadata)
    with pytest.raises(
        UserError, match=r"must run in TensorFlow without Keras and tfdeconv.*saved_model.pb"
    ):
        verify(tmp_path, plain_network())


def test_not_a_number_is_no_agreement() -> None:
    good = Verification(0.0, 1.0, warmed_up=6)
    assert good.agrees
    assert not good._replace(scores_difference=np.nan).agrees
    assert not good._replace(confidence_difference=2e-4).agrees
    assert not good._replace(equal_labels=0.9989).agrees
    assert "labels agree on 100.00 % of pixels" in str(good)
    assert str(good).endswith("6 warm-up requests ran")


def test_samples_ask_for_odd_sizes(exported) -> None:
    requests = sample_requests(read_metadata(exported)._replace(input_size=32))
    assert requests["0/regions/crops"].shape == (3, 32, 32, 3)
    assert requests["0/segment/images"].shape == (2, 40, 49, 3)
    assert requests["0/segment/counts"].tolist() == [3, 0]
    files = requests["0/segment_bytes/images_bytes"]
    assert [decode_image(data).shape[:2] for data in files] == [(40, 49), (49, 32)]
    boxes = requests["0/segment/boxes"]
    assert boxes.min() < 0 and boxes[..., 3].max() > 49
