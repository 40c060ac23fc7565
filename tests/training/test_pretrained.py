"""Trainings that start from weights of others: Caffe's files and ImageNet's VGG-16."""

import keras
import numpy as np
import pytest

from tests.reference.caffe_encoder import encode
from tests.weights import networks
from tfdeconv.data.drawn import CLASS_NAMES, draw_dataset
from tfdeconv.errors import UserError
from tfdeconv.models import load_model
from tfdeconv.training.init import load_init
from tfdeconv.training.recipes import find_recipe
from tfdeconv.training.train import train

WIDTH = 1 / 32
NAMES = ("ground", "tree", "sky")
RECIPE = find_recipe("small", "deconvnet", 1).with_changes(width=WIDTH, input_size=32)


@pytest.fixture
def file(tmp_path):
    def write(blobs):
        path = tmp_path / "net.caffemodel"
        path.write_bytes(encode(blobs.items()))
        return path

    return write


def kernel(model, name):
    return np.asarray(model.get_layer(name).kernel)


def test_a_training_file_of_the_release_goes_on(file, capsys):
    blobs = networks.deconvnet(WIDTH, 3, kernel=1, folded=False)
    model = load_init(file(blobs), "deconvnet", RECIPE, NAMES, seed=0)
    assert "net.caffemodel: 59 layers loaded\n" in capsys.readouterr().out
    np.testing.assert_array_equal(kernel(model, "fc7")[0, 0], blobs["fc7"][0][..., 0, 0].T)
    others = networks.deconvnet(WIDTH, 21, kernel=1, folded=False)
    load_init(file(others), "deconvnet", RECIPE, NAMES, seed=0)
    assert "58 layers loaded; not loaded, as they were: seg-score-voc" in capsys.readouterr().out
    load_init(file(networks.deconvnet(WIDTH, 3, kernel=1)), "deconvnet", RECIPE, NAMES, seed=0)
    told = capsys.readouterr().out
    assert "warning: the scales of bn1_1" in told
    # `train` has no option for it.
    assert "`tfdeconv import-caffe --folded`), and train from a file of training" in told


def test_vgg_for_every_network_and_the_rest_decided_by_the_seed(file, capsys):
    blobs = networks.vgg16(WIDTH)
    found = []
    for seed in (1, 1, 2):
        model = load_init(file(blobs), "deconvnet", RECIPE, NAMES, seed)
        found.append(kernel(model, "fc6-deconv"))
        np.testing.assert_array_equal(
            kernel(model, "conv3_2"), blobs["conv3_2"][0].transpose(2, 3, 1, 0)
        )
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
    assert "13 layers loaded" in capsys.readouterr().out
    load_init(file(blobs), "fcn8s", RECIPE, NAMES, seed=0)
    assert "15 layers loaded" in capsys.readouterr().out


def test_imagenet_is_asked_of_keras(monkeypatch, capsys):
    monkeypatch.setattr(keras.applications, "VGG16", lambda **options: wide_vgg(options))
    model = load_init("imagenet", "deconvnet", RECIPE.with_changes(width=1.0), NAMES, seed=0)
    assert "imagenet: 13 layers loaded" in capsys.readouterr().out
    assert float(np.asarray(model.get_layer("conv5_3").bias)[0]) == 7.0
    with pytest.raises(UserError, match="fit width 1 alone: --width 1, or --recipe paper"):
        load_init("imagenet", "deconvnet", RECIPE, NAMES, seed=0)


def wide_vgg(options):
    # This network has another `fc6` than VGG-16: the top is of no use.
    assert options == {"weights": "imagenet", "include_top": False}
    x = image = keras.Input((32, 32, 3))
    for stage, filters in networks.FILTERS.items():
        for index, count in enumerate(filters, start=1):
            x = keras.layers.Conv2D(
                count,
                3,
                bias_initializer=keras.initializers.Constant(7.0),
                padding="same",
                kernel_initializer="zeros",
                name=f"block{stage}_conv{index}",
            )(x)
    return keras.Model(image, x)


def test_training_starts_from_it_and_goes_on(file, tmp_path):
    data = draw_dataset(tmp_path / "data", images=6, val=2, seed=0)
    path = file(networks.vgg16(WIDTH))
    options = {"width": WIDTH, "input_size": 32, "batch_size": 4, "steps": 2, "learning_rate": 1e-6}
    run = train("deeplab_largefov", data, tmp_path / "run", init=path, **options)
    trained = load_model(run.path)
    assert trained.output_shape[-1] == len(CLASS_NAMES)
    expected = networks.vgg16(WIDTH)["conv1_1"][0].transpose(2, 3, 1, 0)
    np.testing.assert_allclose(kernel(trained, "conv1_1"), expected, atol=1e-3)
    assert run.settings()["init"] == str(path)
    train("deeplab_largefov", data, tmp_path / "run", init=path, resume=True, **options)


def test_a_file_of_another_width_is_told(file):
    with pytest.raises(UserError, match="Choose the network, the width and the input size"):
        load_init(file(networks.deconvnet(1 / 16, 3, kernel=1)), "deconvnet", RECIPE, NAMES, seed=0)
    with pytest.raises(UserError, match="must fit the encoder"):
        load_init(file(networks.vgg16(1 / 16)), "deconvnet", RECIPE, NAMES, seed=0)
