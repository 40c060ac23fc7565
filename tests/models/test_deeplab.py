"""DeepLab: the release's layers, scores that lie where the image is, and a step of training."""

import keras
import numpy as np
import pytest

from tests.models.networks import centre_taps, place_of, trained_losses
from tfdeconv.errors import UserError
from tfdeconv.models import DeepLabASPP, DeepLabLargeFOV, build, class_names, load_model

VGG = 14_714_688  # convolutions of VGG-16, as in its paper
FC6, FC7, FC8 = 3 * 3 * 512 * 1024 + 1024, 1024 * 1024 + 1024, 1024 * 21 + 21
# name -> side of the kernel, channels, dilation: test.prototxt of DeepLab-LargeFOV.
LARGE_FOV = {
    **{f"conv1_{i}": (3, 64, 1) for i in (1, 2)},
    **{f"conv2_{i}": (3, 128, 1) for i in (1, 2)},
    **{f"conv3_{i}": (3, 256, 1) for i in (1, 2, 3)},
    **{f"conv4_{i}": (3, 512, 1) for i in (1, 2, 3)},
    **{f"conv5_{i}": (3, 512, 2) for i in (1, 2, 3)},
    "fc6": (3, 1024, 12),
    "fc7": (1, 1024, 1),
    "fc8_voc12": (1, 21, 1),
}


def table(model: keras.Model) -> dict[str, tuple[int, int, int]]:
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert layer.strides == (1, 1) and layer.padding == "same" and layer.use_bias
            found[layer.name] = (layer.kernel_size[0], layer.filters, layer.dilation_rate[0])
    return found


def test_layers_and_weights_of_large_fov() -> None:
    model = DeepLabLargeFOV(kernel_initializer="zeros")
    assert table(model) == LARGE_FOV
    assert model.count_params() == VGG + FC6 + FC7 + FC8 == 20_505_429
    poolings = {f"pool{stage}": 2 if stage < 4 else 1 for stage in range(1, 6)} | {"pool5a": 1}
    for name, strides in poolings.items():
        layer = model.get_layer(name)
        assert (layer.pool_size, layer.strides) == ((3, 3), (strides, strides))


def test_layers_and_weights_of_aspp_on_vgg16() -> None:
    model = DeepLabASPP(kernel_initializer="zeros")
    branches = {f"fc6_{i}": (3, 1024, 6 * i) for i in range(1, 5)}
    branches |= {f"fc7_{i}": (1, 1024, 1) for i in range(1, 5)}
    branches |= {f"fc8_voc12_{i}": (1, 21, 1) for i in range(1, 5)}
    assert table(model) == {n: row for n, row in LARGE_FOV.items() if n[:4] == "conv"} | branches
    assert model.count_params() == VGG + 4 * (FC6 + FC7 + FC8)
    assert "pool5a" not in [layer.name for layer in model.layers]


def test_aspp_on_resnet101() -> None:
    model = DeepLabASPP(3, width=1 / 32, backbone="resnet101")
    for index, dilation in enumerate((6, 12, 18, 24)):
        layer = model.get_layer(f"fc1_voc12_c{index}")
        assert layer.kernel.shape == (3, 3, 64, 3) and layer.dilation_rate == (dilation, dilation)
    assert len(model.get_layer("fc1_voc12").input) == 4
    assert model(np.zeros((1, 11, 30, 3), np.uint8)).shape == (1, 11, 30, 3)


def test_batch_norm_stands_between_convolution_and_relu() -> None:
    model = DeepLabLargeFOV(3, width=1 / 64, batch_norm=True)
    names = [n.name for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
    stages = [
        f"bn{stage}_{i}" for stage, last in enumerate((2, 2, 3, 3, 3), 1) for i in (1, 2, 3)[:last]
    ]
    assert names == [*stages, "bnfc6", "bnfc7"]
    assert model.get_layer("relu1_1").input is model.get_layer("bn1_1").output
    assert model.get_layer("bnfc6").input is model.get_layer("fc6").output


@pytest.mark.parametrize("size", [(1, 1), (33, 57), (32, 64), (38, 50), (7, 23)])
@pytest.mark.parametrize("build_network", [DeepLabLargeFOV, DeepLabASPP])
def test_scores_have_the_size_of_every_image(build_network, size) -> None:
    model = build_network(3, width=1 / 64)
    found = model(np.zeros((2, *size, 3), np.uint8))
    assert found.shape == (2, *size, 3) and found.dtype == "float32"
    assert build_network(3, (*size, 3), width=1 / 64).output_shape == (None, *size, 3)


@pytest.mark.parametrize("size", [(65, 81), (64, 80), (70, 86), (67, 83)])
def test_scores_lie_where_the_image_is(size) -> None:
    model = centre_taps(DeepLabLargeFOV(2, width=1 / 64))
    assert place_of(model, size, (32, 48)) == pytest.approx((32, 48), abs=1e-3)


def test_border_of_the_average_counts_its_zeros() -> None:
    model = DeepLabLargeFOV(2, (65, 65, 3), width=1 / 64)
    average = keras.Model(model.get_layer("pool5a_pad").input, model.get_layer("pool5a").output)
    found = np.asarray(average(np.ones((1, 9, 9, 8), np.float32)))[0, :, :, 0]
    assert found[4, 4] == pytest.approx(1) and found[0, 4] == pytest.approx(6 / 9)
    assert found[0, 0] == pytest.approx(4 / 9)


@pytest.mark.parametrize("name", ["deeplab_largefov", "deeplab_aspp"])
def test_a_step_of_training_lowers_the_loss(name: str) -> None:
    before, after = trained_losses(build(name, num_classes=3, width=1 / 16, batch_norm=True))
    assert after < before


def test_saved_with_its_class_names(tmp_path) -> None:
    names = ("ground", "tree", "sky")
    model = build("deeplab_largefov", num_classes=3, width=1 / 64, class_names=names)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path)
    assert class_names(again) == names and again.name == "deeplab_largefov"
    with pytest.raises(UserError, match="must hold the weights of this network"):
        DeepLabLargeFOV(4, width=1 / 64, weights=tmp_path / "model.keras")


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"`backbone` must be one of .*resnet101.*Received"):
        DeepLabASPP(3, backbone="resnet50")
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, 3\)"):
        DeepLabLargeFOV(3, (32, 32, 1))
    with pytest.raises(ValueError, match="`num_classes` must be 2 to 255"):
        DeepLabASPP(1)
