"""Settings that a script of somebody else may have made for the whole process, and threads."""

import ast
import concurrent.futures
import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.export.networks import lively_network, photograph, with_random_weights
from tests.goldens import CLASSIFIERS, GOLDENS, LARGE, LAYERS, NETWORKS, cases
from tests.helpers import CHECKOUT, run_python
from tests.settings_process import results_of
from tests.test_conformance import random_inputs
from tfdeconv import layers
from tfdeconv.models import DeconvNet, UNet
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.training.heads import with_heads

# Keras layers that ask whether channels come first.
ASKING = {
    name
    for name, value in vars(keras.layers).items()
    if inspect.isclass(value) and "data_format" in inspect.signature(value).parameters
}


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def formats(model: keras.Model) -> set[str]:
    return {getattr(layer, "data_format", "channels_last") for layer in model.layers}


@pytest.mark.parametrize("name", cases(NETWORKS | CLASSIFIERS))
def test_networks_have_channels_last_whatever_the_setting(channels_first, name: str) -> None:
    assert formats(GOLDENS[name].build()) == {"channels_last"}


def test_variants_of_networks_have_channels_last_too(channels_first) -> None:
    deconvnet = DeconvNet(3, (64, 64, 3), width=1 / 32)
    assert formats(with_heads(deconvnet, size=64)) == {"channels_last"}
    assert formats(UNet(3, width=1 / 32)) == {"channels_last"}


def calls_that_ask(path: Path) -> list[str]:
    """Where a file makes a Keras layer without saying where its channels are."""
    return [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ASKING
        and "data_format" not in {one.arg for one in node.keywords}
    ]


def test_every_keras_layer_is_told_that_channels_come_last() -> None:
    assert {"Conv2D", "MaxPooling2D", "UpSampling2D"} <= ASKING
    files = (CHECKOUT / "tfdeconv").rglob("*.py")
    assert [call for path in files for call in calls_that_ask(path)] == []


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Goldens that settings are tried on: weights, inputs, and what they give by default."""
    names = list(LAYERS)
    if any("with_everything" in item.name for item in request.session.items):
        names = list(GOLDENS)
    folder = tmp_path_factory.mktemp("settings")
    for name in {*names, "segnet"}:
        model = with_random_weights(GOLDENS[name].build())
        np.savez(folder / f"{name}.weights.npz", *model.get_weights())
        np.save(folder / f"{name}.npy", random_inputs(GOLDENS[name]))
        if name == "segnet":
            model.save(folder / "segnet.keras")
    return folder, names, results_of(str(folder), names)


def compare(folder: tuple[Any, ...], settings: str, skip: set[str], bound: float) -> None:
    path, names, expected = folder
    names = [name for name in names if name not in skip]
    arguments = ("-m", "tests.settings_process", str(path), settings, *names)
    process = run_python(*arguments, timeout=1200)
    assert process.returncode == 0, process.stderr
    with np.load(path / f"{settings}.npz") as got:
        assert {key for key in expected if key.split("/")[0] not in skip} == set(got)
        for key in got:
            scale = np.abs(expected[key]).max()
            assert np.isfinite(got[key]).all() and scale > 0
            if key == "file labels":
                assert (got[key] == expected[key]).mean() > 0.95
            # In half precision maxima move, and with them the paths of gradients.
            elif key != "file gradient" or bound < 1e-2:
                assert np.abs(got[key] - expected[key]).max() <= bound * scale, key
            if key.split("/")[0] in NETWORKS | CLASSIFIERS or key == "file scores":
                assert got[key].dtype == np.float32


# Their activations leave the range of half precision at weights of this size.
OVERFLOWING = {"fusionnet", *LARGE}


@pytest.mark.parametrize(
    ("settings", "skip", "bound"),
    [
        ("float16", OVERFLOWING, 2e-2),
        ("float64,determinism,check_numerics", set(), 1e-3),
    ],
)
def test_settings_of_the_process(folder, settings: str, skip: set[str], bound: float) -> None:
    compare(folder, settings, skip, bound)


@pytest.mark.large
@pytest.mark.parametrize("settings", ["channels_first", "float64", "determinism", "check_numerics"])
def test_a_setting_of_the_process_with_everything(folder, settings: str) -> None:
    compare(folder, settings, set(), 1e-3)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_batch_normalisation_keeps_its_statistics_in_the_type_of_the_layer(dtype: str) -> None:
    x = np.random.default_rng(0).normal(3, 2, (4, 3, 5, 2))
    layer = layers.BatchNormalization(dtype=dtype, momentum=0.5)
    outputs = keras.ops.convert_to_numpy(layer(x, training=True))
    assert outputs.dtype == layer.moving_mean.dtype == dtype
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(outputs, (x - mean) / np.sqrt(variance + 1e-3), atol=0.01)
    np.testing.assert_allclose(np.asarray(layer.moving_mean), mean / 2, rtol=2e-3)
    np.testing.assert_allclose(np.asarray(layer.moving_variance), variance / 2 + 0.5, rtol=2e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.AdaptiveAveragePool(2),
        layers.BatchNormalization,
        lambda: layers.DenseMap(3, 1, 2),
        lambda: layers.BilinearUpsample(3),
        lambda: layers.MirrorPad(3, 4, 1),
        layers.Preprocess,
        lambda: layers.RequireSize(4, (4, 8)),
        lambda: layers.Logits(("ground", "tree", "sky")),
    ],
)
def test_every_frame_of_a_video_is_seen_by_itself(make) -> None:
    see_frames(make(), (8, 12, 3))


@pytest.mark.parametrize("name", ["segnet", "Unpool"])
def test_networks_see_every_frame_of_a_video(name: str) -> None:
    see_frames(with_random_weights(GOLDENS[name].build()), GOLDENS[name].shape[1:])


def see_frames(layer: keras.Layer, shape: tuple[int, ...]) -> None:
    video = np.random.default_rng(0).integers(0, 256, (2, 3, *shape)).astype("float32")
    inputs = keras.Input((None, *shape))
    model = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
    got = model.predict_on_batch(video)
    frames = [np.asarray(layer(video[:, index])) for index in range(3)]
    np.testing.assert_allclose(got, np.stack(frames, axis=1), rtol=1e-5, atol=1e-5)
    assert model.output_shape[2:] == got.shape[2:]


def test_threads_share_a_segmenter() -> None:
    segmenter = Segmenter(lively_network(), boxes=4)
    images = [photograph(40 + 3 * index, 60, index) for index in range(6)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        # The first calls trace its graphs at the same time.
        together = list(pool.map(segmenter.segment, images))
    for labels, image in zip(together, images, strict=True):
        np.testing.assert_array_equal(labels, segmenter.segment(image))
        assert len(np.unique(labels)) > 1
