"""Deep Contextual Network: the paper's layers, its auxiliary scores, and PyTorch's answer."""

import keras
import numpy as np
import pytest

from tests.models.neighbours import (
    Row,
    Torch,
    check_learns,
    check_scores,
    check_table,
    predicted,
    random_images,
    randomise,
)
from tfdeconv.models import DeepContextual, build, class_names

STAGES = {1: (64, 64), 2: (128, 128), 3: (256,) * 3, 4: (512,) * 3}
SIDES = {1: 480, 2: 240, 3: 120, 4: 60}


def table(classes: int) -> list[Row]:
    rows = [Row(f"conv{s}_{i}", 3, n, SIDES[s]) for s in STAGES for i, n in enumerate(STAGES[s], 1)]
    for depth, kernel in ((1, 4), (2, 8), (3, 16)):
        rows.append(Row(f"deconv{depth}", kernel, classes, 480))
        rows += [Row(f"conv_c{depth}", 3, classes, 480), Row(f"c{depth}", 1, classes, 480)]
    return rows


def test_layer_table_of_the_full_network() -> None:
    model = DeepContextual(21, (480, 480, 3), kernel_initializer="zeros")
    check_table(model, table(21))
    kinds = [type(layer) for layer in model.layers]
    convolutions = kinds.count(keras.layers.Conv2D)
    deconvolutions = kinds.count(keras.layers.Conv2DTranspose)
    # Section "Deep Contextual Network" of the paper: 16, 3 and 3.
    assert (convolutions, kinds.count(keras.layers.MaxPooling2D), deconvolutions) == (16, 3, 3)
    encoder = 14_714_688 - 3 * (9 * 512 * 512 + 512)  # VGG-16 without its fifth stage
    branches = sum(k * k * n * 21 + 21 for k, n in ((4, 128), (8, 256), (16, 512)))
    branches += 3 * (9 * 21 * 21 + 21 + 21 * 21 + 21)
    assert model.count_params() == encoder + branches
    assert f"{encoder + branches:,}" in (DeepContextual.__doc__ or "")


@pytest.mark.parametrize("batch_norm", [False, True])
def test_scores_are_those_of_a_pytorch_network(batch_norm: bool) -> None:
    model = DeepContextual(5, width=1 / 16, batch_norm=batch_norm, auxiliary=True)
    randomise(model)
    images = random_images(2, 24, 40, 3)
    net = Torch(model)

    def bn(name):
        return name if batch_norm else None

    x, contexts = net.images(images), []
    for stage, filters in STAGES.items():
        x = x if stage == 1 else net.functional.max_pool2d(x, 2)
        for i in range(1, len(filters) + 1):
            x = net.conv(x, f"conv{stage}_{i}", bn(f"bn{stage}_{i}"))
        if stage > 1:
            k, factor = stage - 1, 2 ** (stage - 1)
            y = net.deconv(x, f"deconv{k}", bn(f"bn_deconv{k}"), factor, padding=factor // 2)
            y = net.conv(y, f"conv_c{k}", bn(f"bn_c{k}"))
            contexts.append(net.conv(y, f"c{k}", relu=False, padding=0))
    found = predicted(model, images)
    for scores, expected in zip(found, [sum(contexts), *contexts], strict=True):
        check_scores(scores, expected)


def test_a_model_with_auxiliary_scores_has_the_weights_of_one_without(tmp_path) -> None:
    options = {"width": 1 / 32, "class_names": ("a", "b", "c")}
    deep = randomise(DeepContextual(3, auxiliary=True, **options))
    assert deep.output_names[0] == "scores" and class_names(deep) == ("a", "b", "c")
    deep.save_weights(tmp_path / "some.weights.h5")
    model = DeepContextual(3, weights=tmp_path / "some.weights.h5", **options)
    images = random_images(1, 16, 24, 3)
    np.testing.assert_array_equal(model(images), deep(images)[0])


def test_auxiliary_scores_are_float32_whatever_the_policy() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = DeepContextual(3, (16, 24, 3), width=1 / 32, auxiliary=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert [output.dtype for output in model.outputs] == ["float32"] * 4
    assert model.get_layer("conv1_1").compute_dtype == "bfloat16"


def test_training_lowers_the_loss() -> None:
    check_learns("deep_contextual")
    check_learns("deep_contextual", batch_norm=True)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match=r"multiples of 8.*nearest is 176 in place of 180"):
        DeepContextual(3, (180, 240, 3), width=1 / 32)
    with pytest.raises(ValueError, match="sides that are multiples of 8"):
        build("deep_contextual", num_classes=3, width=1 / 64)(np.zeros((1, 20, 32, 3)))
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, 3\)"):
        DeepContextual(3, (32, 32), width=1 / 32)
