"""PSPNet: the release's head, images of every size, and the auxiliary scores."""

import functools

import keras
import numpy as np
import pytest

from tests.models.networks import trained_losses
from tests.reference import pyramid as reference
from tfdeconv.models import PSPNet, build, class_names, load_model

# Channels in, side and channels out of the convolutions after `conv5_3`, from the release.
HEAD = {f"conv5_3_pool{bins}_conv": (2048, 1, 512) for bins in (1, 2, 3, 6)} | {
    "conv5_4": (4096, 3, 512),
    "conv6": (512, 1, 21),
}
AUXILIARY = {"aux_conv": (1024, 3, 256), "aux_score": (256, 1, 21)}


@functools.cache
def narrow(auxiliary: bool = False) -> keras.Model:
    names = ("ground", "tree", "sky")
    return PSPNet(3, width=1 / 64, depth=50, auxiliary=auxiliary, class_names=names)


def test_head_and_weights_of_the_full_network() -> None:
    model = PSPNet(depth=50, kernel_initializer="zeros", auxiliary=True)
    for name, (channels, size, filters) in (HEAD | AUXILIARY).items():
        layer = model.get_layer(name)
        assert layer.kernel.shape == (size, size, channels, filters)
        assert layer.use_bias == (filters == 21)
    parts = [model.trainable_weights, keras.Model(model.input, model.outputs[0]).trainable_weights]
    both, alone = (sum(int(np.prod(weight.shape)) for weight in part) for part in parts)
    assert alone == 46_716_373
    assert both - alone == 9 * 1024 * 256 + 2 * 256 + 257 * 21


@pytest.mark.large
def test_weights_of_the_papers_network() -> None:
    model = PSPNet(kernel_initializer="zeros")
    counts = [int(np.prod(weight.shape)) for weight in model.trainable_weights]
    assert sum(counts) == 65_708_501
    assert model.get_layer("conv4_23_relu").output.shape[-1] == 1024


def test_pyramid_is_pooled_and_resized() -> None:
    model = narrow()
    joined = model.get_layer("conv5_3_concat")
    assert [x.shape[-1] for x in joined.input] == [32, 8, 8, 8, 8]
    names = [f"conv5_3_pool{bins}_interp" for bins in (6, 3, 2, 1)]
    outputs = [model.get_layer("conv5_3_relu").output]
    outputs += [model.get_layer(f"conv5_3_pool{bins}").output for bins in (6, 3, 2, 1)]
    outputs += [model.get_layer(f"conv5_3_pool{bins}_conv_relu").output for bins in (6, 3, 2, 1)]
    outputs += [model.get_layer(name).output for name in names]
    image = np.random.default_rng(0).integers(0, 256, (1, 50, 90, 3)).astype(np.uint8)
    last, *rest = [np.asarray(x) for x in keras.Model(model.input, outputs)(image)]
    for bins, pooled, small, large in zip((6, 3, 2, 1), rest[:4], rest[4:8], rest[8:], strict=True):
        expected = reference.adaptive_average_pool(last, (bins, bins))
        np.testing.assert_allclose(pooled, expected, rtol=1e-4, atol=1e-4)
        expected = reference.resize(small, *last.shape[1:3])
        np.testing.assert_allclose(large, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (33, 57), (32, 64), (38, 50)])
def test_scores_have_the_size_of_every_image(size) -> None:
    found = narrow()(np.zeros((2, *size, 3), np.uint8))
    assert found.shape == (2, *size, 3) and found.dtype == "float32"


def test_auxiliary_scores_come_from_stage_four() -> None:
    model = narrow(auxiliary=True)
    first, second = model(np.zeros((1, 20, 30, 3), np.uint8))
    assert first.shape == second.shape == (1, 20, 30, 3)
    assert model.output_names == ["scores", "auxiliary"]
    assert model.get_layer("aux_conv").input is model.get_layer("conv4_6_relu").output
    alone = keras.Model(model.input, model.outputs[0])
    assert class_names(alone) == ("ground", "tree", "sky")
    assert alone.count_params() == narrow().count_params()
    np.testing.assert_array_equal(alone(np.zeros((1, 20, 30, 3), np.uint8)), first)


@pytest.mark.large
@pytest.mark.parametrize("auxiliary", [False, True])
def test_steps_of_training_lower_the_loss(auxiliary: bool) -> None:
    model = PSPNet(3, width=1 / 32, depth=50, auxiliary=auxiliary)
    before, after = trained_losses(model)
    assert after < before


def test_saved_with_its_class_names(tmp_path) -> None:
    narrow().save(tmp_path / "model.keras")
    assert class_names(load_model(tmp_path)) == ("ground", "tree", "sky")


def test_names_and_bad_arguments() -> None:
    assert build("pspnet50", num_classes=3, width=1 / 64).name == "pspnet50"
    with pytest.raises(ValueError, match=r"`depth` must be one of \[50, 101\]"):
        PSPNet(3, depth=18)
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, 3\)"):
        PSPNet(3, (32, 32))
