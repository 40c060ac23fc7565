"""Presets of KerasHub are read without it; tests/hub compares with what KerasHub itself writes."""

import json

import keras
import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.models import build, class_names, load_for_inference, load_model, palette
from tfdeconv.models.preset import is_preset

NAMES = ("ground", "tree")
SMALL = {"num_classes": 2, "width": 1 / 32, "class_names": NAMES}
# Its registered name, what its backbone and its task are made with beside the common arguments.
DECONVNET = ("DeconvNetImageSegmenter", {"image_shape": [32, 64, 3], "fc6_kernel": [1, 2]}, {})
FCN16S = (
    "FCNImageSegmenter",
    {"image_shape": [None, None, 3], "dropout": 0.25, "batch_norm": False},
    {"stride": 16},
)


def write(folder, name, kind, backbone, task):
    generator = np.random.default_rng(0)
    shape = tuple(backbone["image_shape"])
    network = build(name, input_shape=shape, **SMALL)
    network.set_weights([w + 0.1 * generator.random(w.shape) for w in network.get_weights()])
    below = keras.Model(network.input, network.decoder_outputs)
    below.save_weights(folder / "model.weights.h5")
    keras.saving.save_weights(network, folder / "task.weights.h5", objects_to_skip=below.layers)
    dtype = {"class_name": "DTypePolicy", "config": {"name": "float32"}}
    config = {"width": SMALL["width"], "dtype": dtype, **backbone}
    described = {"config": config}
    (folder / "config.json").write_text(json.dumps(described))
    own = {"num_classes": 2, "class_names": NAMES, "backbone": described, **task}
    written = {"registered_name": f"tfdeconv>{kind}", "config": own}
    (folder / "task.json").write_text(json.dumps(written))
    return network


@pytest.fixture(scope="module")
def deconvnet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deconvnet")
    return folder, write(folder, "deconvnet", *DECONVNET)


@pytest.fixture
def copy(deconvnet, tmp_path):
    for file in deconvnet[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def edit(folder, change):
    task = json.loads((folder / "task.json").read_text())
    change(task)
    (folder / "task.json").write_text(json.dumps(task))


def test_deconvnet(deconvnet):
    folder, network = deconvnet
    images = np.random.default_rng(1).integers(0, 256, (1, 32, 64, 3)).astype("uint8")
    for load in (load_model, load_for_inference):
        again = load(folder)
        np.testing.assert_array_equal(again(images), network(images))
        assert class_names(again) == NAMES and again.name == "deconvnet"
    assert type(again.get_layer("deconv1_1").kernel_initializer) is keras.initializers.Zeros


def test_colours_of_its_own(copy):
    assert palette(load_model(copy)) is None
    for colours, expected in (
        ([[0, 0, 0], [128, 0, 0]], None),
        ([[0, 0, 0], [1, 2, 3]], [[0, 0, 0], [1, 2, 3]]),
    ):
        edit(copy, lambda task, colours=colours: task["config"].update(palette=colours))
        found = palette(load_model(copy))
        assert found is None if expected is None else found.tolist() == expected


@pytest.mark.large
def test_fcn(tmp_path):
    network = write(tmp_path, "fcn16s", *FCN16S)
    again = load_model(tmp_path)
    images = np.random.default_rng(1).integers(0, 256, (1, 40, 50, 3)).astype("uint8")
    np.testing.assert_array_equal(again(images), network(images))
    assert again.get_layer("drop6").rate == 0.25 and again.name == "fcn16s"


def test_a_run_folder_is_no_preset(copy, tmp_path):
    assert is_preset(copy) and not is_preset(copy / "task.json") and not is_preset("nowhere")
    inputs = keras.Input((4, 4, 3))
    keras.Model(inputs, keras.layers.ReLU(name="mine")(inputs)).save(copy / "model.keras")
    assert load_model(copy).layers[-1].name == "mine"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda task: task.update(registered_name="keras_hub>SAMImageSegmenter"),
            "a preset of ker",
        ),
        (lambda task: task["config"].pop("class_names"), "'class_names'"),
        (lambda task: task["config"].update(num_classes=3, class_names=None), "object|weights"),
        (lambda task: task["config"]["backbone"]["config"].update(width="wide"), "operand"),
        (lambda task: task["config"]["backbone"]["config"].update(width=50), "too few bytes"),
        (
            lambda task: task["config"]["backbone"]["config"].update(fc6_kernel=[999, 999]),
            "too few bytes",
        ),
        (
            lambda task: task["config"]["backbone"]["config"]["dtype"].update(class_name="Map"),
            "a quantised preset, which KerasHub alone opens",
        ),
    ],
)
def test_what_is_no_preset_of_ours_is_told(copy, change, reason):
    edit(copy, change)
    with pytest.raises(UserError, match=rf"{copy.name}.*(?:{reason})"):
        load_model(copy)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("task.json", b"{", "Expecting property name"),
        ("task.json", b"[" * 100_000, "recursion depth exceeded"),
        ("task.json", b" " * (2**24 + 1), "more than 16777216 bytes"),
        ("task.json", None, "the preset of a backbone alone has no scores"),
        ("task.weights.h5", None, r"task\.weights\.h5"),
        ("model.weights.h5", b"no weights", "."),
    ],
)
def test_damage_is_told(copy, name, content, reason):
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(UserError, match=reason):
        load_model(copy)
