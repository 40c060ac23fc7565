"""Presets: what is saved opens again, on every backend, in KerasHub and without it."""

import importlib.util
import json

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="keras-hub is not installed")

import keras
import keras_hub

from tests.helpers import run_python, run_tfdeconv
from tests.hub import preset_on_backend as on_backend
from tfdeconv import hub
from tfdeconv.errors import UserError
from tfdeconv.labels import palette
from tfdeconv.models import SegmentationModel, class_names, load_for_inference, load_model
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.fixture(scope="module", params=list(on_backend.NETWORKS))
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / request.param
    task = on_backend.shaken_task(request.param)
    task.save_to_preset(str(folder))
    return folder, task, on_backend.seen_images(task)


def equal(model, task, images):
    return np.array_equal(model(images, training=False), task(images, training=False))


def test_the_task_and_its_parts_come_back(saved):
    folder, task, images = saved
    for cls in (keras_hub.models.ImageSegmenter, type(task)):
        again = cls.from_preset(str(folder))
        assert type(again) is type(task) and equal(again, task, images)
        assert again.class_names == on_backend.NAMES and again.palette == task.palette
        assert again.preprocessor.image_size == task.preprocessor.image_size
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    assert type(backbone) is type(task.backbone)
    for mine, theirs in zip(backbone.get_weights(), task.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for base, part in (
        (keras_hub.models.ImageSegmenterPreprocessor, task.preprocessor),
        (keras_hub.layers.ImageConverter, task.preprocessor.image_converter),
    ):
        again = base.from_preset(str(folder))
        assert type(again) is type(part) and again.get_config() == part.get_config()


def test_without_keras_hub_it_is_the_plain_network(saved):
    folder, task, images = saved
    for load in (load_model, load_for_inference):
        network = load(folder)
        assert isinstance(network, SegmentationModel)
        assert equal(network, task, images) and class_names(network) == on_backend.NAMES
        assert [layer.name for layer in network.layers] == [layer.name for layer in task.layers]


def test_other_classes_get_a_new_head_and_no_names(saved):
    folder, task, images = saved
    again = keras_hub.models.ImageSegmenter.from_preset(str(folder), num_classes=5)
    assert again(images).shape[-1] == 5 and again.class_names is None
    assert again.palette == tuple(map(tuple, palette()[:5].tolist()))
    for mine, theirs in zip(again.backbone.weights, task.backbone.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_task_is_a_network_for_the_rest_of_the_package(saved):
    folder, task, images = saved
    network = load_model(folder)
    expected = Segmenter(network, boxes=0).segment(images[0])
    assert class_names(task) == on_backend.NAMES
    for opened in (Segmenter(task, boxes=0), Segmenter.from_preset(folder, boxes=0)):
        np.testing.assert_array_equal(opened.segment(images[0]), expected)


def test_recalibrate_does_not_write_beside_a_preset(saved):
    folder, *_ = saved
    before = sorted(path.name for path in folder.iterdir())
    process = run_tfdeconv("recalibrate", str(folder), "data")
    assert process.returncode == 1 and "`--out` must be given for a preset" in process.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_open_deconvnet_takes_other_sizes(tmp_path):
    task = on_backend.shaken_task("deconvnet")
    task.backbone.save_to_preset(str(tmp_path))
    backbone = hub.DeconvNetBackbone.from_preset(str(tmp_path), image_shape=(None, None, 3))
    assert backbone(np.zeros((1, 64, 96, 3), "float32")).shape == (1, 64, 96, 2)
    with pytest.raises(UserError, match=r"no task\.json: the preset of a backbone alone"):
        load_model(tmp_path)


def test_a_quantised_preset_is_told(saved, tmp_path):
    folder, *_ = saved
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    task = json.loads((tmp_path / "task.json").read_text())
    task["config"]["backbone"]["config"]["dtype"] = keras.dtype_policies.serialize(
        keras.dtype_policies.DTypePolicyMap("float32")
    )
    (tmp_path / "task.json").write_text(json.dumps(task))
    with pytest.raises(UserError, match="a quantised preset, which KerasHub alone opens"):
        load_model(tmp_path)


def test_networks_without_classes_in_keras_hub_are_told():
    from tfdeconv.models import UNet

    with pytest.raises(UserError, match=r"must be a DeconvNet, SegNet or FCN.*'unet'"):
        hub.from_network(UNet(2, width=1 / 32))


def test_another_mean_is_told():
    from tfdeconv.models import SegNet

    network = SegNet(2, width=1 / 32)
    network.get_layer("preprocess").mean = (0.0, 0.0, 0.0)
    with pytest.raises(UserError, match=r"must subtract ImageNet's mean.*'segnet'.*\(0\.0, 0\.0"):
        hub.from_network(network)


@pytest.mark.large
def test_a_preset_of_one_backend_gives_the_same_on_the_others(tmp_path):
    backends = [
        name
        for name in ("tensorflow", "jax", "torch")
        if importlib.util.find_spec(name) is not None
    ]
    if len(backends) < 2:
        pytest.skip("the backends jax and torch are not installed")
    for action in ("save", "open"):
        for backend in backends:
            process = run_python(
                *("-m", "tests.hub.preset_on_backend", action, str(tmp_path)),
                KERAS_BACKEND=backend,
                JAX_PLATFORMS="cpu",
            )
            assert process.returncode == 0, process.stderr
            assert process.stdout.split() == [backend, "ok"]
