"""Files of VGG-16 and ResNet that users have: of Keras in three forms, and of torchvision."""

import importlib.util

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from tests.helpers import SHARED_DATA, shared_data
from tfdeconv import images
from tfdeconv.errors import UserError
from tfdeconv.layers.preprocess import MEAN
from tfdeconv.models import DeconvNet, SegNet
from tfdeconv.training.init import load_init
from tfdeconv.training.recipes import find_recipe
from tfdeconv.weights import classifiers, load_encoder, read_classifier

FILTERS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


@pytest.fixture(scope="module")
def vgg():
    model = keras.applications.VGG16(weights=None, include_top=False)
    model.get_layer("block5_conv3").bias.assign(np.arange(512.0))
    return model


@pytest.fixture(scope="module", params=["new", "old", "whole", "keras"])
def file(request, vgg, tmp_path_factory):
    """The same weights as Keras 3 and Keras 2 save them, and with the network."""
    folder = tmp_path_factory.mktemp("weights")
    if request.param == "new":
        vgg.save_weights(folder / "vgg.weights.h5")
        return folder / "vgg.weights.h5"
    if request.param == "old":
        with h5py.File(folder / "vgg.h5", "w") as content:
            legacy_h5_format.save_weights_to_hdf5_group(content, vgg)
        return folder / "vgg.h5"
    path = folder / ("whole.h5" if request.param == "whole" else "vgg.keras")
    vgg.save(path)
    return path


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_training_starts_from_every_file_of_keras(file, vgg, capsys) -> None:
    recipe = find_recipe("small", "deeplab_largefov").with_changes(width=1.0)
    model = load_init(file, "deeplab_largefov", recipe, ("ground", "tree"), seed=0)
    assert f"{file}: 13 layers loaded" in capsys.readouterr().out
    for ours, theirs in (("conv1_1", "block1_conv1"), ("conv5_3", "block5_conv3")):
        for mine, expected in zip(
            model.get_layer(ours).get_weights(), vgg.get_layer(theirs).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, expected)


def state_dict() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    state, channels = {}, 3
    for place, count in zip(PLACES, FILTERS, strict=True):
        kernel = generator.standard_normal((count, channels, 3, 3), np.float32)
        state[f"features.{place}.weight"] = kernel / np.float32(3 * channels**0.5)
        state[f"features.{place}.bias"] = generator.standard_normal(count, np.float32)
        channels = count
    return state


def test_vgg_of_torchvision_computes_the_same_from_rgb(tmp_path) -> None:
    state = state_dict()
    model = classifiers._from_torchvision(state, tmp_path / "vgg.pth")
    image = np.random.default_rng(1).integers(0, 256, (3, 3, 3))
    # One pixel by the definition: torchvision's normalisation, then its first convolution.
    normalised = (image / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    expected = state["features.0.bias"] + np.einsum(
        "fchw,hwc->f", state["features.0.weight"], normalised
    )
    kernel, bias = model.get_layer("block1_conv1").get_weights()
    found = bias + np.einsum("hwcf,hwc->f", kernel, image[..., ::-1] - np.array(MEAN))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    kernel = model.get_layer("block3_conv2").get_weights()[0]
    assert kernel[0, 2, 5, 7] == state["features.12.weight"][7, 5, 0, 2]


@pytest.mark.large
def test_the_top_of_torchvision_has_its_inputs_in_another_order(tmp_path) -> None:
    state = state_dict()
    for place, shape in ((0, (4096, 512 * 49)), (3, (4096, 4096)), (6, (10, 4096))):
        state[f"classifier.{place}.weight"] = np.zeros(shape, np.float32)
        state[f"classifier.{place}.bias"] = np.zeros(shape[0], np.float32)
    state["classifier.0.weight"][9].reshape(512, 7, 7)[5, 1, 6] = 3
    model = classifiers._from_torchvision(state, tmp_path / "vgg.pth")
    kernel = model.get_layer("fc1").get_weights()[0].reshape(7, 7, 512, 4096)
    assert np.argwhere(kernel).tolist() == [[1, 6, 5, 9]]


@pytest.mark.parametrize(("package", "suffix"), [("safetensors", "safetensors"), ("torch", "pth")])
def test_state_dicts_are_read_without_pickle(tmp_path, package: str, suffix: str) -> None:
    path = tmp_path / f"vgg.{suffix}"
    if importlib.util.find_spec(package) is None:
        path.write_bytes(b"any")
        with pytest.raises(UserError, match=rf"package {package} must.*pip install {package}"):
            read_classifier(path)
        pytest.skip(f"{package} is not installed")
    state = state_dict()
    if package == "torch":
        import torch

        torch.save({name: torch.tensor(value) for name, value in state.items()}, path)
    else:
        from safetensors.numpy import save_file

        save_file(state, path)
    kernel = read_classifier(path).get_layer("block5_conv3").get_weights()[0]
    np.testing.assert_array_equal(kernel, state["features.28.weight"].transpose(2, 3, 1, 0))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="intact file of weights"):
        read_classifier(path)


def test_what_is_none_is_refused_with_what_it_is(tmp_path) -> None:
    SegNet(3, width=1 / 32).save_weights(tmp_path / "segnet.weights.h5")
    with pytest.raises(UserError, match=r"must hold VGG-16, ResNet.*Received: 26 convolutions"):
        read_classifier(tmp_path / "segnet.weights.h5")
    (tmp_path / "text.h5").write_text("nothing")
    with pytest.raises(UserError, match=r"text\.h5` must be an intact file of weights"):
        read_classifier(tmp_path / "text.h5")
    with pytest.raises(UserError, match="no such file"):
        read_classifier(tmp_path / "missing.weights.h5")
    with h5py.File(tmp_path / "huge.h5", "w") as content:
        for number in range(13):
            content.create_dataset(f"{number}", (3, 3, 10**6, 10**6), "f4", chunks=(3, 3, 8, 8))
    with pytest.raises(UserError, match=r"13 convolutions, 117000000000000 numbers"):
        read_classifier(tmp_path / "huge.h5")
    with pytest.raises(UserError, match=r"no `features\.28\.weight` among 24 arrays"):
        classifiers._from_torchvision(dict(list(state_dict().items())[:24]), tmp_path / "vgg.pth")


@pytest.mark.large
def test_features_of_a_photograph_are_those_of_keras() -> None:
    file = SHARED_DATA / "weights" / "vgg16_notop.weights.h5"
    folder = shared_data("nuclei") / "JPEGImages"
    if not file.exists():
        pytest.skip("the weights are not beside the checkout (../shared/data/weights)")
    photograph = images.read_image(min(folder.iterdir()))[np.newaxis, :64, :96].astype(np.float32)
    vgg, model = read_classifier(file), DeconvNet(2, (64, 96, 3))
    assert len(load_encoder(model, file).loaded) == 13
    expected = keras.Model(vgg.input, vgg.get_layer("block5_conv3").output)(
        photograph[..., ::-1] - np.array(MEAN, np.float32)
    )
    found = keras.Model(model.input, model.get_layer("relu5_3").output)(photograph)
    # Batch normalisation that was not trained divides by the root of 1 + 1e-5.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.max(expected))
    assert np.std(expected) > 1
