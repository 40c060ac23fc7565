"""U-Net: the paper's Figure 1, and the scores of a network of PyTorch's layers."""

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
from tfdeconv.errors import UserError
from tfdeconv.models import UNet, build

# Level -> channels and, down and up, the sides after the first and the second convolution; Figure 1
# for an input tile of 572x572 pixels.
CHANNELS = (64, 128, 256, 512, 1024)
DOWN = ((570, 568), (282, 280), (138, 136), (66, 64), (30, 28))
UP = ((390, 388), (198, 196), (102, 100), (54, 52))
ENLARGED = {"d4c_u3a": 56, "u3d_u2a": 104, "u2d_u1a": 200, "u1d_u0a": 392}
TABLE = [
    *[
        Row(f"conv_d{i}{s}", 3, CHANNELS[i], DOWN[i][k])
        for i in range(5)
        for k, s in enumerate(("a-b", "b-c"))
    ],
    *[Row(f"upconv_{name}", 2, CHANNELS[int(name[-2])], side) for name, side in ENLARGED.items()],
    *[
        Row(f"conv_u{i}{s}", 3, CHANNELS[i], UP[i][k])
        for i in range(4)
        for k, s in enumerate(("b-c", "c-d"))
    ],
    Row("conv_u0d-score", 1, 2, 388),
]


def test_layer_table_of_the_full_network() -> None:
    model = UNet(2, (388, 388, 3), kernel_initializer="zeros", padding="valid")
    assert model.get_layer("mirror").output.shape == (None, 572, 572, 3)
    check_table(model, TABLE)
    # 31,030,658 with the paper's gray images, and two more colours that conv_d0a-b looks at.
    assert model.count_params() == 31_030_658 + 2 * 9 * 64
    assert f"{31_030_658 + 2 * 9 * 64 + 19 * 65:,}" in (UNet.__doc__ or "")
    for level, side in enumerate((392, 200, 104, 56)):
        joined = model.get_layer(f"concat_d{level}cc_u{level}a-b").output
        assert joined.shape == (None, side, side, 2 * CHANNELS[level])


def torch_scores(model, images: np.ndarray, valid: bool, batch_norm: bool = False):
    net = Torch(model)
    x = net.images(images)
    if valid:
        after = [92 + (4 - side) % 16 for side in images.shape[1:3]]
        sides = [(0, 0), (0, 0), (92, after[0]), (92, after[1])]
        x = net.torch.from_numpy(np.pad(x.numpy(), sides, "reflect"))

    def conv(x, name, reached):
        bn = f"bn_{reached}" if batch_norm else None
        return net.conv(x, name, bn, padding=0 if valid else 1)

    skips = []
    for i in range(5):
        x = conv(conv(x, f"conv_d{i}a-b", f"d{i}b"), f"conv_d{i}b-c", f"d{i}c")
        skips.append(x)
        x = x if i == 4 else net.functional.max_pool2d(x, 2)
    for i, name in zip((3, 2, 1, 0), ENLARGED, strict=True):
        x = net.deconv(x, f"upconv_{name}", f"bn_u{i}a" if batch_norm else None)
        cut = (skips[i].shape[2] - x.shape[2]) // 2
        skip = skips[i][:, :, cut : cut + x.shape[2], cut : cut + x.shape[3]]
        x = net.torch.cat([x, skip], 1)
        x = conv(conv(x, f"conv_u{i}b-c", f"u{i}c"), f"conv_u{i}c-d", f"u{i}d")
    x = net.conv(x, "conv_u0d-score", relu=False, padding=0)
    return x[:, :, : images.shape[1], : images.shape[2]]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_scores_are_those_of_a_pytorch_network(batch_norm: bool) -> None:
    model = randomise(UNet(5, width=1 / 16, batch_norm=batch_norm))
    images = random_images(2, 32, 48, 3)
    expected = torch_scores(model, images, valid=False, batch_norm=batch_norm)
    check_scores(predicted(model, images), expected)


@pytest.mark.parametrize("size", [(20, 36), (37, 21), (1, 2)])
def test_without_padding_every_size_is_scored_whole(size: tuple[int, int]) -> None:
    model = randomise(UNet(5, width=1 / 32, padding="valid"))
    images = random_images(1, *size, 3)
    check_scores(predicted(model, images), torch_scores(model, images, valid=True))


def test_weights_of_one_padding_fit_the_other(tmp_path) -> None:
    model = randomise(UNet(3, width=1 / 32))
    model.save_weights(tmp_path / "some.weights.h5")
    valid = UNet(3, width=1 / 32, padding="valid", weights=tmp_path / "some.weights.h5")
    for mine, theirs in zip(valid.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(UserError, match="must hold the weights of this network"):
        UNet(4, width=1 / 32, weights=tmp_path / "some.weights.h5")


def test_dropout_is_at_the_end_of_the_way_down() -> None:
    model = UNet(3, width=1 / 32, dropout=0.25)
    rates = {layer.name: layer.rate for layer in model.layers if hasattr(layer, "rate")}
    assert rates == {"dropout_d3c": 0.25, "dropout_d4c": 0.25}


@pytest.mark.parametrize("batch_norm", [False, True])
def test_training_lowers_the_loss(batch_norm: bool) -> None:
    check_learns("unet", batch_norm=batch_norm)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match=r"multiples of 16.*nearest is 176 in place of 180"):
        UNet(3, (180, 240, 3), width=1 / 32)
    assert UNet(3, (180, 240, 3), width=1 / 32, padding="valid").output_shape[1:3] == (180, 240)
    with pytest.raises(ValueError, match="sides that are multiples of 16"):
        build("unet", num_classes=3, width=1 / 32)(np.zeros((1, 20, 32, 3)))
    with pytest.raises(ValueError, match='`padding` must be "same" or "valid"'):
        UNet(3, width=1 / 32, padding="reflect")
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, 3\)"):
        UNet(3, (32, 32, 1), width=1 / 32)
