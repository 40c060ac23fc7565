"""CAM: the paper's equations in NumPy, the shapes of its maps, and refusals."""

import keras
import numpy as np
import pytest

from tfdeconv.models import CAM, class_activation_maps, class_names, load_model


def photographs(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype("float32")


@pytest.fixture(scope="module")
def networks() -> dict[str, keras.Model]:
    return {
        pooling: CAM(4, width=1 / 32, batch_norm=True, pooling=pooling)
        for pooling in ("average", "maximum")
    }


@pytest.mark.parametrize("pooling", ["average", "maximum"])
def test_scores_are_those_of_the_equations(networks, pooling) -> None:
    model, images = networks[pooling], photographs(2, 37, 50)
    features = keras.Model(model.input, model.get_layer("relu6").output)(images).numpy()
    kernel, bias = model.get_layer("cam").get_weights()
    assert features.shape[1:3] == (3, 4)
    expected = np.zeros((2, 3))
    for image in range(2):
        for label in range(3):
            weights = kernel[0, 0, :, label]
            if pooling == "average":
                # Equation 1: S_c = sum_k w_k^c F_k, F_k being the mean of map k.
                means = [features[image, :, :, k].mean() for k in range(len(weights))]
                expected[image, label] = sum(w * f for w, f in zip(weights, means, strict=True))
            else:
                pixels = features[image].reshape(-1, len(weights))
                expected[image, label] = max(float(pixel @ weights) for pixel in pixels)
            expected[image, label] += bias[label]
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-5)


def test_maps_share_the_weights_and_their_pooling_is_the_score(networks) -> None:
    images = photographs(1, 40, 33)
    for pooling, pool in (("average", np.mean), ("maximum", np.max)):
        maps = class_activation_maps(networks[pooling])
        np.testing.assert_allclose(
            pool(maps(images).numpy(), (1, 2)), networks[pooling](images), rtol=1e-4, atol=1e-5
        )
        assert maps.get_layer("cam") is networks[pooling].get_layer("cam")


@pytest.mark.parametrize(("stride", "rows", "columns"), [(16, 3, 4), (8, 5, 7)])
def test_a_row_of_the_map_for_every_stride(stride, rows, columns) -> None:
    model = CAM(3, (37, 50, 3), width=1 / 64, stride=stride)
    assert class_activation_maps(model).output_shape == (None, rows, columns, 2)
    assert model.output_shape == (None, 2)
    assert model.get_layer("conv5_1").dilation_rate == ((1, 1) if stride == 16 else (2, 2))


@pytest.mark.large
def test_full_size_is_the_paper_s() -> None:
    model = CAM(201, (224, 224, 3))
    assert class_activation_maps(model).output_shape == (None, 14, 14, 200)
    assert model.get_layer("conv6").filters == 1024


def test_saved_it_keeps_the_names_of_what_it_scores(tmp_path) -> None:
    model = CAM(3, width=1 / 64, class_names=("ground", "cat", "dog"))
    model.save(tmp_path / "model.keras")
    opened, images = load_model(tmp_path / "model.keras"), photographs(1, 20, 30)
    assert class_names(opened) == ("cat", "dog")
    np.testing.assert_array_equal(opened(images), model(images))
    assert class_activation_maps(opened).output_shape == (None, None, None, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pooling": "median"}, "`pooling` must be one of .*Received: pooling='median'"),
        ({"stride": 32}, r"`stride` must be one of \(8, 16\).*Received: stride=32"),
        ({"num_classes": 1}, "Received: num_classes=1"),
        ({"class_names": ("a", "b")}, "2 names for num_classes=21"),
    ],
)
def test_wrong_arguments(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        CAM(**wrong)


def test_maps_of_another_network_are_refused() -> None:
    inputs = keras.Input((4, 4, 3))
    with pytest.raises(ValueError, match=r"`model` must be made by `CAM`. Received: other"):
        class_activation_maps(keras.Model(inputs, inputs, name="other"))
