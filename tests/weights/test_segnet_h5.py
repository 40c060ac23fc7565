"""The `.h5` of a SegNet built elsewhere in Keras, read into ours."""

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tests.addons_environment import addons_python, run_script
from tests.helpers import CHECKOUT
from tests.weights import segnet_elsewhere as elsewhere
from tfdeconv.errors import UserError
from tfdeconv.layers import Preprocess
from tfdeconv.models import SegNet
from tfdeconv.weights import load_segnet_h5

SIZE = (32, 64)
CLASSES = 3
WIDTH = 1 / 32
HOW = {"usual": {"scale": 1 / 255}, "other": {"scale": elsewhere.SCALE, "mean": elsewhere.MEAN}}
HOW["other"] |= {"order": "bgr", "epsilon": 2e-3}


@pytest.fixture(scope="module")
def theirs() -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """The arrays of the usual network, and its scores."""
    model, to_scores = elsewhere.build(keras, WIDTH, CLASSES, SIZE, usual=True)
    elsewhere.randomise(model)
    scores = to_scores(elsewhere.shown(elsewhere.random_images(SIZE), usual=True))
    return elsewhere.arrays_of(model), np.reshape(scores, (2, *SIZE, CLASSES))


@pytest.fixture(scope="module")
def ours() -> keras.Model:
    return SegNet(CLASSES, width=WIDTH)


def check(model: keras.Model, images: np.ndarray, expected: np.ndarray) -> None:
    scores = np.asarray(model(images))
    assert np.abs(scores - expected).max() < 1e-4 * max(1.0, np.abs(expected).max())
    # Scores that hang on the image, not on biases alone.
    assert expected.std(axis=(1, 2)).mean() > 0.05


def test_scores_are_those_of_the_other_network(theirs: Any, ours: Any, tmp_path: Path) -> None:
    arrays, expected = theirs
    images = elsewhere.random_images(SIZE)
    ours.make_predict_function()
    report = load_segnet_h5(ours, elsewhere.write(tmp_path / "s.h5", arrays), scale=1 / 255)
    check(ours, images, expected)
    assert len(report.loaded) == 51 and not report.kept and not report.left_out
    assert "is part of conv1_1_D" in report.notes[1]
    # What was traced before is out of date, and what is saved is not.
    assert ours.predict_function is None
    assert ours.get_layer("preprocess").get_config()["mean"] == (0, 0, 0)


def test_the_settings_of_a_whole_model_are_heeded(theirs: Any, ours: Any, tmp_path: Path) -> None:
    arrays, expected = theirs
    norm = list(arrays)[1]
    settings = [{"config": {"name": name, "epsilon": 1e-3}} for name in arrays if name != norm]
    # As if this one normalisation had been computed with another epsilon.
    variance = arrays[norm]["moving_variance"] - 0.1
    shifted = arrays | {norm: arrays[norm] | {"moving_variance": variance}}
    settings.append({"config": {"name": norm, "epsilon": 0.101}})
    config = json.dumps({"config": {"layers": settings}})
    path = elsewhere.write(tmp_path / "s.h5", shifted, model_config=config)
    load_segnet_h5(ours, path, scale=1 / 255, epsilon=0.5)
    check(ours, elsewhere.random_images(SIZE), expected)


def test_what_does_not_fit_is_told_and_nothing_is_loaded(theirs, ours, tmp_path) -> None:
    arrays, _ = theirs
    names = list(arrays)
    path, before = tmp_path / "s.h5", ours.get_weights()

    def refuses(match: str, layers: Any = None, **attributes: str) -> None:
        elsewhere.write(path, arrays if layers is None else layers, **attributes)
        with pytest.raises(UserError, match=match):
            load_segnet_h5(ours, path, scale=1)

    wide = {"kernel": np.zeros((3, 3, 3, 4)), "bias": np.zeros(4)}
    refuses(
        r"has \(3, 3, 3, 4\) in place of \(3, 3, 3, 2\), and 1 more\. Load it into "
        r"SegNet\(num_classes=3, width=0\.0625\)",
        arrays | {names[0]: wide},
    )
    single = {"kernel": np.zeros((1, 1, 2, 1)), "bias": np.zeros(1)}
    refuses("a single class by a sigmoid", arrays | {names[-2]: single})
    refuses("Received: 24 convolutions", {name: arrays[name] for name in names[:-4]})
    rest = {name: arrays[name] for name in names if name != names[3]}
    refuses(f"{names[2]} without batch normalisation", rest)
    refuses("twice behind no convolution", arrays | {"twice": arrays[names[-1]]})
    relu = {"config": {"name": names[0], "activation": "relu"}}
    settings = {"config": {"layers": [relu]}}
    refuses("activation before the normalisation", model_config=json.dumps(settings))
    refuses("that cannot be read", model_config="{")
    refuses("Received: none", {})
    path.write_bytes(b"\x89HDF but not really")
    with pytest.raises(UserError, match=r"no HDF5, or a damaged one"):
        load_segnet_h5(ours, path, scale=1)
    with pytest.raises(UserError, match="no such file"):
        load_segnet_h5(ours, tmp_path / "missing.h5", scale=1)
    for old, new in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_settings_that_change_what_is_computed_are_told(theirs, ours, tmp_path) -> None:
    arrays, _ = theirs
    names = list(arrays)
    for name, setting, match in (
        (names[1], {"axis": 1}, "axis 1 in place of -1"),
        (names[1], {"axis": [2]}, r"axis \[2\] in place of -1"),
        (names[2], {"strides": [2, 2]}, r"strides \[2, 2\] in place of 1"),
        (names[2], {"dilation_rate": [1, 2]}, r"dilation_rate \[1, 2\] in place of 1"),
        (names[-2], {"data_format": "channels_first"}, "data_format 'channels_first'"),
        # The last normalisation and the convolution before it are judged as the others.
        (names[-1], {"epsilon": 0}, "an epsilon of 0"),
        (names[-2], {"activation": "softmax"}, "activation before the normalisation"),
    ):
        config = json.dumps({"config": {"layers": [{"config": {"name": name} | setting}]}})
        path = elsewhere.write(tmp_path / "s.h5", arrays, model_config=config)
        with pytest.raises(UserError, match=rf"Received: {name} with.*{match}"):
            load_segnet_h5(ours, path, scale=1)
    usual = {"strides": [1, 1], "dilation_rate": 1, "data_format": None, "axis": [3]}
    settings = [{"config": {"name": name, "activation": "linear"} | usual} for name in names]
    config = json.dumps({"config": {"layers": settings}})
    load_segnet_h5(ours, elsewhere.write(path, arrays, model_config=config), scale=1)
    # Without a normalisation, the last one may end in the softmax.
    last = {"config": {"name": names[-2], "activation": "softmax"}}
    bare = {name: arrays[name] for name in names[:-1]}
    config = json.dumps({"config": {"layers": [last]}})
    load_segnet_h5(ours, elsewhere.write(path, bare, model_config=config), scale=1)


def test_arrays_elsewhere_or_in_swollen_pieces_are_refused(theirs, ours, tmp_path) -> None:
    arrays, _ = theirs
    name, (kernel, *_) = next((name, list(value)) for name, value in arrays.items())
    place = f"{name}/{name}/{kernel}:0"
    elsewhere.write(tmp_path / "other.h5", arrays)
    for reason in ("another file", "pieces larger", "floating-point"):
        path = elsewhere.write(tmp_path / "s.h5", arrays)
        with h5py.File(path, "r+") as file:
            del file[place]
            if reason == "another file":
                file[place] = h5py.ExternalLink("other.h5", place)
            elif reason == "pieces larger":
                file.create_dataset(
                    place, (3, 3, 3, 2), "f4", chunks=(3, 3, 3, 999), maxshape=(3, 3, 3, None)
                )
            else:
                file[place] = np.zeros((3, 3, 3, 2), "int32")
        with pytest.raises(UserError, match=reason):
            load_segnet_h5(ours, path, scale=1)


def test_arguments_are_checked(ours: keras.Model) -> None:
    for match, arguments in {
        "`scale` must be a number or three": {"scale": (1, 2)},
        "`mean` must be a number or three": {"scale": 1, "mean": float("nan")},
        "`order` must be": {"scale": 1, "order": "RGB"},
        "`epsilon` must be above 0": {"scale": 1, "epsilon": 0},
    }.items():
        with pytest.raises(ValueError, match=match):
            load_segnet_h5(ours, "x.h5", **arguments)
    image = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="must be a SegNet"):
        load_segnet_h5(keras.Model(image, Preprocess()(image)), "x.h5", scale=1)


@pytest.fixture(scope="module")
def real(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segnet")
    script = CHECKOUT / "tests" / "weights" / "segnet_elsewhere.py"
    run_script(addons_python(pytestconfig), script, folder)
    return folder


@pytest.mark.large
@pytest.mark.parametrize("file", ["{}-weights.h5", "{}.weights.h5", "{}-whole.h5"])
@pytest.mark.parametrize("kind", ["usual", "other"])
def test_files_of_tensorflow_2_15(kind: str, file: str, real: Path) -> None:
    model, images = SegNet(5, width=1 / 8), elsewhere.random_images((64, 96))
    load_segnet_h5(model, real / file.format(kind), **HOW[kind])
    saved = np.load(real / f"{kind}.npz")
    check(model, images, saved["scores"].reshape(2, 64, 96, 5))
    ours = np.asarray(keras.ops.softmax(model(images)))
    expected = saved["probabilities"].reshape(ours.shape)
    assert np.abs(ours - expected).max() < 1e-4
    for wrong in ({"order": "rgb" if kind == "other" else "bgr"}, {"scale": 1}, {"mean": 9}):
        load_segnet_h5(model, real / file.format(kind), **HOW[kind] | wrong)
        assert np.abs(keras.ops.softmax(model(images)) - expected).max() > 1e-3
